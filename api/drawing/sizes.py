"""The sizes of boxes, from their texts, and the distances between them, in SVG user units."""

from __future__ import annotations

from .picture import Box

BOX_GAP, STATE_GAP, TIMELINE_GAP, RANK_GAP, LOOP_REACH, MARGIN = 28.0, 58.0, 124.0, 38.0, 32.0, 28.0
LINE, TITLE_LINE, PADDING = 17.0, 20.0, 9.0

_NARROW, _WIDE = set("iljtfrI.,:;'|!()[]·1 "), set("mwMW@—−⋯×")


def text_width(text: str, size: float, *, mono: bool = False) -> float:
    """An upper estimate of a text's width."""
    if mono:
        return 0.62 * size * len(text)
    return size * sum(
        0.36 if c in _NARROW else 0.92 if c in _WIDE else 0.7 if c.isupper() else 0.58 for c in text
    )


def box_size(box: Box) -> tuple[float, float]:
    """Width and height of a box around its text."""
    if box.family == "ghost":
        return max(text_width(line, 13) for line in (box.title, *box.lines)) + 16, 24.0 + LINE * len(
            box.lines
        )
    widths = [1.08 * text_width(box.title, 15), *(text_width(line, 12.5) for line in box.lines)]
    widths += [text_width(box.shape, 12, mono=True), text_width(box.tag, 11.5) + 14]
    lines = len(box.lines) + bool(box.shape) + bool(box.tag)
    return max(92.0, max(widths) + 26), 2 * PADDING + TITLE_LINE + LINE * lines


def loop_width(box: Box) -> float:
    """The space that a box's loops and their labels need on either side."""
    return max((LOOP_REACH + text_width(label, 12) for label in box.loops), default=0.0)
