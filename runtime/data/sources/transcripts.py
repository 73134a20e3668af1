"""Transcripts: a text file that says which labels each file of a folder spells."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import TranscriptsSpec

from ...arrays.binding import parse_shape
from ...errors import DataError, listed
from ..classes import number_names
from ..vocabulary import pieces
from ..wanted import BLANK, Spelling, Wanted
from .folders import Listing
from .lines import place_of, read_lines


def list_transcribed(
    folder: Path,
    file: Path,
    spec: TranscriptsSpec,
    target: BufferInfo,
    wanted: Wanted,
    suffixes: Iterable[str],
) -> Listing:
    """The files of a ``folder`` that the lines of ``file`` name, with the numbers of their labels for ``target``,
    behind them −1, and how many there are. Raises DataError and OSError.
    """
    spelling, suffixes = wanted.spellings[target.name], tuple(suffixes)
    files: list[Path] = []
    texts: list[list[str]] = []
    for row, line in enumerate(read_lines(file)):
        name, tab, text = line.partition("\t")
        where = f"{file}, {place_of(row)}"
        if not tab:
            raise DataError(f"{where}: no tab is between a file and what is said in it")
        path = folder / name
        if path.suffix.lower() not in suffixes or not path.is_file():
            problem = (
                "is not there"
                if path.suffix.lower() in suffixes
                else f"does not end in {', '.join(suffixes)}"
            )
            raise DataError(f"{where}: {path} {problem}")
        files.append(path)
        texts.append(pieces(text, spec.of))
    if not files:
        raise DataError(f"{file}: the file is empty; it needs a line per recording")
    names = spelling.names or _names({piece for text in texts for piece in text}, spelling, target, file)
    rows = {piece: row for row, text in reversed(list(enumerate(texts))) for piece in text}
    numbers = number_names(list(rows), names, lambda piece: f"{file}, {place_of(rows[piece])}")
    if (blank := names[spelling.blank] if spelling.blank < len(names) else None) in rows:
        raise DataError(f"{file}, {place_of(rows[blank])}: {blank!r} is the blank's name, and no label")
    counts = np.array([len(text) for text in texts], np.int64)
    array = np.full((len(texts), _most(target, counts, file)), -1, np.dtype(target.dtype))
    for labels, text in zip(array, texts, strict=True):
        labels[: len(text)] = [numbers[piece] for piece in text]
    targets = {target.name: array}
    if spelling.lengths is not None:
        targets[spelling.lengths] = counts
    elif counts.min() < array.shape[1]:
        raise DataError(
            f"{file}: recordings have {counts.min()} to {counts.max()} labels; target_lengths of the loss has to name "
            "a target that takes their numbers"
        )
    return Listing(folder, tuple(files), targets, {target.name: names}, [0])


def _names(labels: set[str], spelling: Spelling, target: BufferInfo, file: Path) -> tuple[str, ...]:
    """The names of the classes: the labels in the order of their code points, with the blank at its place."""
    names = sorted(labels)
    if len(names) >= spelling.count:
        raise DataError(
            f"{file}: there are {len(names)} different labels, {target.name} has {spelling.count} classes with the "
            f"blank: {listed(names[:12])}{', …' if len(names) > 12 else ''}"
        )
    if spelling.blank <= len(names):
        names.insert(spelling.blank, BLANK)
    return tuple(names)


def _most(target: BufferInfo, counts: np.ndarray, file: Path) -> int:
    """How many labels the target has place for."""
    size, most = parse_shape(target)[1], max(int(counts.max()), 1)
    if not isinstance(size, int):
        return most
    if most > size:
        row = int(counts.argmax())
        raise DataError(f"{file}, {place_of(row)}: {most} labels are too many: {target.name} takes {size}")
    return size
