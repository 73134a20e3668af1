"""From the graph of whole sequences to the graph of some steps, which keeps what it needs of the steps before.

The graph of ``predict`` takes a sequence of T steps. ``steps_of`` makes a graph that takes a *chunk* of steps and
the state that the chunk before left, and gives the same outputs piece by piece. It knows no layers: it follows the
time axis through the primitives' index maps, from which kernels are generated, too, and keeps as many frames of each
value as windows reach back. Whatever would need steps that have not come yet is refused, with the layer and the
reason.
"""

from .network import STEP, step_network, with_whole
from .step import StepGraph, StreamOutput, steps_of
from .values import StreamError

__all__ = ["STEP", "StepGraph", "StreamError", "StreamOutput", "step_network", "steps_of", "with_whole"]
