"""Which frames of an operand an element of a result reads, from the index maps of primitives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netwright.specs.dims import Dim, DimLike, coefficient, dim, dim_symbols

from ..graph.node import Node
from ..graph.types import TensorType
from ..ops.base import primitive
from ..ops.protocols import Contraction, Elementwise, NotAffine, View
from ..ops.values.reduce import ArgmaxAttributes

_RESULT, _SUMMED = "@", "+"
_BYTE = f"{_SUMMED}byte"


@dataclass(frozen=True, slots=True)
class Reach:
    """Frame j of a result, along ``axis``, reads the operand's frames stride · j + low to stride · j + high."""

    axis: int
    stride: int = 1
    low: int = 0
    high: int = 0


class NoReach(Exception):
    """Time is not passed on from an operand to the result; the text completes "it …"."""


def reach(node: Node, types: Sequence[TensorType], position: int, axis: int) -> Reach:
    """How ``node`` reads the frames along ``axis`` of the operand at ``position``. Raises NoReach."""
    # Along the other axes of the result that an index depends on, a window is laid out cell by cell.
    laid = {
        f"{_RESULT}{place}": size for place, size in enumerate(node.types[0].shape) if isinstance(size, int)
    }
    reaches = [_along(places[axis], laid | summed) for places, summed in _accesses(node, types, position)]
    if not reaches:
        raise NoReach("does not read it cell by cell")
    first, *others = reaches
    for other in others:
        if (other.axis, other.stride) != (first.axis, first.stride):
            raise NoReach("reads the steps in several ways")
        first = Reach(first.axis, first.stride, min(first.low, other.low), max(first.high, other.high))
    return first


def _accesses(
    node: Node, types: Sequence[TensorType], position: int
) -> list[tuple[Sequence[DimLike], dict[str, DimLike]]]:
    """The indices that an element of the result reads of an operand, and how many values each summed index takes."""
    op, attrs = primitive(node.op), node.attrs
    index: list[DimLike] = [dim(f"{_RESULT}{axis}") for axis in range(node.types[0].rank)]
    if isinstance(op, Elementwise) or node.op == "within":
        return [(index, {})]
    if isinstance(op, View):
        try:
            sources = op.read(attrs, types, index)
        except NotAffine:
            raise NoReach("lays cells out anew") from None
        return [(source.index, {}) for source in sources if source.operand == position]
    if isinstance(op, Contraction):
        shape = op.reduction_shape(attrs, types)
        over: list[DimLike] = [dim(f"{_SUMMED}{axis}") for axis in range(len(shape))]
        counts = {f"{_SUMMED}{axis}": size for axis, size in enumerate(shape)}
        read = [places for operand, places in op.factors(attrs, types, index, over) if operand == position]
        if op.multiplies_bytes:  # four that follow each other on the last axis, by each instruction
            counts[_BYTE] = 4
            read = [(*places[:-1], places[-1] + dim(_BYTE)) for places in read]
        return [(places, counts) for places in read]
    if node.op == "gather":
        count = types[1].rank
        if position == 0:
            raise NoReach("picks cells by their position")
        return [(index[:count], {})]
    if isinstance(attrs, ArgmaxAttributes):
        searched = dim(f"{_SUMMED}0")
        places = [*index[: attrs.axis], searched, *index[attrs.axis :]]
        return [(places, {searched.text: types[0].shape[attrs.axis]})]
    raise NoReach("needs all steps at once")


def _along(place: DimLike, counts: dict[str, DimLike]) -> Reach:
    """The frames that an index reaches."""
    names = dim_symbols(place) if isinstance(place, Dim) else frozenset[str]()
    axes = [name for name in names if name.startswith(_RESULT) and name not in counts]
    if len(axes) != 1:
        summed = any(name.startswith(_SUMMED) for name in names)
        raise NoReach("puts all steps together" if summed else "reads single steps")
    stride = coefficient(place, axes[0])
    rest = None if stride is None else place - stride * dim(axes[0])
    if stride is None or rest is None:
        raise NoReach("lays steps out anew")
    if stride < 1:
        raise NoReach("runs from the last step to the first")
    low = high = 0
    for name in dim_symbols(rest):
        factor, count = coefficient(rest, name), counts.get(name)
        if factor is None or not isinstance(count, int):
            raise NoReach("reads steps at places that depend on how many there are")
        low, high = low + min(0, factor * (count - 1)), high + max(0, factor * (count - 1))
        rest = rest - factor * dim(name)
    assert isinstance(rest, int)
    return Reach(int(axes[0].removeprefix(_RESULT)), stride, low + rest, high + rest)
