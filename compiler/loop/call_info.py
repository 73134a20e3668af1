"""What a call of a kernel computes, as measurements and messages say it."""

from __future__ import annotations

from dataclasses import dataclass

from netwright.specs.dims import DimLike


@dataclass(frozen=True, slots=True)
class CallInfo:
    """What a call computes, for measurements and messages: the paths of its layers, the one of them with the most
    arithmetic, the operations of the graph that it runs, their floating-point operations (as ``ops`` count them), and
    how its kernel is cut into tiles.
    """

    layers: tuple[str, ...] = ()
    main: str = ""
    operations: tuple[str, ...] = ()
    flops: DimLike = 0
    tiles: str = ""
