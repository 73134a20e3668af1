"""Layers that order cells along an axis: top k, cumulative sums, reversal, and sequences of integers."""

from __future__ import annotations

from netwright.specs.dims import DimLike, product
from netwright.specs.models.base import read_dim
from netwright.specs.models.layers.ordering import CumulativeSum, OneHot, Reverse, TopK

from ...graph.graph import Graph
from ...graph.types import FLOATS, TensorType
from ...ops.views.layout import show
from ..expansion import Expansion, Ports
from ..functions.scanning import operand, scan
from ..problem import show_type
from ..scope import Scope, Signal
from ..tensor import Tensor, full, iota, where
from .indexing import cells_along, combined, flat, inside
from .picking import from_end


def expand_top_k(scope: Scope) -> Ports:
    """The k largest or smallest cells. The rank of a cell is the number of cells that come before it; ranks below k
    are selected."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, TopK)
    axis = scope.axis(signal, spec.axis)
    if axis == 1:
        scope.refuse_lengths(signal, "it would compare padding", "axis")
    if signal.dtype == "bool":
        raise scope.problem("NW0311", "truth values have no order", labels=scope.blame(signal))
    size, k = signal.shape[axis], read_dim(spec.k)
    left = scope.least(size - k)
    if left is None or left < 0:
        message = f"{k} of an axis of {size}"
        raise scope.problem("NW0204", message, "k", labels=scope.blame(signal, axis))
    indices = largest(signal.tensor, axis, k, largest=spec.largest)
    values = flat(signal.tensor).gather(cells_along(signal.tensor, axis, indices))
    scope.derive(axis, f"{k} of {size}", signal.origins[axis])
    given, lengths = scope.give(values, signal.lengths), signal.lengths
    positions = Signal(indices, given.origins, lengths)
    return {"": given, "values": given, "indices": positions}


def largest(x: Tensor, axis: int, k: DimLike, *, largest: bool = True) -> Tensor:
    """The positions of the k largest cells of an axis, in order, int64. NaN is larger than all numbers."""
    graph, size = x.graph, x.shape[axis]
    x = x.move_axis(axis, x.rank - 1)
    pairs = (*x.shape, size)
    own = x.broadcast(pairs, range(x.rank))
    others = x.broadcast(pairs, [*range(x.rank - 1), x.rank])
    before, after = _greater(others, own), _greater(own, others)
    if not largest:
        before, after = after, before
    earlier = iota(graph, "int64", pairs, x.rank).compare("lt", iota(graph, "int64", pairs, x.rank - 1))
    before = before.either(earlier.both(after.negated()))  # what is before is not after
    rank = before.cast("int64").sum([x.rank])
    picked = (*x.shape[:-1], k, size)
    wanted = iota(graph, "int64", picked, x.rank - 1)
    here = rank.broadcast(picked, [*range(x.rank - 1), x.rank]).compare("eq", wanted)
    places = iota(graph, "int64", picked, x.rank)
    return where(here, places, 0).sum([x.rank]).move_axis(x.rank - 1, axis)


def _greater(a: Tensor, b: Tensor) -> Tensor:
    """a > b in an order of all values, in which NaN comes last."""
    if a.dtype not in FLOATS:
        return a.compare("gt", b)
    return a.compare("le", b).negated().both(b.compare("eq", b))


def expand_one_hot(scope: Scope) -> Signal:
    """A one-hot encoding: compares each class with the positions of the cells."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, OneHot)
    if signal.dtype not in ("int32", "int64", "uint8"):
        message = f"one_hot reads whole numbers, this is {show_type(signal.dtype, signal.shape)}"
        raise scope.problem("NW0311", message, labels=scope.blame(signal))
    rank, depth, dtype = signal.rank + 1, read_dim(spec.depth), spec.dtype or scope.dtype
    axis = spec.axis + rank if spec.axis < 0 else spec.axis
    if not 0 <= axis < rank:
        message = f"there is no axis {spec.axis} among {rank}"
        raise scope.problem("NW0318", message, "axis", labels=scope.blame(signal))
    if axis < 2:
        scope.refuse_lengths(signal, "its time axis moves", "axis")
    for key, number in (("on", spec.on), ("off", spec.off)):
        whole = dtype in FLOATS or (dtype != "bool" and float(number).is_integer()) or number in (0, 1)
        if not whole:
            raise scope.problem("NW0311", f"{number} is no {dtype}", key)
    index = from_end(signal.tensor.cast("int64"), depth)
    shape = (*signal.shape[:axis], depth, *signal.shape[axis:])
    wide = index.broadcast(shape, [i for i in range(rank) if i != axis])
    cells = wide.compare("eq", iota(scope.graph, "int64", shape, axis))
    type = TensorType(dtype, shape)
    result = where(cells, full(scope.graph, spec.on, type), full(scope.graph, spec.off, type))
    return scope.give(result, signal.lengths)


def expand_cumulative_sum(scope: Scope) -> Signal:
    """A cumulative sum, as a scan."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, CumulativeSum)
    axis = scope.axis(signal, spec.axis)
    if axis == 1 and spec.reverse:
        scope.refuse_lengths(signal, "it would begin with padding", "reverse")
    if signal.dtype == "bool":
        message = "cumulative_sum adds numbers, not truth values"
        raise scope.problem("NW0311", message, labels=scope.blame(signal))
    x = signal.tensor.move_axis(axis, 0)
    body = Graph("cumulative_sum")
    type = x.type.with_shape(x.shape[1:])
    total, cell = operand(body, "total", type), operand(body, "cell", type)
    new = total + cell
    body.set_output("total", new.value)
    body.set_output("sum", (total if spec.exclusive else new).value)
    start = full(scope.graph, 0, type)
    _, sums = scan(body, x.shape[0], [], [start], [x], reverse=spec.reverse)
    return scope.give(sums.move_axis(0, axis), signal.lengths)


def expand_reverse(scope: Scope) -> Signal:
    """Reverses an axis, within the samples' lengths if there are any."""
    spec, signal = scope.spec, scope.inputs[0]
    assert isinstance(spec, Reverse)
    axis = scope.axis(signal, spec.axis)
    lengths = signal.lengths if axis == 1 else None
    if len(scope.inputs) == 2:
        lengths = _given_lengths(scope, signal, scope.inputs[1])
    if lengths is None:
        return scope.give(signal.tensor.reverse(axis), signal.lengths)
    graph, x = scope.graph, signal.tensor
    shape = (x.shape[0], x.shape[axis])
    step = iota(graph, "int64", shape, 1)
    wide = lengths.broadcast(shape, [0])
    source = where(step.compare("lt", wide), wide - 1 - step, step)
    if axis == 1:  # whole steps are read at once
        steps = [iota(graph, "int64", shape, 0), inside(source, shape[1])]
        table = x.reshape((product(shape), *x.shape[2:]))
        return scope.give(table.gather(combined(steps, shape)), signal.lengths)
    own = (x.shape[0], *(1,) * (axis - 1), x.shape[axis], *(1,) * (x.rank - axis - 1))
    return scope.give(flat(x).gather(cells_along(x, axis, source.reshape(own).to(x.shape))), signal.lengths)


def _given_lengths(scope: Scope, signal: Signal, given: Signal) -> Tensor:
    if given.dtype not in ("int32", "int64") or given.shape != signal.shape[:1]:
        actual = show_type(given.dtype, given.shape)
        message = f"the lengths are whole numbers {show(signal.shape[:1])}, this is {actual}"
        raise scope.problem("NW0308", message, "inputs", 1, labels=scope.blame(given))
    if signal.lengths is not None:
        scope.refuse_lengths(signal, "there are others as its second input", "inputs", "1")
    return given.tensor.cast("int64")


EXPANSIONS = {
    TopK: Expansion(expand_top_k, honours_lengths=True),
    OneHot: Expansion(expand_one_hot, honours_lengths=True),
    CumulativeSum: Expansion(expand_cumulative_sum, honours_lengths=True),
    Reverse: Expansion(expand_reverse, honours_lengths=True),
}
