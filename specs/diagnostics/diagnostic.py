"""Diagnostics: findings about a spec, with code, place, labels, notes and help.

Everything found in one run goes into one `Diagnostics`, which also keeps the source texts. So it can be shown with the
user's own lines underlined (`render.py`) or returned as JSON to a tool.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..source.tree import SourceText, Span, Via
from .codes import CODES
from .fixes import Edit, Fix
from .render import render

_SHOWN_STEPS = 4
"""How many steps of a long trail are shown at either end."""

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    `span` is the primary place, `label` the words under it; `labels` are secondary places. `fixes` are proposals until
    `netwright.check` has applied each and validated again. Raises `ValueError` for a code that is not in the registry.
    """

    code: str
    severity: Severity
    message: str
    span: Span
    label: str = ""
    labels: tuple[tuple[Span, str], ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    fixes: tuple[Fix, ...] = ()

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"unregistered diagnostic code {self.code}")

    def to_json(self) -> dict[str, Any]:
        """This diagnostic as a JSON object. Lines and columns count from 1, ends are exclusive."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            **_place(self.span),
            "label": self.label,
            "labels": [{**_place(span), "message": text} for span, text in self.labels],
            "notes": list(self.notes),
            "help": self.help,
            "fixes": [fix.to_json() for fix in self.fixes],
        }


class Diagnostics:
    """A growing list of diagnostics together with the texts they point into."""

    def __init__(self, items: Iterable[Diagnostic] = (), sources: Iterable[SourceText] = ()) -> None:
        self.items: list[Diagnostic] = []
        self.sources: dict[str, SourceText] = {source.file: source for source in sources}
        self._told: dict[tuple[str, Span, Via | None], Diagnostic] = {}
        self._messages: set[tuple[str, Span, str]] = set()
        for item in items:
            self.add(item)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def add(self, diagnostic: Diagnostic) -> None:
        """Adds a diagnostic unless it is there already.

        A mistake inside a block is reported for the block's first use only.
        """
        trail = diagnostic.span.trail
        near, far = trail[:_SHOWN_STEPS], trail[_SHOWN_STEPS:][-_SHOWN_STEPS:]
        steps = tuple((via.span, via.text) for via in (*near, *far))
        if steps and diagnostic.labels[-len(steps) :] != steps:
            between = len(trail) - len(steps)
            more = (f"{between} more uses between these",) if between else ()
            labels, notes = (*diagnostic.labels, *steps), (*diagnostic.notes, *more)
            diagnostic = replace(diagnostic, labels=labels, notes=notes)
        value = trail[0] if trail and trail[0].value else None
        first = self._told.setdefault((diagnostic.code, diagnostic.span, value), diagnostic)
        if first is diagnostic or (first.span.trail == trail and not self._is_told(diagnostic)):
            self._messages.add((diagnostic.code, diagnostic.span, diagnostic.message))
            self.items.append(diagnostic)

    def _is_told(self, diagnostic: Diagnostic) -> bool:
        return (diagnostic.code, diagnostic.span, diagnostic.message) in self._messages

    def add_source(self, source: SourceText) -> None:
        """Registers a source text, so that its lines can be shown."""
        self.sources[source.file] = source

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        label: str = "",
        labels: Iterable[tuple[Span, str]] = (),
        notes: Iterable[str] = (),
        help: str | None = None,
        fixes: Iterable[Fix] = (),
    ) -> None:
        """Append an error."""
        more = tuple(labels), tuple(notes), help, tuple(fixes)
        self.add(Diagnostic(code, "error", message, span, label, *more))

    def warning(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        label: str = "",
        labels: Iterable[tuple[Span, str]] = (),
        notes: Iterable[str] = (),
        help: str | None = None,
        fixes: Iterable[Fix] = (),
    ) -> None:
        """Append a warning."""
        more = tuple(labels), tuple(notes), help, tuple(fixes)
        self.add(Diagnostic(code, "warning", message, span, label, *more))

    def join(self, code: str) -> None:
        """Merges the diagnostics of a code that are alike into one, with all their places and fixes."""
        groups: dict[str, list[Diagnostic]] = {}
        for item in self.items:
            if item.code == code:
                groups.setdefault(item.message, []).append(item)
        joined = {id(items[0]): _joined(items) for items in groups.values()}
        self.items = [
            joined.get(id(item), item) for item in self.items if item.code != code or id(item) in joined
        ]

    @property
    def errors(self) -> list[Diagnostic]:
        """The errors alone."""
        return [item for item in self.items if item.severity == "error"]

    @property
    def warnings(self) -> list[Diagnostic]:
        """The warnings alone."""
        return [item for item in self.items if item.severity == "warning"]

    @property
    def has_errors(self) -> bool:
        """Whether there is any error."""
        return any(item.severity == "error" for item in self.items)

    def sort(self) -> None:
        """Sorts the diagnostics by their places in the text; the sort is stable."""
        self.items.sort(key=lambda item: (item.span.file, item.span.line, item.span.column))

    def to_text(self, *, color: bool = False) -> str:
        """All diagnostics as text, separated by empty lines; empty if there is none."""
        return "\n".join(render(item, self.sources, color=color) for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """All diagnostics as one JSON object."""
        return {"diagnostics": [item.to_json() for item in self.items]}

    def to_json_text(self) -> str:
        """The JSON object as text."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False)


def _joined(items: Sequence[Diagnostic]) -> Diagnostic:
    first, *more = items
    edits: dict[str, dict[Edit, None]] = {}
    for item in items:
        for fix in item.fixes:
            edits.setdefault(fix.title, {}).update(dict.fromkeys(fix.edits))
    return replace(
        first,
        labels=(*first.labels, *((item.span, "and here") for item in more)),
        fixes=tuple(replace(fix, edits=tuple(edits[fix.title])) for fix in first.fixes),
    )


def _place(span: Span) -> dict[str, Any]:
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }
