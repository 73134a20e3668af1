"""What measurements on a machine say about products: tiles and algorithms that are faster than those by cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

Algorithm: TypeAlias = Literal["direct", "F(2, 3)", "F(4, 3)"]


class TuningError(ValueError):
    """A tuned plan that the machine or the product does not admit, or a file of them that can't be read. The message
    begins with the diagnostic ``code``."""

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True)
class TileChoice:
    """What of a plan is free: ``rows`` and ``vectors`` of a register tile, how many of the loops over whole axes stand
    outside of the one over columns (``depth``, None: all), how many ``steps`` of the sum the innermost loop has at
    once (None: as many as registers allow), and whether the weights of the next columns are fetched ahead.
    """

    rows: int
    vectors: int
    depth: int | None = None
    steps: int | None = None
    prefetch: bool = True

    def __str__(self) -> str:
        text = f"{self.rows} × {self.vectors}"
        if self.depth is not None:
            text += f", columns inside of {self.depth}" if self.depth else ", columns outermost"
        text += "" if self.steps is None else f", sum by {self.steps}"
        return text if self.prefetch else f"{text}, no prefetch"


@dataclass(frozen=True)
class Tuning:
    """Choices by the signatures of products (see ``lowering.plans``) and of convolutions (see ``passes.winograd``), in
    the order of these."""

    tiles: tuple[tuple[str, TileChoice], ...] = ()
    algorithms: tuple[tuple[str, Algorithm], ...] = ()

    @cached_property
    def _tiles(self) -> dict[str, TileChoice]:
        return dict(self.tiles)

    @cached_property
    def _algorithms(self) -> dict[str, Algorithm]:
        return dict(self.algorithms)

    def tile(self, signature: str) -> TileChoice | None:
        """The tile chosen for a product; None: by cost."""
        return self._tiles.get(signature)

    def algorithm(self, signature: str) -> Algorithm | None:
        """The algorithm chosen for a convolution; None: by cost."""
        return self._algorithms.get(signature)


#: Everything by cost.
UNTUNED = Tuning()
