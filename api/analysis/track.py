"""Tracks a shift through a graph: how every value moves when one axis of one input is shifted.

This module knows no layers, and hardly any operations. Each primitive already says which operand elements an element of
its result is made from, as indices that are affine in the result's index, because kernels are generated from that.

A value *moves* along an axis if a shift of the input appears in it as a shift along that axis. An operation passes
movement on if the operand's index along the moving axis is s·i + (offsets), where i is an axis of the result and s its
stride, and everything else it reads along i moves alike or is uniform. Summed (or maximized) over completely, movement
becomes invariance. In all other cases the shift is *broken*, with a reason.

All of this holds for the interior. Effects of borders (padding, cells cut off) are left out, as is usual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

import numpy as np

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Node, Value
from netwright.compiler.ops.base import EvaluationError, primitive
from netwright.compiler.ops.protocols import Contraction, Elementwise, NotAffine, View
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.compiler.ops.values.constant import ConstantAttributes
from netwright.compiler.ops.values.reduce import ArgmaxAttributes
from netwright.compiler.ops.views.interleave import InterleaveAttributes
from netwright.compiler.ops.views.layout import ReshapeAttributes, ReverseAttributes
from netwright.compiler.ops.views.slice_pad import PadAttributes
from netwright.specs.dims import Dim, DimLike, Monomial, Shape, dim, dim_symbols, evaluate

from .motion import Break, Broken, Motion, Move, Part, plain
from .motion_rule import RESULT, SUMMED, Access, combine
from .moved_cells import interleaved, resampled, spread

#: The length that an open axis is taken to have, and how many elements a table of numbers may have.
_STEPS, _LARGEST = 4096, 1 << 16
#: How many terms a quotient of sizes may have.
_TERMS = 8


def track(graph: Graph, name: str, axis: int) -> dict[Value, Motion]:
    """How every value of a graph moves when the input called ``name`` is shifted along ``axis``."""
    names = {
        name
        for value in graph.inputs.values()
        for size in graph.type(value).shape
        for name in dim_symbols(size)
    }
    given = []
    for other, value in graph.inputs.items():
        motion = plain(graph.type(value).shape)
        if other == name:
            one = Fraction(1)
            motion = replace(
                motion,
                moves={(axis, 0): Move(one, Fraction(0), Fraction(0))},
                uniform=frozenset(),
                depends=True,
            )
        given.append(motion)
    return _walk(graph, given, _Evaluation(dict.fromkeys(names, _STEPS)))


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """The sizes that primitives are evaluated with."""

    dims: Mapping[str, int]

    def evaluate(self, body: Graph, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        raise EvaluationError("a loop is no table of numbers")


def _walk(graph: Graph, given: Sequence[Motion], evaluation: _Evaluation) -> dict[Value, Motion]:
    known = dict(zip(graph.inputs.values(), given, strict=True))
    for node in graph:
        if node.op == "input":
            continue
        operands = [known[value] for value in graph.operands(node)]
        broken = next((motion.broken for motion in operands if motion.broken), None)
        if broken is None:
            try:
                results = _table(node, operands, evaluation) or _node(graph, node, operands, evaluation)
            except Broken as reason:
                broken = Break(node.layer, str(reason))
        if broken is not None:
            results = [
                replace(plain(type.shape), depends=True, whole=True, broken=broken) for type in node.types
            ]
        known.update(zip(node.values, results, strict=True))
    return known


def _node(graph: Graph, node: Node, operands: list[Motion], evaluation: _Evaluation) -> list[Motion]:
    types = [graph.type(value) for value in graph.operands(node)]
    if isinstance(node.attrs, ScanAttributes):
        return _scan(node.attrs, operands, evaluation)
    if isinstance(node.attrs, ReshapeAttributes):
        return [_reshape(operands[0], node.attrs.shape)]
    shape = node.types[0].shape
    index = [dim(f"{RESULT}{axis}") for axis in range(len(shape))]
    op = primitive(node.op)
    accesses: list[Access] = []
    summed: list[DimLike] = []
    if isinstance(op, Elementwise) or node.op == "within":
        accesses = [Access(m, t.shape, index) for m, t in zip(operands, types, strict=True)]
    elif isinstance(node.attrs, PadAttributes) and any(node.attrs.interior):
        return [spread(operands[0], node.attrs, shape)]
    elif isinstance(node.attrs, InterleaveAttributes):
        return [interleaved(operands, node.attrs, shape)]
    elif node.op == "resample":
        return [resampled(operands, shape)]
    elif isinstance(node.attrs, ReverseAttributes):
        if any(operands[0].moving(axis) for axis in node.attrs.axes):
            raise Broken("it runs backwards")
        accesses = [Access(operands[0], types[0].shape, index)]
    elif isinstance(op, View):
        try:
            sources = op.read(node.attrs, types, index)
        except NotAffine:
            raise Broken("it puts elements elsewhere") from None
        several = sum(source.operand is not None for source in sources) > 1
        accesses = [
            Access(operands[s.operand], types[s.operand].shape, s.index, s.conditions, several)
            for s in sources
            if s.operand is not None
        ]
    elif isinstance(op, Contraction):
        summed = list(op.reduction_shape(node.attrs, types))
        over = [dim(f"{SUMMED}{position}") for position in range(len(summed))]
        factors = op.factors(node.attrs, types, index, over)
        accesses = [Access(operands[i], types[i].shape, places) for i, places in factors]
    elif node.op == "gather":
        table, indices = operands
        if table.moves:
            raise Broken("it picks cells by their position")
        count = types[1].rank
        accesses = [
            Access(table, types[0].shape, [0, *index[count:]]),
            Access(indices, types[1].shape, index[:count]),
        ]
    elif isinstance(node.attrs, ArgmaxAttributes):
        axis = node.attrs.axis
        if operands[0].moving(axis):
            raise Broken("the index of a maximum is a position")
        summed = [types[0].shape[axis]]
        places = [*index[:axis], dim(f"{SUMMED}0"), *index[axis:]]
        accesses = [Access(operands[0], types[0].shape, places)]
    elif isinstance(node.attrs, ConstantAttributes) and node.attrs.scalar is not None:
        return [replace(plain(shape), uniform=frozenset((axis, 0) for axis in range(len(shape))))]
    elif not any(motion.depends for motion in operands):
        return [plain(type.shape) for type in node.types]
    else:
        raise Broken(f"nothing is known of {node.op}")
    return [combine(accesses, shape, summed, evaluation.dims)] + [
        plain(type.shape) for type in node.types[1:]
    ]


def _table(node: Node, operands: Sequence[Motion], evaluation: _Evaluation) -> list[Motion] | None:
    """Evaluates a value that follows from positions and constants alone, such as the number of cells that a mean at the
    border counts, which is the same everywhere else.
    """
    if any(motion.array is None for motion in operands) or isinstance(node.attrs, ScanAttributes):
        return None
    sizes = [evaluate(type.size, evaluation.dims) for type in node.types]
    if max(sizes) > _LARGEST:
        return None
    try:
        with np.errstate(all="ignore"):
            arrays = primitive(node.op).evaluate(
                evaluation, node.attrs, [np.asarray(motion.array) for motion in operands]
            )
    except (EvaluationError, ValueError):
        return None
    return [
        replace(plain(type.shape), uniform=plain(type.shape).uniform | _equal(array), array=np.asarray(array))
        for type, array in zip(node.types, arrays, strict=True)
    ]


def _equal(array: np.ndarray) -> frozenset[Part]:
    """The axes along which all cells are equal, leaving out a quarter of them at either border."""
    uniform = set()
    for axis, size in enumerate(array.shape):
        middle = np.take(array, range(size // 4, size - size // 4), axis)
        if np.array_equal(middle, np.broadcast_to(np.take(middle, [0], axis), middle.shape)):
            uniform.add((axis, 0))
    return frozenset(uniform)


# Operations whose indices are not affine.


def _reshape(motion: Motion, shape: Shape) -> Motion:
    """Regroups the parts of all axes, in order. A part may be split; its movement then belongs to the outer piece."""
    sizes = [size for parts in motion.parts for size in parts]
    marks = [
        (motion.moves.get((axis, part)), (axis, part) in motion.uniform)
        for axis, parts in enumerate(motion.parts)
        for part in range(len(parts))
    ]
    pending = [(size, *mark) for size, mark in zip(sizes, marks, strict=True) if size != 1][::-1]
    grouped: list[Shape] = []
    moves: dict[Part, Move] = {}
    uniform: set[Part] = set()
    period = motion.period
    for axis, wanted in enumerate(shape):
        parts: list[DimLike] = []
        so_far: DimLike = 1
        while so_far != wanted:
            if not pending:
                raise Broken("it lays cells out anew")
            size, move, same = pending.pop()
            rest = _quotient(wanted, so_far)
            inner = None if rest is None else _quotient(size, rest)
            if _quotient(wanted, so_far * size) is None and rest is not None and inner is not None:
                # The inner piece belongs to the next axis.
                pending.append((inner, None, same))
                size = rest
                if move is not None and not isinstance(inner, int):
                    raise Broken("it lays cells out anew")
                if move is not None and isinstance(inner, int):
                    move = Move(move.ratio * inner, move.low, move.high + move.ratio * (inner - 1))
                    period = lcm(period, move.ratio.numerator)
            elif _quotient(wanted, so_far * size) is None:
                raise Broken("it lays cells out anew")
            part = (axis, len(parts))
            if move is not None:
                moves[part] = move
            if same:
                uniform.add(part)
            parts.append(size)
            so_far = so_far * size
        if not parts:
            parts = [1]
            uniform.add((axis, 0))
        grouped.append(tuple(parts))
    if pending:
        raise Broken("it lays cells out anew")
    return replace(motion, parts=tuple(grouped), moves=moves, uniform=frozenset(uniform), period=period)


def _quotient(size: DimLike, divisor: DimLike) -> DimLike | None:
    """``size`` / ``divisor`` if the polynomials divide without remainder, otherwise None."""
    quotient: DimLike = 0
    for _ in range(_TERMS):
        if size == 0:
            return quotient
        step = _term_quotient(_leading(size), _leading(divisor))
        if step is None:
            return None
        quotient, size = quotient + step, size - step * divisor
    return None


def _leading(size: DimLike) -> tuple[Monomial, int]:
    """The term with the most factors."""
    if isinstance(size, int):
        return (), size
    return max(size.terms, key=lambda term: (len(term[0]), str(term[0])))


def _term_quotient(term: tuple[Monomial, int], divisor: tuple[Monomial, int]) -> DimLike | None:
    left = list(term[0])
    for atom in divisor[0]:
        if atom not in left:
            return None
        left.remove(atom)
    if term[1] % divisor[1]:
        return None
    number = term[1] // divisor[1]
    return Dim(((tuple(left), number),)) if left else number


def _scan(attrs: ScanAttributes, operands: list[Motion], evaluation: _Evaluation) -> list[Motion]:
    """A recurrence. Movement along other axes than time passes through its body. Along time it ends, since the state
    starts at a fixed step.
    """
    first = attrs.n_consts + attrs.n_carries
    if any(motion.moving(0) for motion in operands[first:]):
        raise Broken("its state starts at the first step, and remembers all since")
    consts = [replace(motion, array=None) for motion in operands[: attrs.n_consts]]
    xs = [_shifted(motion, motion.parts[1:], -1) for motion in operands[first:]]
    carries = [replace(motion, array=None) for motion in operands[attrs.n_consts : first]]
    results: list[Motion] = []
    for _ in range(3):
        known = _walk(attrs.body, [*consts, *carries, *xs], evaluation)
        results = [known[value] for value in attrs.body.outputs.values()]
        for motion in results:
            if motion.broken:
                raise Broken(motion.broken.reason)
        if all(_same(a, b) for a, b in zip(carries, results, strict=False)):
            break
        carries = results[: attrs.n_carries]
    else:
        raise Broken("its state moves otherwise at every step")
    return [
        *results[: attrs.n_carries],
        *(_shifted(motion, ((attrs.length,), *motion.parts), 1) for motion in results[attrs.n_carries :]),
    ]


def _same(motion: Motion, other: Motion) -> bool:
    return (
        {part: move.ratio for part, move in motion.moves.items()}
        == {part: move.ratio for part, move in other.moves.items()}
        and motion.uniform == other.uniform
        and (motion.depends, motion.period) == (other.depends, other.period)
    )


def _shifted(motion: Motion, parts: tuple[Shape, ...], by: int) -> Motion:
    moves = {(axis + by, part): move for (axis, part), move in motion.moves.items()}
    uniform = frozenset((axis + by, part) for axis, part in motion.uniform if axis + by >= 0)
    return replace(motion, parts=parts, moves=moves, uniform=uniform, array=None)
