"""What ``scan_window`` costs: a network's multiplications on every window, and those left when windows share work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netwright.specs.dims import DimLike, product, substitute

from .graph.graph import Graph
from .ops.protocols import contraction
from .ops.scans.scan_attributes import ScanAttributes
from .passes.base import PassContext
from .passes.dead_code import RemoveDeadCode
from .passes.windows.share_windows import ShareWindows

_WINDOWS = ".windows"  # suffix of the layer that cuts the windows, after the name of the scan_window


@dataclass(frozen=True, slots=True)
class ScanWindowWork:
    """A ``scan_window`` and its multiplications, over open sizes.

    ``before``: with every window computed separately; ``after``: with the common work of overlapping windows done
    once.
    """

    scan: str
    before: DimLike
    after: DimLike


def scan_window_work(graph: Graph, dims: Mapping[str, int] | None = None) -> tuple[ScanWindowWork, ...]:
    """The work of each ``scan_window`` in the graph `predict`, in order.

    ``dims`` gives values to open sizes, such as a batch of 1.
    """
    names = [node.layer.removesuffix(_WINDOWS) for node in graph if node.op == "windows"]
    if not names:
        return ()
    before = RemoveDeadCode().run(graph, PassContext())
    after = RemoveDeadCode().run(ShareWindows().run(before, PassContext()), PassContext())
    return tuple(
        ScanWindowWork(
            name,
            *(substitute(_multiplications(version, f"{name}."), dims or {}) for version in (before, after)),
        )
        for name in dict.fromkeys(names)
    )


def _multiplications(graph: Graph, inside: str) -> DimLike:
    """The multiplications of products in layers whose names begin with ``inside``."""
    total: DimLike = 0
    for node in graph:
        if not node.layer.startswith(inside):
            continue
        if isinstance(node.attrs, ScanAttributes):
            total = total + _multiplications(node.attrs.body, "") * node.attrs.length
            continue
        op = contraction(node)
        if op is not None and op.factor_count > 1:
            types = [graph.type(value) for value in graph.operands(node)]
            total = total + node.types[0].size * product(op.reduction_shape(node.attrs, types))
    return total
