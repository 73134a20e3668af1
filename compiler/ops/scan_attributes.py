"""What a scan is: its body, how often it runs, and which of the operands change from step to step."""

from __future__ import annotations

from dataclasses import dataclass

from netwright.specs.dims import DimLike

from ..graph.graph import Graph
from ..graph.node import Attributes
from ..graph.types import TensorType


@dataclass(frozen=True, slots=True)
class ScanAttributes(Attributes):
    """``body``: inputs are consts (``n_consts``), carries (``n_carries``), xs; outputs are carries, ys.

    Operands: consts and first carries as the body takes them, xs with a first axis of ``length``; results: the
    last carries, ys with that axis. With ``reverse`` steps go from the last to the first, and each y stands where
    its x stood. ``unroll``: how many copies of the body code has: "none", a number, "full" or "auto".
    """

    body: Graph
    length: DimLike
    n_consts: int
    n_carries: int
    reverse: bool = False
    unroll: str | int = "none"
    name: str = ""

    def stacked(self, type: TensorType) -> TensorType:
        """The type of a sequence of ``type``."""
        return type.with_shape((self.length, *type.shape))
