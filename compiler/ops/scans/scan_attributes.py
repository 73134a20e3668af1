"""The attributes of a scan: its body, its number of steps, and which operands change from step to step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from netwright.specs.dims import DimLike

from ...graph.graph import Graph
from ...graph.node import Attributes
from ...graph.types import TensorType


@dataclass(frozen=True, slots=True)
class ScanAttributes(Attributes):
    """``body``: its inputs are consts (``n_consts``), carries (``n_carries``), xs; its outputs are carries, ys.

    Operands: consts and first carries with the body's types, xs with an additional first axis of ``length``. Results:
    the last carries, and ys with that axis. With ``reverse`` the steps run from last to first, and each y is stored
    at the position of its x. ``unroll``: how many copies of the body the code has: "none", a number, "full" or
    "auto".

    ``checkpoint``: the number of steps after which a state is kept for the gradient, which computes the steps in
    between again; None keeps what it needs of all of them. Such a scan becomes one over blocks, with ``recompute``:
    it keeps nothing but its states. The scans over the steps of a block, and over those that fill none, have ``part``.
    They stay loops even for a single step, since the same operations in the same loop give the same bits.
    """

    optional: ClassVar[tuple[str, ...]] = ("checkpoint", "recompute", "part")

    body: Graph
    length: DimLike
    n_consts: int
    n_carries: int
    reverse: bool = False
    unroll: str | int = "none"
    name: str = ""
    checkpoint: int | None = None
    recompute: bool = False
    part: bool = False

    def stacked(self, type: TensorType) -> TensorType:
        """The type of a sequence of ``length`` values of ``type``."""
        return type.with_shape((self.length, *type.shape))

    def with_length(self, length: DimLike) -> ScanAttributes:
        """The same scan over another number of steps."""
        return replace(self, length=length)
