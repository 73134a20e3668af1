"""A product's plan: everything that its kernel's loops follow from, as one value that can be printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from netwright.specs.dims import DimLike, Shape

Part: TypeAlias = Literal["axis", "columns", "rows"]


@dataclass(frozen=True)
class Loop:
    """A loop over an ``axis`` of the results, ``extent`` indices in steps of ``step``."""

    part: Part
    axis: int
    extent: DimLike
    step: int = 1

    def __str__(self) -> str:
        name = f"axis {self.axis}" if self.part == "axis" else self.part
        return f"{name} {self.extent}" + (f" by {self.step}" if self.step > 1 else "")


@dataclass(frozen=True)
class Plan:
    """How a kernel computes a product or a reduction.

    ``algorithm``: `direct conv`, `1×1 conv`, `dot`, `Winograd F(4, 3), dot`, …; ``tile``: the register tile in words.
    ``loops``: outermost first; inside is the sum over ``terms``, ``steps`` of the innermost at once (None: decided
    tile by tile), in ``sums`` independent parts; if it ``slides``, each of these steps with all taps of a filter's row.
    ``panels``: whether weights are packed in panels of columns, and ``prefetch``: whether those of the next columns are
    fetched ahead. ``fetches_rows``: whether the rows of the next tile are. ``tuned``: whether it was measured.
    """

    algorithm: str
    tile: str
    loops: tuple[Loop, ...] = ()
    terms: Shape = ()
    steps: int | None = None
    sums: int = 1
    slides: bool = False
    panels: bool = False
    prefetch: bool = False
    fetches_rows: bool = False
    tuned: bool = False

    @property
    def order(self) -> list[int]:
        """The axes in the order of the loops over them, outermost first."""
        return [loop.axis for loop in self.loops]

    def __str__(self) -> str:
        loops = ", ".join(str(loop) for loop in self.loops if loop.extent != 1)
        terms = "·".join(str(extent) for extent in self.terms if extent != 1)
        parts = [f"loops over {loops}"] if loops else []
        parts += [f"tile {self.tile}"] if self.loops else [self.tile]
        if terms:
            at_once = f" by {self.steps}" if self.steps is not None and self.steps > 1 else ""
            in_parts = f" in {self.sums} parts" if self.sums > 1 else ""
            parts.append(f"sum {terms}{at_once}{in_parts}" + (", sliding" if self.slides else ""))
        if self.panels:
            parts.append("weights in panels" + (", the next fetched ahead" if self.prefetch else ""))
        if self.fetches_rows:
            parts.append("the next rows fetched ahead")
        return f"{self.algorithm}: {'; '.join(parts)}" + ("; tuned" if self.tuned else "")
