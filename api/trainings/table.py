"""Tables as lines of text that fit a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netwright.specs.diagnostics.visible import visible

_GAP = 2
#: No narrower than this does a column become before others are left out.
_LEAST = 12


def table_lines(
    rows: Sequence[Mapping[str, str]],
    columns: Sequence[str],
    width: int,
    *,
    right: Sequence[str] = (),
    needed: int = 1,
) -> list[str]:
    """A header and a line per row. ``columns`` are in the order of their importance among those after the ``needed``
    first ones, which are always there: the last ones are left out where ``width`` is too small, and what is still too
    wide is cut. Those in ``right`` are numbers.
    """
    cells = {name: [visible(name), *(visible(row.get(name, "")) for row in rows)] for name in columns}
    shown = [name for name in columns if any(cells[name][1:])]
    widths = {name: max(map(len, cells[name])) for name in shown}
    while len(shown) > needed and sum(widths[name] + _GAP for name in shown) - _GAP > width:
        shown.pop()
    over = sum(widths[name] + _GAP for name in shown) - _GAP - width
    for name in sorted(shown, key=lambda name: -widths[name]):
        less = min(max(over, 0), max(widths[name] - _LEAST, 0))
        widths[name], over = widths[name] - less, over - less
    lines = []
    for number in range(len(rows) + 1):
        parts = [
            f"{cut(cells[name][number], widths[name]):{'>' if name in right else '<'}{widths[name]}}"
            for name in shown
        ]
        lines.append((" " * _GAP).join(parts).rstrip())
    return lines


def cut(text: str, width: int) -> str:
    """The text, with its middle left out if it is longer than ``width``."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def number_text(value: float | None) -> str:
    """A number with four significant digits; a dash if there is none."""
    return "–" if value is None else f"{value:.4g}"


def seconds_text(seconds: float) -> str:
    """A time as 8.1 s, 4 min 12 s or 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
