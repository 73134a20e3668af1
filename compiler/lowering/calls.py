"""What calls compute, for measurements and messages: see ``ir.CallInfo``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from netwright.specs.dims import DimLike, evaluate

from ..graph.node import Node
from ..graph.types import TensorType
from ..loop.ir import CallInfo
from ..ops.base import primitive

#: The types of a node's operands.
TypeOf = Callable[[Node], Sequence[TensorType]]


def computed(nodes: Sequence[Node], types: TypeOf, dims: Mapping[str, int], tiles: str) -> CallInfo:
    """A call that computes ``nodes``; ``dims`` are the least values of dims, by which layers are compared."""

    def counted() -> tuple[str, DimLike]:
        flops: DimLike = 0
        main, most = "", -1
        for node in nodes:
            own = primitive(node.op).cost(node.attrs, types(node), node.types).flops
            flops, least = flops + own, evaluate(own, dims)
            if node.layer and least > most:
                main, most = node.layer, least
        return main, flops

    return CallInfo(_layers(nodes), tuple(node.op for node in nodes), tiles, counted)


def moved(nodes: Sequence[Node]) -> CallInfo:
    """A call that moves data for ``nodes``: fills edges, copies a result to its place."""
    layers = _layers(nodes)
    main = layers[0] if layers else ""
    return CallInfo(layers, tuple(node.op for node in nodes), counted=lambda: (main, 0))


def _layers(nodes: Sequence[Node]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(node.layer for node in nodes if node.layer))
