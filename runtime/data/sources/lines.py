"""Text files with a sample per line, and their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.specs.files import open_regular
from netwright.specs.models.data import SequenceData

from ...errors import DataError
from ..cells import BAD_CELL, bad_cell, cell_parser
from ..classes import number_texts
from ..inputs import input_name, open_input
from ..wanted import Wanted
from .tables import Filled, filled


@dataclass(frozen=True)
class Labelled:
    """The texts of samples, and the array of their labels with the names of classes, by the target's name."""

    texts: Sequence[str]
    arrays: Mapping[str, NDArray]
    classes: Mapping[str, tuple[str, ...]]


def place_of(row: int) -> str:
    """The line of a sample."""
    return f"line {row + 1}"


def decoded(data: bytes, path: Path, line: int = 1) -> str:
    """The text of a file in UTF-8, or of a ``line`` of it. Raises DataError, which names line and column."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line += before.count(b"\n")
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        raise DataError(
            f"{path}, line {line}, column {column}: the text is not UTF-8: {error.reason}"
        ) from None


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. Raises DataError and OSError."""
    with open_regular(path) as file:
        return decoded(file.read().removeprefix(b"\xef\xbb\xbf"), path)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without line breaks. Raises DataError and OSError."""
    lines = [line.removesuffix("\r") for line in read_text(path).split("\n")]
    return lines if lines[-1] else lines[:-1]


def read_labelled(spec: SequenceData, folder: Path, path: Path, wanted: Wanted) -> Labelled:
    """The samples of a file with one per line. Raises DataError and OSError."""
    texts = read_lines(path)
    if not texts:
        raise DataError(f"{path}: the file is empty; it needs a sample per line")
    if spec.labels is not None:
        labels, place = read_lines(folder / spec.labels), folder / spec.labels
        if len(labels) != len(texts):
            raise DataError(f"{place} has {len(labels):,} lines, {path} has {len(texts):,}")
    elif spec.label is not None:
        labels, place = [], path
        for row, line in enumerate(texts):
            label, texts[row] = divided(line, spec, f"{path}, {place_of(row)}")
            labels.append(label)
    else:
        return Labelled(texts, {}, {})
    target = wanted.target(spec.target, path)
    arrays, classes = _numbers(labels, Filled(target, (0,), wanted.is_class(target)), wanted, place)
    return Labelled(texts, {target.name: arrays}, {target.name: classes} if classes else {})


def divided(line: str, spec: SequenceData, where: str) -> tuple[str, str]:
    """The label and the rest of a line that has its label in its first or last field. Raises DataError."""
    label, separator, text = line.partition(spec.separator)
    if spec.label == "last":
        text, separator, label = line.rpartition(spec.separator)
    if not separator:
        raise DataError(f"{where}: no {spec.separator!r} separates the {spec.label} field")
    return label, text


def input_lines(path: Path, spec: SequenceData, size: int) -> Iterator[list[tuple[int, str]]]:
    """The samples of a file, a pipe or standard input with one per line, ``size`` at a time, each with the number of
    its line. A field with a label is left out, if ``spec`` says that there is one. Raises DataError and OSError.
    """
    name = input_name(path)
    rows: list[tuple[int, str]] = []
    with open_input(path) as file:
        for number, data in enumerate(file, 1):
            data = data.removeprefix(b"\xef\xbb\xbf") if number == 1 else data
            text = decoded(data.removesuffix(b"\n").removesuffix(b"\r"), name, number)
            if spec.label is not None:
                text = divided(text, spec, f"{name}, line {number}")[1]
            rows.append((number, text))
            if len(rows) == size:
                yield rows
                rows = []
    if rows:
        yield rows


def _numbers(labels: list[str], array: Filled, wanted: Wanted, path: Path) -> tuple[NDArray, tuple[str, ...]]:
    if array.is_class:
        texts = [label.strip() for label in labels]
        if "" in texts:
            raise DataError(f"{path}, {place_of(texts.index(''))}: the label is empty")
        names = wanted.classes[array.info.name]
        values, classes = number_texts(texts, names, lambda row: f"{path}, {place_of(row)}")
        return filled(array, values, place_of, path), classes
    parse, dtype, what = cell_parser(array.dtype)
    values = np.empty((len(labels), 1), dtype)
    for row, label in enumerate(labels):
        try:
            values[row] = parse(label)
        except BAD_CELL:
            raise DataError(f"{path}, {place_of(row)}: {bad_cell(label, what, 'the label')}") from None
    return filled(array, values, place_of, path), ()
