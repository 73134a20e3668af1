"""The way of an entry's graph through the compiler: named phases, each pass with the reason for its position.

::

    before_gradients → (gradients) → graph → layout → tidy → memory → (fusion, loops, code)

The parts in parentheses are not passes over graphs: ``autodiff`` takes gradients while the training entry is
expanded, and ``lowering`` and ``codegen`` take the graphs from here. All compilations run these phases: a pass added
or moved here is added or moved everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .graph.graph import Graph
from .graph.joining import joined, renamed
from .graph.node import Value
from .lowering.grouping.materialize import Materialize
from .machine import Machine
from .observers import Dump, Observer, Observers, Step
from .passes.base import Budget, Math, PassContext, Phase
from .passes.common_subexpressions import MergeCommonSubexpressions
from .passes.dead_code import RemoveDeadCode
from .passes.fold_constants import FoldConstants
from .passes.products.copy_transposed import CopyTransposed
from .passes.products.flatten_products import FlattenProducts
from .passes.products.join_gradients import JoinGradients
from .passes.products.linear_sums import LinearSums
from .passes.products.pack_panels import PackPanels
from .passes.products.pack_rows import PackRows
from .passes.products.slice_of_dot import SliceOfDot
from .passes.products.sums_by_samples import SumsBySamples
from .passes.scans.checkpoint_scans import CheckpointScans
from .passes.scans.hoist_scan_inputs import HoistScanInputs
from .passes.scans.join_products import JoinProducts
from .passes.scans.regroup_sums import RegroupSums
from .passes.scans.sink_scan_outputs import SinkScanOutputs
from .passes.scans.slice_scan_inputs import SliceScanInputs
from .passes.scans.turn_weights import TurnWeights
from .passes.scans.unroll import UnrollScans
from .passes.simplify import Simplify
from .passes.split_prepare import SplitPrepare
from .passes.views.move_transposes import MoveTransposes
from .passes.windows.channels_before_cells import ChannelsBeforeCells
from .passes.windows.drop_taps import DropTaps
from .passes.windows.mask_windows import MaskWindows
from .passes.windows.maxima_first import MaximaFirst
from .passes.windows.narrow import NarrowWindows
from .passes.windows.rows_as_one import RowsAsOne
from .passes.windows.share_windows import ShareWindows
from .passes.windows.split_borders import SplitBorders
from .passes.windows.winograd import Winograd

#: Prepares a forward graph for differentiation: gradients inherit everything done here.
BEFORE_GRADIENTS = Phase(
    "before_gradients",
    (
        RemoveDeadCode(),  # so that no gradients are taken of what no output needs
        FoldConstants(),  # fixed sizes and masks become numbers, which the rules below see
        ShareWindows(),  # so that gradients, too, are those of convolutions
        Simplify(),  # every node saved before gradients saves its gradient too
        MergeCommonSubexpressions(),  # cells compute the same thing twice, such as the slices of a sum
        RegroupSums(),  # so that a bias leaves the loop with the product it is added to
        RemoveDeadCode(),  # drops the sums as they were written, which would block hoisting
        HoistScanInputs(steps=False),  # so that what is computed from weights alone has one gradient, outside
        RemoveDeadCode(),  # sequences that only moved operations read
        CheckpointScans(),  # last, so that a block has nothing in it but the loop over its steps
    ),
)

#: For every graph, differentiated or not: less work, and work where it costs less. Raises UnrollError.
GRAPH = Phase(
    "graph",
    (
        RemoveDeadCode(),  # gradients append more than is used: both of a product's, say
        FoldConstants(),  # seeds of ones and zeros
        ShareWindows(),  # graphs without gradients have not been through it yet
        Simplify(differentiated=True),  # sums with zero; pads of gradients that join to one tensor
        MergeCommonSubexpressions(),  # several gradient rules compute the same slope or mask
        LinearSums(),  # after sums of the same terms are one
        MaskWindows(),  # leaves masks of cells that nobody reads
        RemoveDeadCode(),  # dead nodes would count as readers below
        MaximaFirst(),  # after dead nodes, which would count as readers of a sum
        DropTaps(),  # leaves slices of pads, which become smaller pads
        NarrowWindows(),  # gradients of padded convolutions, cut to the cells that exist
        SplitBorders(),  # after taps and cells that nobody needs are gone: neither counts as left out
        JoinProducts(),  # after gradients, so that each matrix has its own, with its update in one kernel
        HoistScanInputs(),  # backward bodies have input halves too: cotangents times weights
        SinkScanOutputs(),  # and they end in products: the cotangents of the layer below
        SliceScanInputs(),  # after gates have left their scans as one product
        MoveTransposes(),  # after sums have their final form
        ChannelsBeforeCells(),  # after slices have moved into windows
        SliceOfDot(),  # after gradients, so that the gradient of all gates stays one product
        UnrollScans(),  # late: the passes above see one body, however many copies it gets
        FlattenProducts(),  # after the passes that recognize products by their axes
        JoinGradients(),  # after products have one row axis
        Simplify(differentiated=True),  # slices of slices, reshapes of reshapes from the last three passes
        MergeCommonSubexpressions(),  # pieces that two readers asked for
        RemoveDeadCode(),  # whole products that are now computed in pieces
        SumsBySamples(),  # after the passes that recognize sums by their axes
    ),
)

#: How weights are stored, and which work on them is done once after loading.
LAYOUT = Phase(
    "layout",
    (
        CopyTransposed(),  # before packing, which takes weights as they are
        RowsAsOne(),  # before the passes that look at the loops of sums
        Winograd(),  # first: its products have weights of their own
        TurnWeights(),  # after products have their final form
        PackPanels(),  # after the passes that look for products with weights
        PackRows(),  # what it looks at are no weights
        SplitPrepare(),  # packing depends on weights alone, too
    ),
)

#: Cleans up after packing and splitting: the two parts of `predict` are separate graphs now.
TIDY = Phase("tidy", GRAPH.passes)

#: Gives whatever needs memory a value of its own.
MEMORY = Phase("memory", (Materialize(),))

PHASES = (BEFORE_GRADIENTS, GRAPH, LAYOUT, TIDY, MEMORY)


def before_gradients(graph: Graph, observer: Observer | None = None) -> Graph:
    """The forward graph of a training entry, ready for ``autodiff``. Raises PassError."""
    return _begun(graph, PassContext("forward", observer=_watched(observer)), BEFORE_GRADIENTS)


def run(
    graphs: Mapping[str, Graph],
    machine: Machine,
    *,
    math: Math = "fast",
    steady: bool = False,
    observer: Observer | None = None,
    stop_after: str | None = None,
    max_rewrites: int | None = None,
) -> dict[str, Graph]:
    """The entries' graphs, ready for lowering; a graph that a pass split off comes before the one it was split from.

    ``math`` and ``steady`` are those of ``PassContext``.
    ``stop_after`` names a phase or a pass; ``max_rewrites`` limits the rewrites of all passes on all entries
    together. Raises PassError, UnrollError.
    """
    budget, watched = Budget(max_rewrites), _watched(observer)
    entries: dict[str, Graph] = {}
    parts: dict[str, Graph] = {}
    for name, graph in graphs.items():
        context = PassContext(name, machine, math, steady, budget, watched, stop_after)
        graph = LAYOUT.run(_begun(graph, context, GRAPH), context)
        for part, split in context.split.items():
            if part in parts:
                split, names = _shared(parts[part], split, context)
                graph = renamed(graph, names)
            parts[part] = split
            inner = PassContext(part, machine, math, steady, budget, watched, stop_after, context.stopped)
            entries[part] = MEMORY.run(_begun(split, inner, TIDY), inner)
        if context.split:
            graph = TIDY.run(graph, context)
        entries[name] = MEMORY.run(graph, context)
    return entries


def _shared(first: Graph, second: Graph, context: PassContext) -> tuple[Graph, dict[str, str]]:
    """What two entries have split off, as one graph, and new names for what the second one reads: weights that both
    read in the same order are packed once.
    """
    count = len(first.outputs)
    names = {name: f"packed.{count + position}" for position, name in enumerate(second.outputs)}
    both = MergeCommonSubexpressions().run(
        joined(first, second, names), PassContext(context.entry, context.machine)
    )
    own: dict[Value, str] = {}
    for name, value in list(both.outputs.items()):
        chosen = own.setdefault(value, name)
        if chosen != name:
            both.drop_output(name)
            names = {old: chosen if new == name else new for old, new in names.items()}
    return both, names


def steps() -> list[str]:
    """The names that ``stop_after`` accepts, in order."""
    names = [name for phase in PHASES[1:] for name in (*(pass_.name for pass_ in phase.passes), phase.name)]
    return list(dict.fromkeys(names))


def _begun(graph: Graph, context: PassContext, phase: Phase) -> Graph:
    """The phase ``input`` of a graph, with which observers see it before any pass runs."""
    context.observer.passed(Step(context.entry, phase.name, "input", 0.0, graph, graph))
    return phase.run(graph, context)


def _watched(observer: Observer | None) -> Observers:
    """The observer, and the one that the environment variable NETWRIGHT_DUMP asks for."""
    folder = os.environ.get("NETWRIGHT_DUMP")
    dump = Dump(Path(folder)) if folder else None
    return Observers(tuple(each for each in (observer, dump) if each is not None))


def eliminate_dead(graph: Graph) -> Graph:
    """The graph without the nodes that no output needs."""
    return RemoveDeadCode().run(graph, PassContext())
