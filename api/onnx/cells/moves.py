"""Products, shapes, parts and reductions in a loop's body, as expressions of the language."""

from __future__ import annotations

import math
from dataclasses import replace

from netwright.specs.dims import Dim, DimLike
from netwright.specs.dims import product as total

from ..errors import Refusal
from .step import Step
from .table import operator
from .terms import OtherOrder, Sizes, Term, joint, ordered, product, written

#: A slice that ends there, or later, goes to the end of any axis.
_WHOLE = 2**31 - 1

# Products.


@operator("MatMul")
def _matmul(s: Step) -> list[Term]:
    return [product(s.term(0), s.term(1))]


@operator("Gemm", attributes="alpha beta transA transB")
def _gemm(s: Step) -> list[Term]:
    a, b = s.term(0), s.term(1)
    if s.attribute("transA", 0) or {s.attribute("alpha", 1.0), s.attribute("beta", 1.0)} != {1.0}:
        raise Refusal("transA, alpha and beta are not supported in a loop")
    if s.attribute("transB", 0):
        b = _transposed(b)
    result = product(a, b)
    return [joint("a + b", {"a": result, "b": s.term(2)}, result.dtype) if s.has(2) else result]


@operator("Transpose", attributes="perm")
def _transpose(s: Step) -> list[Term]:
    term = s.term()
    rank = len(term.view) + term.batched
    order = list(s.attribute("perm", range(rank - 1, -1, -1)))
    if order == list(range(rank)):
        return [term]
    images = rank > 3 or s.writer.has_images
    if term.batched and images and order[:1] == [0] and term.view == term.seen(term.text, term.shape).view:
        return [_reordered(term, [axis - 1 for axis in order[1:]])]
    if order != [*range(rank - 2), rank - 1, rank - 2] or len(term.view) < 2:
        raise OtherOrder("only the last two axes of a sample can change places", "perm")
    return [_transposed(term)]


def _reordered(term: Term, order: list[int]) -> Term:
    """An image with its axes in another order. The text does not change."""
    held = term.order or tuple(range(len(term.view)))
    permuted = tuple(order.index(axis) for axis in held)
    view = tuple(term.view[axis] for axis in order)
    return replace(term, view=view, order=ordered(permuted, len(view)), untransposed="")


def _transposed(term: Term) -> Term:
    shape = term.exact().shape
    if len(shape) != 2:
        raise Refusal(f"a transpose of {list(shape)}")
    swapped = shape[::-1]
    text = written("transpose(x)", {"x": term.text})
    return Term(text, swapped, swapped, term.dtype, term.batched, term.text)


# Shapes.


@operator("Reshape", "Squeeze", "Unsqueeze", "Flatten", "Expand", "Tile", attributes="axes axis allowzero")
def _view(s: Step) -> list[Term]:
    """Adds and removes axes of size 1. What is stretched is left to the readers, which broadcast it."""
    term = s.term()
    if s.node.op in ("Squeeze", "Unsqueeze") and (image := _image(s, term)) is not None:
        return [image]
    stretches = s.node.op in ("Expand", "Tile")
    if term.order and not stretches:
        term = term.exact()
    full: tuple[DimLike, ...] = ((s.writer.samples,) if term.batched else ()) + term.view  # type: ignore[assignment]
    target = _target(s, full)
    if term.batched:
        if not target or target[0] != full[0]:
            raise Refusal("the samples do not stay the first axis")
        target = target[1:]
    elif target[:1] == [s.writer.samples] and (
        isinstance(s.writer.samples, Dim) or _gives_samples(s, full, target)
    ):
        # A value that is the same for all samples is given to each.
        term, target = replace(term, batched=True), target[1:]
    if any(isinstance(size, Dim) for size in target):
        raise Refusal("a sample has open sizes")
    view: Sizes = tuple(int(size) for size in target)  # type: ignore[arg-type]
    if term.order and len(view) != len(term.view):
        raise OtherOrder("an image that is held channels last gets further axes")
    if not stretches and [v for v in view if v != 1] != [v for v in term.view if v != 1]:
        raise Refusal(f"{list(term.view)} becomes {list(view)}: only axes of size 1 can come and go")
    return [term.viewed(view)]


def _image(s: Step, term: Term) -> Term | None:
    """An image with axes of size 1 added or removed. The text does not change."""
    axes = s.integers(1, "axes")
    if axes is None or not s.writer.has_images or not term.batched or len(term.shape) < 2:
        return None
    if not term.order and term.view != term.shape:
        return None
    held = [axis + 1 for axis in term.order or range(len(term.view))]
    rank = 1 + len(term.view) + (len(axes) if s.node.op == "Unsqueeze" else 0)
    moved = {axis % rank for axis in axes}
    if 0 in moved or (s.node.op == "Squeeze" and moved & set(held)):
        return None
    if s.node.op == "Unsqueeze":
        rest = [axis for axis in range(rank) if axis not in moved]
        order, size = [rest[axis] - 1 for axis in held], rank - 1
    else:
        order = [axis - 1 - sum(other < axis for other in moved) for axis in held]
        size = rank - 1 - len(moved)
    image = replace(term, view=(1,) * size, order=tuple(order)).seen(term.text, term.shape)
    return replace(image, order=ordered(order, size))


def _gives_samples(s: Step, full: tuple[DimLike, ...], target: list[DimLike]) -> bool:
    """Whether the first axis, with a fixed number of samples, was made by repeating a value."""
    if s.node.op not in ("Expand", "Tile"):
        return False
    return len(target) > len(full) or (full[0] == 1 and s.writer.samples != 1)


def _target(s: Step, full: tuple[DimLike, ...]) -> list[DimLike]:
    match s.node.op:
        case "Squeeze":
            axes = s.integers(1, "axes")
            dropped = (
                {axis % len(full) for axis in axes}
                if axes is not None
                else {i for i, d in enumerate(full) if d == 1}
            )
            return [size for i, size in enumerate(full) if i not in dropped]
        case "Unsqueeze":
            axes = s.integers(1, "axes") or []
            rank, rest = len(full) + len(axes), iter(full)
            added = {axis % rank for axis in axes}
            return [1 if i in added else next(rest) for i in range(rank)]
        case "Flatten":
            axis = s.attribute("axis", 1)
            return [total(full[:axis]), total(full[axis:])]
    target = s.sizes(1)
    if s.node.op == "Tile":
        if len(target) != len(full) or any(n != 1 != size for n, size in zip(target, full, strict=True)):
            raise Refusal("only axes of size 1 are repeated in a loop")
        return [n if size == 1 else size for n, size in zip(target, full, strict=True)]
    if s.node.op == "Expand":
        rank = max(len(target), len(full))
        padded = (1,) * (rank - len(full)) + full
        wide = [1] * (rank - len(target)) + target
        return [a if b == 1 else b for a, b in zip(padded, wide, strict=True)]
    target = [
        full[i] if size == 0 and not s.attribute("allowzero", 0) else size for i, size in enumerate(target)
    ]
    if -1 in target:
        hole = target.index(-1)
        # The samples stay first, so a -1 there is their number; any other -1 is computed from the rest of the sample.
        if hole == 0 and full and isinstance(full[0], Dim):
            target[0] = full[0]
        else:
            sizes = [size for i, size in enumerate(target) if i != hole]
            rest = [size for size in full if not isinstance(size, Dim)]
            known = math.prod(int(size) for size in sizes if not isinstance(size, Dim))
            target[hole] = math.prod(int(size) for size in rest) // max(known, 1)
    return target


@operator("Concat", attributes="axis")
def _concat(s: Step) -> list[Term]:
    terms = [s.term(position) for position in range(len(s.node.inputs))]
    if len({term.batched for term in terms}) > 1 or len({term.order for term in terms}) > 1:
        raise Refusal(
            "samples are joined with what all of them have, or images that are held in different orders"
        )
    axis = s.own_axis(terms[0], s.attribute("axis", -1))
    shapes = [term.shape if term.order else term.exact().shape for term in terms]
    if any(len(shape) != len(shapes[0]) for shape in shapes):
        raise Refusal("the operands have different numbers of axes")
    option = "" if axis == len(shapes[0]) - 1 else f", axis={axis}"
    names = {f"x{i}": term.text for i, term in enumerate(terms)}
    text = written(f"concat({', '.join(names)}{option})", names)
    size = sum(shape[axis] for shape in shapes)
    shape = tuple(size if i == axis else other for i, other in enumerate(shapes[0]))
    return [terms[0].seen(text, shape)]


@operator("Slice", attributes="axes ends starts")
def _slice(s: Step) -> list[Term]:
    """A slice of a term. All equal slices of a term become one `split`."""
    term, cut = s.term(), _cut(s)
    if cut is None:
        return [term]
    axis, start, end = cut
    own = s.own_axis(term, axis)
    size = term.shape[own]
    start, end = (max(0, min(size, at + size if at < 0 else at)) for at in (start, end))
    unit = math.gcd(start, end, size)
    for node in s.writer.body.nodes:
        if node.op == "Slice" and s.writer.source(node.inputs[0]) == s.writer.source(s.node.inputs[0]):
            try:
                if (other_cut := _cut(Step(s.writer, node))) is None:
                    continue
            except Refusal:
                continue
            other, *bounds = other_cut
            if s.own_axis(term, other) == own:
                unit = math.gcd(unit, *(max(0, min(size, at + size if at < 0 else at)) for at in bounds))
    if end <= start:
        raise Refusal("an empty part")
    if (start, end) == (0, size):
        return [term]
    return [_part(s, term, own, unit, start // unit, end // unit)]


def _cut(s: Step) -> tuple[int, int, int] | None:
    """The one axis along which a slice is taken, with its start and end; None if it takes everything."""
    starts, ends = s.integers(1, "starts"), s.integers(2, "ends")
    if starts is None or ends is None:
        raise Refusal("where the part starts and ends is not given")
    axes = s.integers(3, "axes") or list(range(len(starts)))
    if not len(starts) == len(ends) == len(axes):
        raise Refusal("starts, ends and axes do not fit together")
    if s.has(4) and set(s.integers(4, "steps") or [1]) != {1}:
        raise Refusal("only parts without gaps are taken")
    cuts = [cut for cut in zip(axes, starts, ends, strict=True) if cut[1] != 0 or cut[2] < _WHOLE]
    if len(cuts) > 1:
        raise Refusal("only parts along one axis are taken")
    return cuts[0] if cuts else None


def _part(s: Step, term: Term, axis: int, unit: int, first: int, last: int) -> Term:
    size = term.shape[axis]
    key = f"{term.text}\n{axis}\n{unit}"
    if key not in s.writer.split:
        s.writer.split[key] = s.writer.parts(term, size // unit, axis)
    names = s.writer.split[key][first:last]
    option = "" if axis == len(term.shape) - 1 else f", axis={axis}"
    text = names[0] if len(names) == 1 else f"concat({', '.join(names)}{option})"
    shape = tuple((last - first) * unit if i == axis else size for i, size in enumerate(term.shape))
    return term.seen(text, shape)


@operator("Split", attributes="axis num_outputs split")
def _split(s: Step) -> list[Term]:
    term = s.term()
    axis = s.own_axis(term, s.attribute("axis", 0))
    size, count = term.shape[axis], len(s.node.outputs)
    sizes = s.integers(1, "split") or [size // count] * count
    if sum(sizes) != size or len(sizes) != count:
        raise Refusal(f"{size} cells as {sizes}")
    unit, parts, start = math.gcd(*sizes), [], 0
    for cells in sizes:
        parts.append(_part(s, term, axis, unit, start // unit, (start + cells) // unit))
        start += cells
    return parts


# Reductions.


@operator(
    "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", attributes="axes keepdims noop_with_empty_axes"
)
def _reduce(s: Step) -> list[Term]:
    term, name = s.term(), s.node.op.removeprefix("Reduce").lower()
    axes = s.integers(1, "axes")
    if not axes:
        if s.attribute("noop_with_empty_axes", 0):
            return [term]
        axes = list(range(len(term.view) + term.batched))
    positions = sorted({s.axis(term, axis) for axis in axes})
    if name in ("sum", "mean") and term.dtype not in ("float32", "float64"):
        raise Refusal(f"a {name} of {term.dtype}")
    keep = bool(s.attribute("keepdims", 1))
    view = tuple(1 if i in positions else v for i, v in enumerate(term.view) if keep or i not in positions)
    own = [at for axis in positions if (at := axis - len(term.exact().view) + len(term.shape)) >= 0]
    text, shape = term.text, term.shape
    if own == list(range(len(shape))):
        text, shape = written(f"{name}(x)", {"x": text}) if own else text, ()
    else:
        for axis in reversed(own):
            option = f"axis={axis - len(shape) if axis == len(shape) - 1 else axis}"
            text = written(f"{name}(x, {option})", {"x": text})
            shape = shape[:axis] + shape[axis + 1 :]
    return [Term(text, shape, view, term.dtype, term.batched)]


@operator("Softmax", attributes="axis")
def _softmax(s: Step) -> list[Term]:
    term = s.term()
    axis = s.own_axis(term, s.attribute("axis", -1 if s.opset >= 13 else 1))
    if s.opset < 13 and axis != len(term.shape) - 1:
        raise Refusal("axes that are joined are not supported in a loop", "axis")
    option = "" if axis == len(term.shape) - 1 else f", axis={axis}"
    text = written(f"softmax(x{option})", {"x": term.text})
    return [Term(text, term.shape, term.view, term.dtype, term.batched)]
