"""Layers that turn scores into the labels that they mean."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from ..base import NonNegative
from .base import LayerSpec

MOST_PREFIXES = 1000
"""How many prefixes a beam may keep: the time grows with the square of their number."""


class CtcDecode(LayerSpec):
    """The labels that logits `[N, T, C]` spell under the loss [ctc](#losses): int64 `[N, T]`, after the last label −1.

    By default from the most likely class of each step: repetitions are merged, then blanks removed. With `beam`, the
    labels whose paths together are most likely, among the prefixes that are kept at each step (prefix beam search:
    Graves and Jaitly, 2014). Steps past a sequence's length do not count.

    Ports: `labels`, which is also the output; `counts`, int64 `[N]`, how many there are; `scores` `[N]`, the logarithm
    of the probability of the path or, with `beam`, of the labels.
    """

    type: Literal["ctc_decode"] = "ctc_decode"
    blank: NonNegative | Literal["last"] = 0
    """The class of the blank."""
    beam: Annotated[int, Strict(), Field(ge=1, le=MOST_PREFIXES)] | None = None
    """How many prefixes are kept at each step."""

    def ports(self) -> tuple[str, ...]:
        return ("labels", "counts", "scores")


LAYERS = (CtcDecode,)
