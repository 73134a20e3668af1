"""Renders diagnostics as text in the style of rustc: the user's own lines, underlined, with notes and help below."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..source.tree import SourceText, Span
from .visible import visible

if TYPE_CHECKING:
    from .diagnostic import Diagnostic

_RED, _YELLOW, _BLUE, _CYAN, _BOLD, _RESET = (
    f"\x1b[{code}m" for code in ("1;31", "1;33", "1;34", "1;36", "1", "0")
)
_LONGEST_LINE = 200


def render(diagnostic: Diagnostic, sources: Mapping[str, SourceText], *, color: bool = False) -> str:
    """One diagnostic as text that ends in a line break, with ANSI colours if asked for."""

    def paint(text: str, style: str) -> str:
        return f"{style}{text}{_RESET}" if color and text else text

    accent = _RED if diagnostic.severity == "error" else _YELLOW
    marks = [(diagnostic.span, diagnostic.label, "^", accent)]
    marks += [(span, text, "-", _BLUE) for span, text in diagnostic.labels]
    shown = [mark for mark in marks if mark[0].file in sources and sources[mark[0].file].text]
    width = len(str(max((span.line for span, *_ in shown), default=0)))
    gutter = " " * width + " " + paint("|", _BLUE)

    head = paint(f"{diagnostic.severity}[{diagnostic.code}]", accent)
    lines = [f"{head}{paint(': ' + _clean(diagnostic.message), _BOLD)}"]
    span = diagnostic.span
    lines.append(f"{' ' * width}{paint('-->', _BLUE)} {_clean(span.file)}:{span.line}:{span.column}")
    for file in dict.fromkeys(mark[0].file for mark in shown):
        if file != span.file:
            lines.append(f"{' ' * width}{paint(':::', _BLUE)} {_clean(file)}")
        lines.append(gutter)
        here = sorted((mark for mark in shown if mark[0].file == file), key=lambda mark: mark[0])
        previous = None
        for number in sorted({mark[0].line for mark in here}):
            if previous is not None and number > previous + 1:
                lines.append(
                    paint("...", _BLUE)
                    if number > previous + 2
                    else _quote(sources[file], number - 1, width, paint)
                )
            lines.append(_quote(sources[file], number, width, paint))
            text = sources[file].line(number)
            for mark_span, label, character, style in here:
                if mark_span.line == number:
                    lines.append(f"{gutter} " + _underline(mark_span, text, label, character, style, paint))
            previous = number
    # Fixes are shown as help if there is no other.
    help = diagnostic.help or " · ".join(fix.title for fix in diagnostic.fixes)
    if shown and (diagnostic.notes or help):
        lines.append(gutter)
    for kind, text in [
        *(("note", note) for note in diagnostic.notes),
        *([("help", help)] if help else []),
    ]:
        body = visible(text, keep="\n").replace("\n", "\n" + " " * (width + 5 + len(kind)))
        lines.append(f"{' ' * width} {paint('=', _BLUE)} {paint(kind, _BOLD)}: {body}")
    return "\n".join(lines) + "\n"


def _quote(source: SourceText, number: int, width: int, paint) -> str:
    text = source.line(number)
    shown = _clean(text[:_LONGEST_LINE]) + ("…" if len(text) > _LONGEST_LINE else "")
    return f"{paint(f'{number:>{width}} |', _BLUE)} {shown}".rstrip()


def _underline(span: Span, line: str, label: str, character: str, style: str, paint) -> str:
    # A span over several lines is underlined on its first line.
    start = min(span.column - 1, _LONGEST_LINE)
    end = len(line) if span.end_line > span.line else span.end_column - 1
    end = min(max(end, start), max(len(line), start), _LONGEST_LINE)
    under = character * max(1, _width(line[start:end]))
    return " " * _width(line[:start]) + paint(f"{under} {_clean(label)}".rstrip(), style)


def _clean(text: str) -> str:
    """Text on one line, safe to print on a terminal."""
    return visible(text.replace("\t", " ").replace("\n", " "))


def _width(text: str) -> int:
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text
    )
