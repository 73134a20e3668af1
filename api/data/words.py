"""How data sets are described, in a terminal and on a page."""

from __future__ import annotations

from netwright.runtime.data.summary import TextSummary

from ..describe import count_text


def number_text(value: float | int | None) -> str:
    """A number of the data; nothing for None."""
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.4g}"


def vocabulary_text(name: str, text: TextSummary) -> str:
    """How much text an input has, and how much of it its vocabulary knows."""
    return (
        f"{name}: {count_text(text.tokens, 'token')}, {text.unknown / max(text.tokens, 1):.1%} of them unknown; "
        f"the vocabulary has {text.entries:,} entries"
    )
