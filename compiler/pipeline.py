"""The passes over the graph, in order, each with why it stands where it stands."""

from __future__ import annotations

from .graph.graph import Graph
from .passes.base import Budget, PassManager
from .passes.common_subexpressions import MergeCommonSubexpressions
from .passes.dead_code import RemoveDeadCode
from .passes.flatten_products import FlattenProducts
from .passes.fold_constants import FoldConstants
from .passes.hoist_scan_inputs import HoistScanInputs
from .passes.narrow import NarrowWindows
from .passes.regroup_sums import RegroupSums
from .passes.share_windows import ShareWindows
from .passes.simplify import Simplify
from .passes.sink_scan_outputs import SinkScanOutputs
from .passes.slice_of_dot import SliceOfDot
from .passes.unroll import UnrollScans


def prepare(graph: Graph, manager: PassManager | None = None) -> Graph:
    """A forward graph made ready to be differentiated: what is done here is not undone by gradients."""
    return (manager or PassManager()).run(
        graph,
        [
            RemoveDeadCode(),  # what no output needs is not differentiated either
            FoldConstants(),  # sizes and masks that are fixed become numbers, which the rules below see
            ShareWindows(),  # so that gradients, too, are those of convolutions
            Simplify(),  # before gradients, every node saved saves its gradient too
            MergeCommonSubexpressions(),  # cells name the same thing twice, such as the slices of a sum
            RegroupSums(),  # so that a bias leaves the loop with the product it is added to
            RemoveDeadCode(),  # the sums as they were, which would hold back what is hoisted
            HoistScanInputs(),  # so that x @ W, its gradient and dW are products over all steps at once
            SinkScanOutputs(),  # so that h @ C and its gradient are, too
            RemoveDeadCode(),  # sequences that only moved operations read
        ],
    )


def optimize(graph: Graph, manager: PassManager | None = None) -> Graph:
    """Every graph, differentiated or not, on its way to lowering. Raises UnrollError, PassError."""
    return (manager or PassManager()).run(
        graph,
        [
            RemoveDeadCode(),  # gradients append more than is asked for: a product has two, one may be needed
            FoldConstants(),  # seeds of ones and zeros
            ShareWindows(),  # where there are no gradients, it was not done before
            Simplify(differentiated=True),  # sums with zero; pads of gradients that make one tensor again
            MergeCommonSubexpressions(),  # gradient rules ask for the same slope or mask again
            RemoveDeadCode(),  # what no output needs would count as a reader below
            NarrowWindows(),  # gradients of padded convolutions, cut to the cells that exist
            HoistScanInputs(),  # backward bodies have input halves too: cotangents times weights
            SinkScanOutputs(),  # and they end in products: the cotangents of the layer below
            SliceOfDot(),  # after gradients, so that the gradient of all gates is still one product
            UnrollScans(),  # late: the passes above see one body, however many copies are wanted
            FlattenProducts(),  # after all that looks for products by their axes
            Simplify(
                differentiated=True
            ),  # slices of slices and reshapes of reshapes that the last three left
            MergeCommonSubexpressions(),  # pieces that two readers asked for
            RemoveDeadCode(),  # whole products of which pieces are computed now
        ],
    )


def eliminate_dead(graph: Graph) -> Graph:
    """The graph without what no output needs."""
    return RemoveDeadCode().run(graph, Budget())
