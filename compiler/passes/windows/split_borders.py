"""Computes convolutions apart where most of their taps read padding: at the borders, and in between.

A tap of a filter with a large dilation reads data for some of the results only. Along an axis of 14 cells, a filter of
three taps at a dilation of 12 reads data with all but one of them for the first two cells and the last two, and with
its middle tap alone for the others: 18 of 42 products are of data, and 324 of 1,764 in an image of 14×14. Cut into
bands in which each tap reads data for all cells or for none, a convolution is several, of fewer taps and without
padding, whose results are joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, product
from math import prod
from typing import ClassVar, NamedTuple

from netwright.specs.dims import DimLike

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.views.concat import ConcatAttributes
from ..base import Pass, PassContext
from .padded import PaddedConv, cut, padded_conv

#: Several kernels are worth it if they have at most this share of the products.
WORTH_SPLITTING = 0.5


class Band(NamedTuple):
    """Consecutive cells of an axis, and the taps that read data for all of them."""

    first: int
    stop: int
    first_tap: int
    stop_tap: int


@dataclass(frozen=True)
class SplitBorders(Pass):
    """Splits convolutions of padded data into those of their bands, if that leaves out most of the products."""

    name: ClassVar[str] = "split_borders"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            conv = padded_conv(new, node, operands)
            if conv is None:
                return None
            axes = _axes(new, node, conv)
            if axes is None or not _pays(axes, new.type(conv.w).shape[:-2]):
                return None
            return [_joined(new, node, conv, axes)]

        return graph.rewrite(context.limit(rule))


def _axes(graph: Graph, node: Node, conv: PaddedConv) -> list[list[Band]] | None:
    """The bands of each axis; None if sizes are open, or some results read no data at all."""
    cells = node.types[0].shape[1:-1]
    sizes, taps = graph.type(conv.content).shape[1:-1], graph.type(conv.w).shape[:-2]
    padding = conv.padding
    if any(padding.interior) or any(padding.low[axis] or padding.high[axis] for axis in (0, -1)):
        return None
    axes: list[list[Band]] = []
    for number, size, low, count, stride, dilation in zip(
        cells, sizes, padding.low[1:-1], taps, conv.attrs.stride, conv.attrs.dilation, strict=True
    ):
        if not all(isinstance(given, int) for given in (number, size, low, count)):
            return None
        bands = _bands(number, size, low, count, stride, dilation)  # pyright: ignore[reportArgumentType]
        if bands is None:
            return None
        axes.append(bands)
    return axes


def _bands(cells: int, size: int, low: int, taps: int, stride: int, dilation: int) -> list[Band] | None:
    def read(cell: int) -> tuple[int, int] | None:
        inside = [tap for tap in range(taps) if low <= cell * stride + tap * dilation < low + size]
        return (inside[0], inside[-1] + 1) if inside else None

    bands: list[Band] = []
    for reach, group in groupby(range(cells), read):
        if reach is None:
            return None
        own = list(group)
        bands.append(Band(own[0], own[-1] + 1, *reach))
    return bands


def _pays(axes: Sequence[Sequence[Band]], taps: Sequence[DimLike]) -> bool:
    left = prod(sum((b.stop - b.first) * (b.stop_tap - b.first_tap) for b in bands) for bands in axes)
    whole = prod(
        bands[-1].stop * count for bands, count in zip(axes, taps, strict=True) if isinstance(count, int)
    )
    return left <= WORTH_SPLITTING * whole


def _joined(new: Graph, node: Node, conv: PaddedConv, axes: Sequence[Sequence[Band]]) -> Value:
    """The convolutions of all bands, joined along the last axis of cells first."""
    batch, *_, channels = new.type(conv.content).shape
    weights = new.type(conv.w).shape[-2:]
    results: list[Value] = []
    for bands in product(*axes):
        first: list[DimLike] = []
        stop: list[DimLike] = []
        for band, low, stride, dilation in zip(
            bands, conv.padding.low[1:-1], conv.attrs.stride, conv.attrs.dilation, strict=True
        ):
            first.append(band.first * stride + band.first_tap * dilation - low)
            stop.append((band.stop - 1) * stride + (band.stop_tap - 1) * dilation - low + 1)
        x = cut(new, conv.content, (0, *first, 0), (batch, *stop, channels))
        taps = cut(
            new, conv.w, (*(b.first_tap for b in bands), 0, 0), (*(b.stop_tap for b in bands), *weights)
        )
        results.append(new.add(node.op, [x, taps], conv.attrs, layer=node.layer).values[0])
    for axis in range(len(axes), 0, -1):
        number = len(axes[axis - 1])
        results = [
            new.apply("concat", *results[start : start + number], attrs=ConcatAttributes(axis))
            for start in range(0, len(results), number)
        ]
    return results[0]
