"""`type: csv`: a CSV file with a header. Every cell is checked, and an error says where it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from netwright.specs.files import open_regular
from netwright.specs.models.data import CsvData

from ...errors import DataError
from ..cells import BAD_CELL, bad_cell, cell_parser
from ..classes import number_classes
from ..dataset import Dataset
from ..input_files import list_files
from ..inputs import InputBatch, Inputs, Place, each_alone, input_name, open_text, samples_of_files
from ..ragged import NextTokens, Ragged, TextCollector
from ..text_input import TextInput
from ..wanted import Wanted
from .series import Series
from .tables import Filled, columns_for, filled, text_arrays, text_inputs

#: Rows are kept as Python's objects until there are so many.
_CHUNK = 4096
_Row = list[str]


def open_set(spec: CsvData, folder: Path, wanted: Wanted) -> Dataset:
    """Reads a CSV file. Raises DataError for the first row or cell that is not as it should be."""
    path = folder / spec.path
    with open_regular(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        return _Reading(path, spec, wanted, text).table()


def read_inputs(spec: CsvData, paths: Sequence[Path], wanted: Wanted, size: int) -> Inputs:
    """The rows of CSV files, and of those in and below folders, to predict for. The fields of a `.tsv` file are
    separated by tabs. Raises DataError for other paths.
    """
    files = list_files(paths, (".csv", ".tsv"), "CSV file", others=True)
    texts = text_inputs(spec, wanted, spec.path)
    size = min([size, *(text.batch(size) for text in texts.values())])

    def read(path: Path) -> Inputs:
        own = spec.model_copy(update={"separator": "\t"}) if path.suffix == ".tsv" else spec
        with open_text(path) as text:
            yield from _Reading(input_name(path), own, wanted, text).batches(texts, size)

    items = samples_of_files(files, read, wanted)
    for text in texts.values():
        items = text.telling(items)
    return items


class _Reading:
    """One pass through a file. ``lines`` are the lines where rows begin."""

    def __init__(self, path: Path, spec: CsvData, wanted: Wanted, text: IO[str]):
        self.path, self.wanted, self._spec = path, wanted, spec
        self._rows = csv.reader(text, delimiter=spec.separator, strict=True)
        self.lines: list[int] = []
        self._words: dict[
            int, dict[str, int]
        ] = {}  # for each column of classes its values, with their first rows
        self.header = next((row for _, row in self._each()), None)
        if self.header is None:
            raise DataError(f"{path}: the file is empty; its first row has to name the columns")
        self.header = [name.strip() for name in self.header]
        self.arrays = columns_for(spec, wanted, self.header, path, self._hint(spec.separator))
        self._texts = {
            array.info.name: TextCollector(array.text.vocabulary)
            for array in self.arrays
            if array.text is not None
        }

    def table(self) -> Dataset:
        """All rows."""
        chunks: dict[str, list[NDArray]] = {array.info.name: [] for array in self.arrays}
        pending: list[_Row] = []
        for line, row in self._rows_below():
            self.lines.append(line)
            pending.append(row)
            if len(pending) == _CHUNK:
                self._convert(pending, chunks)
                pending = []
        self._convert(pending, chunks)
        lines = np.array(self.lines, np.int64)
        if not len(lines):
            raise DataError(f"{self.path}: there is no row below the header")

        def place(row: int) -> str:
            return f"line {lines[row]}"

        arrays: dict[str, NDArray | Ragged | NextTokens] = {}
        classes: dict[str, tuple[str, ...]] = {}
        for array in self.arrays:
            name = array.info.name
            if array.text is not None:
                arrays |= text_arrays(
                    array.info, self._texts[name], array.text, self.wanted, place, self.path
                )
                continue
            values = np.concatenate(chunks[name])
            if array.is_class:
                values, classes[name] = self._numbered(array, values)
            arrays[name] = filled(array, values, place, self.path)
        classes = {name: names for name, names in classes.items() if names}
        if self._spec.window is not None:
            numbers = {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}
            return Series(numbers, self.arrays, self._spec, self.wanted, self.path, place, classes)
        return Dataset(arrays, str(self.path), classes, place)

    def batches(self, texts: Mapping[str, TextInput], size: int) -> Inputs:
        """The rows, or the windows of them, ``size`` at a time."""
        if self._spec.window is not None:
            series = self.table()
            assert isinstance(series, Series)
            yield from series.batches(size, lambda row: Place(str(self.path), "line", self.lines[row]))
            return
        rows = self._rows_below()
        while some := list(islice(rows, size)):
            yield from each_alone(some, lambda rows: self._batch(rows, texts))

    def _batch(self, rows: Sequence[tuple[int, _Row]], texts: Mapping[str, TextInput]) -> InputBatch:
        self.lines = [line for line, _ in rows]
        places = [Place(str(self.path), "line", line) for line in self.lines]
        cells = [row for _, row in rows]
        arrays: dict[str, NDArray] = {}
        columns = [array.columns[0] for array in self.arrays if array.text is not None]
        own = [row[columns[0]] for row in cells] if len(columns) == 1 else []
        for array in self.arrays:
            name = array.info.name
            if array.text is not None:
                arrays |= texts[name].arrays([row[array.columns[0]] for row in cells], places)
                continue
            values = self._cells(array, cells, 0)
            arrays[name] = filled(array, values, lambda row: f"line {self.lines[row]}", self.path)
        return InputBatch(places, arrays, own)

    def _rows_below(self) -> Iterator[tuple[int, _Row]]:
        """The rows below the header. Raises DataError for one with more or fewer cells."""
        for line, row in self._each():
            if len(row) != len(self.header or ()):
                cells = f"{len(row)} cell{'s' if len(row) != 1 else ''}"
                raise DataError(f"{self.path}, line {line}: {cells}, the header has {len(self.header or ())}")
            yield line, row

    def _each(self) -> Iterator[tuple[int, _Row]]:
        """The rows that are not blank, with the lines where they begin."""
        while True:
            line = self._rows.line_num + 1
            try:
                row = next(self._rows)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{self.path}: the text after line {line - 1} is not UTF-8: {error.reason}"
                ) from None
            except csv.Error as error:
                raise DataError(f"{self.path}, line {line}: {error}") from None
            if row:
                yield line, row

    def _convert(self, rows: list[_Row], chunks: dict[str, list[NDArray]]) -> None:
        first = len(self.lines) - len(rows)
        for array in self.arrays:
            if array.text is not None:
                for row in rows:
                    self._texts[array.info.name].add(row[array.columns[0]])
                continue
            if array.is_class:
                chunks[array.info.name].append(self._class_codes(array.columns[0], rows, first))
                continue
            chunks[array.info.name].append(self._cells(array, rows, first))

    def _cells(self, array: Filled, rows: list[_Row], first: int) -> NDArray:
        """The numbers of an array ``[rows, columns]``; ``first`` is the position of the first row's line."""
        parse, dtype, what = cell_parser(array.dtype)
        try:
            values = [[parse(row[i]) for i in array.columns] for row in rows]
            return np.array(values, dtype).reshape(len(rows), len(array.columns))
        except BAD_CELL:
            raise self._bad_cell(array, rows, first, parse, dtype, what) from None

    def _class_codes(self, column: int, rows: list[_Row], first: int) -> NDArray[np.int64]:
        words = self._words.setdefault(column, {})
        codes = np.empty((len(rows), 1), np.int64)
        for i, row in enumerate(rows):
            text = row[column].strip()
            if not text:
                raise DataError(f"{self._cell(first + i, column)}: the cell is empty")
            codes[i] = words.setdefault(text, first + i)
        return codes

    def _numbered(self, array: Filled, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Class numbers in place of the rows where the values were first seen."""
        column = array.columns[0]
        words = self._words.get(column, {})
        numbers, classes = number_classes(
            list(words), self.wanted.classes[array.info.name], lambda text: self._cell(words[text], column)
        )
        table = np.zeros(len(self.lines), np.int64)
        for text, row in words.items():
            table[row] = numbers[text]
        return table[rows], classes

    def _bad_cell(
        self, array: Filled, rows: list[_Row], first: int, parse: Callable, dtype: type, what: str
    ) -> DataError:
        for i, row in enumerate(rows):
            for column in array.columns:
                try:
                    np.array(parse(row[column]), dtype)
                except BAD_CELL:
                    problem = bad_cell(row[column], what, "the cell")
                    return DataError(f"{self._cell(first + i, column)}: {problem}")
        return DataError(f"{self.path}: {array.info.name} can't be read")

    def _cell(self, row: int, column: int) -> str:
        assert self.header is not None
        return f"{self.path}, line {self.lines[row]}, column {self.header[column]!r}"

    def _hint(self, separator: str) -> str:
        """The separator that was probably meant, if the header is a single name."""
        if self.header and len(self.header) == 1:
            for other in ";\t,|":
                if other != separator and other in self.header[0]:
                    return f'; did you mean separator: "{other}"?'.replace("\t", "\\t")
        return ""
