"""Which sizes of an operator's operands must be equal, by the rules of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from netwright.specs.dims import DimLike, Shape

from .formulas import BINARY

BROADCASTING = frozenset(
    (*BINARY, "Add", "Mul", "Sum", "Max", "Min", "Mean", "Where", "Mod", "BitShift", "PRelu")
)
Pairs: TypeAlias = Iterator[tuple[DimLike, DimLike]]
#: The shapes of the operands, None for one that is left out or whose shape is not known.
Shapes: TypeAlias = Sequence[Shape | None]


def alike(op: str, shapes: Shapes, attributes: Mapping[str, Any]) -> Pairs:
    """Pairs of sizes that must be equal. Operands of a wrong rank have none: their error is another one."""
    rule = _RULES.get(op)
    if op in BROADCASTING:
        yield from _broadcast([shape for shape in shapes if shape is not None])
    elif rule is not None:
        # All operands that a rule asks for are there.
        yield from rule([*shapes, *(None,) * (_MOST_OPERANDS - len(shapes))], attributes)


def _broadcast(shapes: Sequence[Shape]) -> Pairs:
    rank = max(map(len, shapes), default=0)
    for axis in range(1, rank + 1):
        sizes = [shape[-axis] for shape in shapes if len(shape) >= axis and shape[-axis] != 1]
        yield from ((sizes[0], size) for size in sizes[1:])


def _equal(a: Shape | None, b: Shape | None) -> Pairs:
    """All axes of two shapes, from the first on."""
    if a is not None and b is not None:
        yield from zip(a, b, strict=False)


def _matrices(a: Shape | None, b: Shape | None) -> Pairs:
    if a and b:
        yield a[-1], b[-min(len(b), 2)]
        yield from _broadcast([a[:-2], b[:-2]])


def _gemm(shapes: Shapes, attributes: Mapping[str, Any]) -> Pairs:
    a, b = shapes[:2]
    if a is not None and b is not None and len(a) == len(b) == 2:
        yield a[0 if attributes.get("transA") else 1], b[1 if attributes.get("transB") else 0]


def _concat(shapes: Shapes, attributes: Mapping[str, Any]) -> Pairs:
    known = [shape for shape in shapes if shape is not None]
    if not known or len({len(shape) for shape in known}) > 1:
        return
    axis = int(attributes.get("axis", 1)) % max(len(known[0]), 1)
    full = [shape for shape in known if 0 not in shape]
    for shape in full[1:]:
        yield from ((a, b) for i, (a, b) in enumerate(zip(full[0], shape, strict=True)) if i != axis)


def _einsum(shapes: Shapes, attributes: Mapping[str, Any]) -> Pairs:
    """Axes of the same letter; those under an ellipsis are broadcast."""
    equation = attributes.get("equation", b"")
    text = (equation.decode(errors="replace") if isinstance(equation, bytes) else str(equation)).replace(
        " ", ""
    )
    sizes: dict[str, DimLike] = {}
    under: list[Shape] = []
    for term, shape in zip(text.partition("->")[0].split(","), shapes, strict=False):
        before, dots, after = term.partition("...")
        if shape is None or len(shape) < len(before + after) or (not dots and len(shape) > len(before)):
            continue
        end = len(shape) - len(after)
        under.append(shape[len(before) : end])
        for letter, size in (*zip(before, shape, strict=False), *zip(after, shape[end:], strict=True)):
            yield sizes.setdefault(letter, size), size
    yield from _broadcast(under)


def _recurrent(shapes: Shapes, attributes: Mapping[str, Any]) -> Pairs:
    first = int(attributes.get("layout", 0)) == 1
    if shapes[0] is None or len(shapes[0]) != 3:
        return
    batch = shapes[0][0 if first else 1]
    for position, axis in ((4, 0), (5, 0 if first else 1), (6, 0 if first else 1)):
        shape = shapes[position]
        if shape is not None and len(shape) > axis and shape[axis] != 1:
            yield batch, shape[axis]


def _gather_nd(shapes: Shapes, attributes: Mapping[str, Any]) -> Pairs:
    data, indices = shapes[:2]
    if data is not None and indices is not None:
        count = max(0, int(attributes.get("batch_dims", 0)))
        yield from _equal(data[:count], indices[:count])


def _scatter_nd(shapes: Shapes, attributes: Mapping[str, Any]) -> Pairs:
    data, indices, updates = shapes[:3]
    if data is not None and indices and updates is not None and isinstance(indices[-1], int):
        yield from _equal((*indices[:-1], *data[indices[-1] :]), updates)


def _reverse_sequence(shapes: Shapes, attributes: Mapping[str, Any]) -> Pairs:
    data, lengths = shapes[:2]
    axis = int(attributes.get("batch_axis", 1))
    if data is not None and lengths and -len(data) <= axis < len(data):
        yield data[axis], lengths[0]


def _channels(shapes: Shapes, attributes: Mapping[str, Any]) -> Pairs:
    """The channels of the first operand, and each of the others."""
    data, *others = shapes
    if data is not None and len(data) > 1:
        yield from ((data[1], other[0]) for other in others if other and len(other) == 1)


def _classes(shapes: Shapes, attributes: Mapping[str, Any]) -> Pairs:
    scores, targets = shapes[:2]
    if scores is not None:
        yield from _equal((*scores[:1], *scores[2:]), targets)


_MOST_OPERANDS = 8
_RULES: Mapping[str, Callable[[Shapes, Mapping[str, Any]], Pairs]] = {
    "BatchNormalization": _channels,
    "Concat": _concat,
    "Einsum": _einsum,
    "GRU": _recurrent,
    "GatherND": _gather_nd,
    "Gemm": _gemm,
    "GridSample": lambda shapes, _: _equal(*(shape and shape[:1] for shape in shapes[:2])),
    "InstanceNormalization": _channels,
    "LSTM": _recurrent,
    "LayerNormalization": lambda shapes, _: _broadcast([shape for shape in shapes[:3] if shape]),
    "MatMul": lambda shapes, _: _matrices(*shapes[:2]),
    "MatMulInteger": lambda shapes, _: _matrices(*shapes[:2]),
    "MaxUnpool": lambda shapes, _: _equal(*shapes[:2]),
    "NegativeLogLikelihoodLoss": _classes,
    "QLinearMatMul": lambda shapes, _: _matrices(shapes[0], shapes[3]),
    "RMSNormalization": lambda shapes, _: _broadcast([shape for shape in shapes[:2] if shape]),
    "RNN": _recurrent,
    "ReverseSequence": _reverse_sequence,
    "Scatter": lambda shapes, _: _equal(*shapes[1:3]),
    "ScatterElements": lambda shapes, _: _equal(*shapes[1:3]),
    "ScatterND": _scatter_nd,
    "SoftmaxCrossEntropyLoss": _classes,
}
