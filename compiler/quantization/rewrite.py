"""Rewrites a graph: products with weights as products of bytes, and what comes before and after them.

The data of a product become bytes where they are made: quantization moves through views, padding, and maxima over
overlapping windows, which leave the order of numbers as it is, towards their kernel, and memory holds bytes. Sums
become floats again in the kernel of the product, scaled and shifted by one number per channel each (``following``),
where activation and the quantization for the next product follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Dim, DimLike, Shape, dim_symbols, product

from ..graph.graph import Graph
from ..graph.node import Attributes, InputAttributes, Node, Value
from ..graph.rules import ShapeError
from ..graph.types import TensorType
from ..ops.base import BroadcastAttributes, primitive
from ..ops.products.dot import DotAttributes
from ..ops.protocols import Contraction, View
from ..ops.scans.scan_attributes import ScanAttributes
from ..ops.values.cast import CastAttributes
from ..ops.values.constant import ConstantAttributes
from ..ops.values.quantize import QuantizeAttributes
from ..ops.views.layout import ReshapeAttributes, TransposeAttributes
from ..ops.views.slice_pad import PadAttributes
from ..ops.windows.geometry import ConvAttributes
from ..ops.windows.quantized_conv import QuantizedConvAttributes
from ..passes.base import PassContext
from ..passes.dead_code import RemoveDeadCode
from .bodies import body_of, with_consts
from .following import Numbers
from .scales import Quantized, in_steps, quantized_weights
from .sites import Key, Site


@dataclass(frozen=True, slots=True)
class Bytes:
    """The weights of a product, in inputs that begin with ``name``: ``array``, int8 in the order that the product
    reads; and for each output channel the ``scale`` of a sum, and the ``shift`` that is added to it before: a bias in
    steps of the scale, and what is needed since the data's zero is another byte than 0. ``bias``: one that is no such
    number of steps."""

    name: str
    array: NDArray[np.int8]
    scale: NDArray[np.float32]
    shift: NDArray[np.int32]
    bias: NDArray[np.float32] | None = None

    @property
    def inputs(self) -> dict[str, NDArray]:
        """The inputs by name."""
        named = {f"{self.name}.int8": self.array, f"{self.name}.scale": self.scale}
        if self.shift.any():
            named[f"{self.name}.shift"] = self.shift
        return named if self.bias is None else {**named, f"{self.name}.bias": self.bias}


def quantize(
    graph: Graph,
    sites: Sequence[Site],
    weights: Mapping[Key, NDArray],
    data: Mapping[Key, Quantized],
    numbers: Mapping[Key, Sequence[Numbers]],
    times: frozenset[str] = frozenset(),
) -> tuple[Graph, dict[Key, Bytes]]:
    """The graph with bytes in the products that ``data`` describes, and their weights, which it reads as inputs of
    role parameter. ``numbers`` are those of the steps after them, ``times`` the dims that count steps. Parameters that
    nothing reads any more are no inputs of it."""
    made: dict[Key, Bytes] = {}
    chosen = [site for site in sites if site.key in data]
    return without_idle(_rewritten(graph, chosen, _Given(weights, data, numbers, times), made, 0)), made


@dataclass(frozen=True, slots=True)
class _Given:
    weights: Mapping[Key, NDArray]
    data: Mapping[Key, Quantized]
    numbers: Mapping[Key, Sequence[Numbers]]
    times: frozenset[str]


def _rewritten(
    graph: Graph, sites: Sequence[Site], given: _Given, made: dict[Key, Bytes], depth: int
) -> Graph:
    """The graph, which is in ``depth`` loops, with bytes in the products of ``sites``."""
    at = {site.node.id: site for site in sites if len(site.loops) == depth}
    after = {step.node.id: site for site in at.values() for step in site.steps}
    within: dict[int, list[Site]] = {}
    for site in sites:
        if len(site.loops) > depth:
            within.setdefault(site.loops[depth].id, []).append(site)
    rewriter = _Rewriter(given, made)
    results: dict[int, Value] = {}

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if node.id in after:  # part of the product: nothing reads what is between
            return [results[after[node.id].node.id]]
        if node.id in within:
            return _loop(
                new, node, operands, _rewritten(body_of(node), within[node.id], given, made, depth + 1)
            )
        if node.id not in at:
            return None
        results[node.id] = rewriter.product(new, at[node.id], operands)
        return [results[node.id]]

    # In bodies, too: what reads the weights in floats there would keep them.
    return RemoveDeadCode().run(graph.rewrite(rule), PassContext("quantize"))


def _loop(g: Graph, node: Node, operands: Sequence[Value], body: Graph) -> Sequence[Value]:
    """The scan ``node`` with a body that reads parameters: they come from outside, the same in every step."""
    assert isinstance(node.attrs, ScanAttributes)
    names = [name for name in body.inputs if body.input_role(name) == "parameter"]
    read = [g.input(name, body.type(body.inputs[name]), "parameter") for name in names]
    k = node.attrs.n_consts
    return g.add(node.op, [*operands[:k], *read, *operands[k:]], with_consts(node.attrs, body, names)).values


class _Rewriter:
    """Makes products of bytes in one graph."""

    def __init__(self, given: _Given, made: dict[Key, Bytes]):
        self.weights, self.data, self.numbers = given.weights, given.data, given.numbers
        self.times, self.made = given.times, made
        self.known: dict[tuple[Value, Quantized], Value] = {}

    def product(self, g: Graph, site: Site, operands: tuple[Value, ...]) -> Value:
        how = self.data[site.key]
        x = self.quantized(g, operands[1 - site.position], how)
        if isinstance(site.node.attrs, ConvAttributes):
            return self._conv(g, site, site.node.attrs, x, how)
        assert isinstance(site.node.attrs, DotAttributes)
        return self._dot(g, site, site.node.attrs, x, how)

    def _conv(self, g: Graph, site: Site, attrs: ConvAttributes, x: Value, how: Quantized) -> Value:
        weights = self.weights[site.key]
        (result,) = site.node.types
        if attrs.groups > 1:
            array, scales = quantized_weights(weights)
            return self._ended(g, site, "quantized_groups", x, array, attrs, array, scales, how)
        channels, width = weights.shape[-2], weights.shape[-3]
        outer = QuantizedConvAttributes(attrs.stride[:-1], attrs.dilation[:-1], attrs.stride[-1] * channels)
        size = g.type(x).shape[-2]
        # Steps and their channels, if there are several, would be one axis in such a row, which a stream could not go
        # along. Of one channel, groups of four would be three quarters padding.
        steps = isinstance(size, Dim) and bool(dim_symbols(size) & self.times)
        if attrs.dilation[-1] == 1 and width > 1 and not (steps and channels > 1):
            # The cells of a row of the kernel lie one after the other, and so do their channels.
            row = weights.reshape(*weights.shape[:-3], width * channels, weights.shape[-1])
            # Cells for which weights are 0 fill up the last group of four: after the others, but for steps before them,
            # since a stream does not have those that come later.
            more = -(row.shape[-2] // -4) * 4 - row.shape[-2]
            if steps:
                row = np.pad(row, [(0, 0)] * (row.ndim - 2) + [(more, 0), (0, 0)])
            cells = _filled(g, x, -(more // -channels), how.zero, axis=-2, before=steps)
            shape = g.type(cells).shape
            flat = g.apply("reshape", cells, attrs=ReshapeAttributes((*shape[:-2], shape[-2] * channels)))
            try:
                return self._sums(g, site, flat, row, how, outer, result.shape)
            except ShapeError:  # sizes are open, and it cannot be proved that there are as many cells
                pass
        x = _filled(g, x, -channels % 4, how.zero)
        whole = QuantizedConvAttributes(attrs.stride, attrs.dilation)
        return self._sums(g, site, x, weights, how, whole, result.shape)

    def _dot(self, g: Graph, site: Site, attrs: DotAttributes, x: Value, how: Quantized) -> Value:
        weights, type = self.weights[site.key], g.type(x)
        contracts = [attrs.lhs_contract, attrs.rhs_contract]
        own, summed = contracts[site.position], contracts[1 - site.position]
        free_w, free_x = attrs.free(weights.ndim, own), attrs.free(type.rank, summed)
        x = _transposed(g, x, (*free_x, *summed))
        rows: tuple[DimLike, ...] = tuple(type.shape[axis] for axis in free_x)
        columns = tuple(weights.shape[axis] for axis in free_w)
        matrix = weights.transpose(*own, *free_w).reshape(-1, int(np.prod(columns)))
        x = g.apply("reshape", x, attrs=ReshapeAttributes((product(rows), matrix.shape[0])))
        x = _filled(g, x, -matrix.shape[0] % 4, how.zero)
        shape = (product(rows), matrix.shape[1])
        y = self._sums(g, site, x, matrix, how, QuantizedConvAttributes(), shape)
        y = g.apply("reshape", y, attrs=ReshapeAttributes((*rows, *columns)))
        if site.position == 0:  # the free axes of the weights come first
            k = len(rows)
            y = _transposed(g, y, (*range(k, k + len(columns)), *range(k)))
        return y

    def _sums(
        self,
        g: Graph,
        site: Site,
        x: Value,
        weights: NDArray,
        how: Quantized,
        attrs: QuantizedConvAttributes,
        shape: Shape,
    ) -> Value:
        """The product of bytes ``x`` and weights [*K, C, F] in floats, with the steps after it.

        Raises ShapeError, before anything is added to the graph, if its shape would not be ``shape``.
        """
        rounded, scales = quantized_weights(weights)
        *taps, depth, columns = rounded.shape
        array = np.pad(rounded, [(0, 0)] * len(taps) + [(0, -depth % 4), (0, 0)])
        array = array.reshape(*taps, -1, 4, columns).swapaxes(-1, -2).reshape(*taps, -1, 4 * columns)
        type = TensorType("int8", array.shape)
        (result,) = primitive("quantized_conv").infer(attrs, [g.type(x), type])
        if result.shape != shape:
            raise ShapeError(f"quantized_conv gives {result}, not {shape}")
        return self._ended(g, site, "quantized_conv", x, array, attrs, rounded, scales, how)

    def _ended(
        self,
        g: Graph,
        site: Site,
        op: str,
        x: Value,
        array: NDArray,
        attrs: Attributes,
        rounded: NDArray[np.int8],
        scales: NDArray[np.float32],
        how: Quantized,
    ) -> Value:
        """The product ``op`` of bytes ``x`` and the weights ``array`` in floats, with the steps after it. ``rounded``
        are the weights with the channels on the last axis, ``scales`` those of each channel."""
        steps = dict(self.numbers.get(site.key, ()))
        windows = next((step.node.attrs for step in site.steps if step.kind == "maximum"), None)
        scale = scales.astype(np.float64) * how.scale
        if (factor := steps.get("scale")) is not None:
            scale = scale * factor
        # The data's zero is another byte than 0.
        shift = -how.zero * rounded.sum(tuple(range(rounded.ndim - 1)), dtype=np.int64)
        bias = steps.get("shift")
        if bias is not None and (counted := in_steps(bias, scale, rounded)) is not None:
            shift, bias = shift + counted, None
        made = Bytes(
            f"{site.key.layer or 'network'}.{site.key.op}{site.key.number or ''}",
            np.ascontiguousarray(array),
            scale.astype(np.float32),
            shift.astype(np.int32),
            bias,
        )
        self.made[site.key] = made
        inputs = {
            name: g.input(name, TensorType(given.dtype.name, given.shape), "parameter")
            for name, given in made.inputs.items()
        }

        def with_numbers(op: str, y: Value, what: str) -> Value:
            name = f"{made.name}.{what}"
            return g.apply(op, y, _columns(g, inputs[name], y)) if name in inputs else y

        y = g.apply(op, x, inputs[f"{made.name}.int8"], attrs=attrs)
        early = bool((scale > 0).all())  # larger sums stand for larger numbers
        if windows is not None and early:
            y = g.apply("reduce_window", y, attrs=windows)
        y = with_numbers("add", y, "shift")
        y = g.apply("cast", y, attrs=CastAttributes("float32"))
        y = with_numbers("mul", y, "scale")
        if windows is not None and not early:
            y = g.apply("reduce_window", y, attrs=windows)
        return with_numbers("add", y, "bias")

    def quantized(self, g: Graph, x: Value, how: Quantized) -> Value:
        """``x`` as bytes, made as early as possible."""
        if (x, how) not in self.known:
            self.known[x, how] = self._quantized(g, x, how)
        return self.known[x, how]

    def _quantized(self, g: Graph, x: Value, how: Quantized) -> Value:
        node = g.producer(x)
        while (wide := _unclipped(g, node, how)) is not None:
            x, node = wide, g.producer(wide)
        op = None if isinstance(node.attrs, InputAttributes) else primitive(node.op)
        operands = g.operands(node)
        if isinstance(node.attrs, PadAttributes):
            fill = how.number(float(node.attrs.fill))
            inner = self.quantized(g, operands[0], how)
            return g.apply(node.op, inner, attrs=replace(node.attrs, fill=fill))
        if isinstance(op, View) and len(operands) == 1 and op.fill(node.attrs) is None:
            return g.apply(node.op, self.quantized(g, operands[0], how), attrs=node.attrs)
        # Windows that do not overlap are part of their operand's kernel.
        if (
            isinstance(op, Contraction)
            and op.is_window
            and op.combine(node.attrs) == "max"
            and op.overlaps(node.attrs)
        ):
            return g.apply(node.op, self.quantized(g, operands[0], how), attrs=node.attrs)
        return g.apply("quantize", x, attrs=QuantizeAttributes(float(how.factor), how.zero, how.dtype))


def _unclipped(g: Graph, node: Node, how: Quantized) -> Value | None:
    """What ``node`` clips, if bytes clip it as well, as they do after a ReLU."""
    if node.op not in ("max", "min"):
        return None
    bounds = QuantizeAttributes(float(how.factor), how.zero, how.dtype).bounds
    for x, other in permutations(g.operands(node)):
        attrs = g.producer(other).attrs
        number = attrs.scalar if isinstance(attrs, ConstantAttributes) else None
        if number is None:
            continue
        level = np.float32(number) * how.factor
        if level <= bounds[0] if node.op == "max" else level >= bounds[1]:
            return x
    return None


def _columns(g: Graph, numbers: Value, like: Value) -> Value:
    """Numbers along the last axis, in the shape of ``like``."""
    shape = g.type(like).shape
    return g.apply("broadcast", numbers, attrs=BroadcastAttributes(shape, (len(shape) - 1,)))


def _filled(g: Graph, x: Value, more: int, zero: int, axis: int = -1, *, before: bool = False) -> Value:
    """``x`` with so many elements more at the end of an axis, or at its beginning."""
    if not more:
        return x
    node, rank = g.producer(x), g.type(x).rank
    none: list[DimLike] = [0] * rank
    ends = (list(none), list(none))
    ends[not before][axis] = more
    attrs = PadAttributes(tuple(ends[0]), tuple(ends[1]), (0,) * rank, zero)
    if isinstance(node.attrs, PadAttributes) and node.attrs.fill == zero:  # one padding instead of two
        (x,) = g.operands(node)
        attrs = replace(
            node.attrs, low=_added(node.attrs.low, attrs.low), high=_added(node.attrs.high, attrs.high)
        )
    return g.apply("pad", x, attrs=attrs)


def _added(a: Shape, b: Shape) -> Shape:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _transposed(g: Graph, x: Value, axes: Sequence[int]) -> Value:
    axes = tuple(axes)
    return x if axes == tuple(range(len(axes))) else g.apply("transpose", x, attrs=TransposeAttributes(axes))


def without_idle(graph: Graph) -> Graph:
    """The graph without parameters and statistics that nothing reads."""
    outputs = set(graph.outputs.values())
    new = Graph(graph.name)
    moved: dict[Value, Value] = {}
    for node in graph:
        if isinstance(node.attrs, InputAttributes):
            (value,) = node.values
            owned = node.attrs.role in ("parameter", "statistic")
            if owned and value not in outputs and not graph.uses(value):
                continue
            moved[value] = new.input(node.attrs.name, node.types[0], node.attrs.role)
            continue
        values = new.add(
            node.op, [moved[v] for v in graph.operands(node)], node.attrs, layer=node.layer
        ).values
        moved.update(zip(node.values, values, strict=True))
    for name, value in graph.outputs.items():
        new.set_output(name, moved[value])
    return new
