"""What a call of a kernel computes, as measurements and messages say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from netwright.specs.dims import DimLike


@dataclass(frozen=True)
class CallInfo:
    """What a call computes, for measurements and messages: the paths of its layers, the operations of the graph that it
    runs, and how its kernel is cut into tiles. ``planned`` is the kernel's plan as lowering knows it, if it has one.

    ``counted`` gives ``main`` and ``flops``. It is asked when they are needed, since counting takes time and most
    programs are never measured.
    """

    layers: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    tiles: str = ""
    counted: Callable[[], tuple[str, DimLike]] = lambda: ("", 0)
    planned: Any = field(default=None, compare=False, repr=False)

    def part(self, share: Callable[[DimLike], DimLike]) -> CallInfo:
        """Of a call that computes only a share of the operations; ``share`` gives that share of a number."""
        return replace(self, counted=lambda: (self.main, share(self.flops)))

    @cached_property
    def _counted(self) -> tuple[str, DimLike]:
        return self.counted()

    @property
    def main(self) -> str:
        """The path of the layer with the most arithmetic."""
        return self._counted[0]

    @property
    def flops(self) -> DimLike:
        """The operations' floating-point operations, as ``ops`` count them."""
        return self._counted[1]
