"""Scores per class, confusion matrices and samples as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.diagnostics.visible import visible

from ..describe import count_text
from .class_scores import ClassScores
from .worst import WorstSample

#: So many classes have a confusion matrix in a terminal; so many are listed.
_MOST_SHOWN, _MOST_LISTED = 12, 40
#: So much of a name is shown.
_LONGEST = 24


def class_lines(scores: ClassScores, width: int) -> list[str]:
    """A line per class, their means, and the confusion matrix if it fits ``width``."""
    names = [_short(name) for name in scores.names]
    numbers = zip(scores.precision.tolist(), scores.recall.tolist(), scores.f1.tolist(), strict=True)
    rows = [
        [name, *(f"{number:.4f}" for number in three), f"{support:,}"]
        for name, three, support in zip(names, numbers, scores.meant.tolist(), strict=True)
    ]
    left_out = len(rows) - _MOST_LISTED
    more = [f"… and {count_text(left_out, 'class')} more, which --format json has"] if left_out > 0 else []
    means = ["mean", *(f"{mean:.4f}" for mean in scores.means.values()), f"{int(scores.meant.sum()):,}"]
    table = _aligned([[scores.target, "precision", "recall", "f1", "support"], *rows[:_MOST_LISTED], means])
    return [*table[:-1], *more, table[-1], "", *_confusion_lines(scores, names, width)]


def _confusion_lines(scores: ClassScores, names: Sequence[str], width: int) -> list[str]:
    elsewhere = f"the confusion matrix of {len(names):,} classes is too large to show"
    elsewhere += ": --format json has it" if scores.confusion is not None else ""
    if len(names) > _MOST_SHOWN or scores.confusion is None:
        return [elsewhere]
    rows = [
        [name, *(f"{count:,}" if count else "·" for count in row)]
        for name, row in zip(names, scores.confusion.tolist(), strict=True)
    ]
    lines = _aligned([["", *names], *rows])
    if max(map(len, lines)) > width:
        return [elsewhere]
    return [f"{visible(scores.target)} (down) was answered as (across):", *lines]


def worst_lines(samples: Sequence[WorstSample]) -> list[str]:
    """A line per sample: its place, its loss, the targets and the answers."""
    if not samples:
        return ["no sample has a loss"]
    first = samples[0]
    said = [heading for heading, _ in first.answers]
    rows = [["place", "loss", *(name for name, _ in first.targets), *(f"answered {name}" for name in said)]]
    rows += [
        [
            sample.place,
            f"{sample.loss:.4g}",
            *(cell for _, cell in sample.targets),
            *(cell for _, cell in sample.answers),
        ]
        for sample in samples
    ]
    return _aligned(rows, left=len(rows[0]))


def _aligned(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Rows of cells as lines; columns after the first ``left`` are aligned to the right."""
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in shown
    ]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
