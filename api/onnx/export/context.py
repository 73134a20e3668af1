"""The values of a graph by their ONNX names, each in the layout in which it exists."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import InputAttributes, Value
from netwright.specs.dims import Shape

from .writer import OnnxWriter


def to_first(rank: int) -> list[int]:
    """[N, *spatial, C] to [N, C, *spatial]."""
    return [0, rank - 1, *range(1, rank - 1)]


def to_last(rank: int) -> list[int]:
    """[N, C, *spatial] to [N, *spatial, C]."""
    return [0, *range(2, rank), 1]


class Exporter:
    """Names of a graph's values.

    Images are channels first in ONNX, so a value may have two names, one per layout. A Transpose is added only where a
    layout is needed that no node has produced.
    """

    def __init__(self, graph: Graph, writer: OnnxWriter, weights: Mapping[str, NDArray]):
        self.graph, self.writer, self.weights = graph, writer, weights
        self._last: dict[Value, str] = {}
        self._first: dict[Value, str] = {}
        self._thin: dict[Value, tuple[str, Shape]] = {}

    def shape(self, value: Value) -> Shape:
        """The shape of a value, features last."""
        return self.graph.type(value).shape

    def rank(self, value: Value) -> int:
        """The number of axes."""
        return len(self.shape(value))

    def dtype(self, value: Value) -> str:
        """The element type."""
        return self.graph.type(value).dtype

    def array(self, value: Value) -> NDArray | None:
        """The array, if the value is a weight."""
        attrs = self.graph.producer(value).attrs
        if isinstance(attrs, InputAttributes) and attrs.role in ("parameter", "statistic"):
            return np.asarray(self.weights[attrs.name])
        return None

    def give(self, value: Value, name: str) -> None:
        """Sets the name of a value, features last."""
        self._last[value] = name

    def give_first(self, value: Value, name: str) -> None:
        """Sets the name of a value, channels first."""
        self._first[value] = name

    def give_thin(self, value: Value, name: str, shape: Shape) -> None:
        """Sets the name of a broadcast value before it is expanded, when it has ``shape``."""
        self._thin[value] = name, shape

    def has_first(self, value: Value) -> bool:
        """Whether a value exists channels first, and only so."""
        return value in self._first and value not in self._last

    def known(self, value: Value) -> bool:
        """Whether a value has a name."""
        return value in self._last or value in self._first or value in self._thin

    def last(self, value: Value) -> str:
        """The name of a value, features last."""
        if value not in self._last:
            if value in self._first:
                self._last[value] = self.writer.add(
                    "Transpose", [self._first[value]], perm=to_last(self.rank(value))
                )
            elif value in self._thin:
                shape = self.writer.shape(self.shape(value))
                self._last[value] = self.writer.add("Expand", [self._thin[value][0], shape])
            else:
                array = self.array(value)
                assert array is not None, f"{value} has no name"
                attrs = self.graph.producer(value).attrs
                assert isinstance(attrs, InputAttributes)
                self._last[value] = self.writer.weight(attrs.name, array)
        return self._last[value]

    def thin(self, value: Value) -> tuple[str, Shape]:
        """The name and shape of a value that its readers may have to broadcast."""
        return self._thin[value] if value in self._thin else (self.last(value), self.shape(value))

    def first(self, value: Value) -> str:
        """The name of a value, channels first."""
        if value not in self._first:
            name = self.last(value)
            self._first[value] = self.writer.add("Transpose", [name], perm=to_first(self.rank(value)))
        return self._first[value]
