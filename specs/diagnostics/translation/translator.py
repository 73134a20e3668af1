"""Turns pydantic's errors into diagnostics: one per mistake, at the exact key or value, in the language's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...source.tree import Path, SourceTree
from ..diagnostic import Diagnostics
from .keys import report_missing, report_unknown
from .mistakes import Mistake, find_mistakes
from .wrong_values import report_value


class Translator:
    """Translates the errors of the values at `base` in a tree. `overlay` gives the places of keys that came from
    elsewhere (from `defaults`).
    """

    def __init__(
        self,
        tree: SourceTree,
        diagnostics: Diagnostics,
        base: Path,
        overlay: Mapping[str, Path] | None = None,
    ) -> None:
        self.tree, self.diagnostics, self.base, self.overlay = tree, diagnostics, base, overlay or {}

    def report(self, errors: Sequence[Any], annotation: Any, owner: str = "") -> None:
        """Reports one diagnostic for each mistake behind pydantic's `errors` about a value of type `annotation`.

        `owner` says what the value is ("conv2d"), for messages about its own keys.
        """
        mistakes = find_mistakes(errors, self.tree, self.base, self.overlay)
        known = self.tree, self.diagnostics
        meant: set[tuple[Path, str]] = set()
        for path, unknown in _unknown_keys(mistakes).items():
            here = [mistake for mistake in mistakes if mistake.path == path]
            missing = [str(mistake.loc[-1]) for mistake in here if mistake.kind == "missing"]
            meant |= report_unknown(*known, path, unknown, missing, annotation, owner)
        seen: set[tuple[Path, str]] = set()
        for mistake in mistakes:
            if mistake.kind == "extra_forbidden" or (mistake.path, mistake.kind, mistake.message) in seen:
                continue
            seen.add((mistake.path, mistake.kind, mistake.message))  # type: ignore[arg-type]
            if mistake.kind == "missing":
                # A required key under a wrong name is one mistake, already reported.
                if (mistake.path, str(mistake.loc[-1])) not in meant:
                    report_missing(*known, mistake, annotation, owner)
            else:
                report_value(*known, mistake, annotation)


def _unknown_keys(mistakes: Iterable[Mistake]) -> dict[Path, list[Mistake]]:
    """The unknown keys among the mistakes, grouped by their mapping."""
    unknown: dict[Path, list[Mistake]] = {}
    for mistake in mistakes:
        if mistake.kind == "extra_forbidden":
            unknown.setdefault(mistake.path[:-1], []).append(mistake)
    return unknown
