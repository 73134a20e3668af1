"""Loops over the first axis of sequences, whose body is a graph that is written here."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.dims import DimLike

from ...graph.graph import Graph
from ...graph.types import TensorType
from ...ops.scans.scan_attributes import ScanAttributes
from ..tensor import Tensor


def operand(body: Graph, name: str, type: TensorType) -> Tensor:
    """An input of a body, in the order consts, carries, steps of sequences."""
    return Tensor(body, body.input(name, type, "body"))


def scan(
    body: Graph,
    length: DimLike,
    consts: Sequence[Tensor],
    carries: Sequence[Tensor],
    sequences: Sequence[Tensor],
    *,
    reverse: bool = False,
) -> list[Tensor]:
    """The last carries, and the sequences that the body's other outputs make; with ``reverse`` the last step is the
    first."""
    graph = carries[0].graph
    attrs = ScanAttributes(body, length, len(consts), len(carries), reverse, name=body.name)
    operands = [tensor.value for tensor in (*consts, *carries, *sequences)]
    return [Tensor(graph, value) for value in graph.add("scan", operands, attrs).values]
