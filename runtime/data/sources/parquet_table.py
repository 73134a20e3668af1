"""`type: parquet`: a Parquet file, read by pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.models.data import ParquetData

from ...errors import DataError
from ..classes import number_texts
from ..dataset import Dataset
from ..extras import need
from ..input_files import list_files
from ..inputs import InputBatch, Inputs, Place, each_alone, samples_of_files
from ..ragged import NextTokens, Ragged, TextCollector
from ..wanted import Wanted
from .series import Series
from .tables import Filled, columns_for, filled, text_arrays, text_inputs


def open_set(spec: ParquetData, folder: Path, wanted: Wanted) -> Dataset:
    """Reads the columns that the model takes. Raises DataError."""
    path = folder / spec.path
    with _opened(path) as file:
        columns = _Columns(spec, wanted, file, path)
        table = file.read(columns=columns.names, use_threads=False)
    if not table.num_rows:
        raise DataError(f"{path}: there is no row")
    arrays: dict[str, NDArray | Ragged | NextTokens] = {}
    classes: dict[str, tuple[str, ...]] = {}
    for array in columns.arrays:
        if array.text is not None:
            texts = TextCollector(array.text.vocabulary)
            for text in columns.texts(array, table, 0):
                texts.add(text)
            place = partial(_place, 0)
            arrays |= text_arrays(array.info, texts, array.text, wanted, place, path)
            continue
        arrays[array.info.name], classes[array.info.name] = columns.values(array, table, 0)
    classes = {name: names for name, names in classes.items() if names}
    if spec.window is not None:
        numbers = {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}
        return Series(numbers, columns.arrays, spec, wanted, path, partial(_place, 0), classes)
    return Dataset(arrays, str(path), classes, partial(_place, 0))


def read_inputs(spec: ParquetData, paths: Sequence[Path], wanted: Wanted, size: int) -> Inputs:
    """The rows of Parquet files, and of those in and below folders, to predict for. Raises DataError for other
    paths.
    """
    need("pyarrow.parquet", spec.path)
    texts = text_inputs(spec, wanted, spec.path)
    size = min([size, *(text.batch(size) for text in texts.values())])

    def build(columns: _Columns, table: Any, first: int, rows: Sequence[int]) -> InputBatch:
        some, start = table.slice(rows[0], len(rows)), first + rows[0]
        places = [Place(str(columns.path), "row", first + row) for row in rows]
        arrays: dict[str, NDArray] = {}
        own: list[list[str]] = []
        for array in columns.arrays:
            name = array.info.name
            if array.text is not None:
                own.append(columns.texts(array, some, start))
                arrays |= texts[name].arrays(own[-1], places)
            else:
                arrays[name] = columns.values(array, some, start)[0]
        return InputBatch(places, arrays, own[0] if len(own) == 1 else ())

    def read(path: Path) -> Inputs:
        if spec.window is not None:
            series = open_set(spec.model_copy(update={"path": str(path)}), Path(), wanted)
            assert isinstance(series, Series)
            yield from series.batches(size, lambda row: Place(str(path), "row", row))
            return
        arrow, first = need("pyarrow", path), 0
        with _opened(path) as file:
            columns = _Columns(spec, wanted, file, path)
            for record in file.iter_batches(batch_size=size, columns=columns.names, use_threads=False):
                table = arrow.Table.from_batches([record])
                yield from each_alone(range(table.num_rows), partial(build, columns, table, first))
                first += table.num_rows

    items = samples_of_files(list_files(paths, (".parquet",), "Parquet file"), read, wanted)
    for text in texts.values():
        items = text.telling(items)
    return items


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    parquet, arrow = need("pyarrow.parquet", path), need("pyarrow", path)
    try:
        with parquet.ParquetFile(path, memory_map=False) as file:
            yield file
    except arrow.ArrowException as error:
        raise DataError(f"{path}: not a readable Parquet file: {str(error).splitlines()[0]}") from error


class _Columns:
    """The columns that fill arrays. ``first`` is the number of a table's first row in the file."""

    def __init__(self, spec: ParquetData, wanted: Wanted, file: Any, path: Path):
        self.path, self._wanted = path, wanted
        self._arrow = need("pyarrow", path)
        self._header = list(file.schema_arrow.names)
        self.arrays = columns_for(spec, wanted, self._header, path)
        self.names = sorted({self._header[i] for array in self.arrays for i in array.columns})

    def texts(self, array: Filled, table: Any, first: int) -> list[str]:
        """The texts of an array. Raises DataError."""
        ((title, column),) = self._columns(array, table, first)
        types = self._arrow.types
        if not (types.is_string(column.type) or types.is_large_string(column.type)):
            raise DataError(
                f"{self.path}, column {title!r}: {array.info.name} takes text, this is {column.type}"
            )
        return column.to_pylist()

    def values(self, array: Filled, table: Any, first: int) -> tuple[NDArray, tuple[str, ...]]:
        """An array, and the names of its classes. Raises DataError."""
        columns, classes = self._columns(array, table, first), ()
        title, column = columns[0]
        if array.is_class and not _is_integer(self._arrow, column.type):
            names = self._wanted.classes[array.info.name]
            values, classes = _numbered(column, names, title, self.path, first)
        else:
            numbers = [_numbers(self._arrow, column, array, title, self.path) for title, column in columns]
            values = np.stack(numbers, axis=1)
        return filled(array, values, partial(_place, first), self.path), classes

    def _columns(self, array: Filled, table: Any, first: int) -> list[tuple[str, Any]]:
        titles = [self._header[i] for i in array.columns]
        columns = [(title, table.column(title)) for title in titles]
        for title, column in columns:
            _check_nulls(column, f"column {title!r}", self.path, first)
        return columns


def _place(first: int, row: int) -> str:
    return f"row {first + row}"


def _check_nulls(column: Any, what: str, path: Path, first: int) -> None:
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        more = f", and {column.null_count - 1} more" if column.null_count > 1 else ""
        raise DataError(f"{path}, {_place(first, row)}, {what}: the cell is empty{more}")


def _numbers(arrow: Any, column: Any, array: Filled, name: str, path: Path) -> NDArray:
    kind = column.type
    whole = _is_integer(arrow, kind)
    if not (whole or arrow.types.is_boolean(kind) or arrow.types.is_floating(kind)):
        raise DataError(f"{path}, column {name!r}: {array.info.name} takes numbers, this is {kind}")
    if array.dtype.kind in "iub" and arrow.types.is_floating(kind):
        raise DataError(f"{path}, column {name!r}: {array.info.name} takes whole numbers, this is {kind}")
    values = column.to_numpy()
    return values if array.dtype.kind != "f" else values.astype(np.float64)


def _numbered(
    column: Any, names: tuple[str, ...] | None, name: str, path: Path, first: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    texts = [str(value).strip() for value in column.to_pylist()]
    return number_texts(texts, names, lambda row: f"{path}, {_place(first, row)}, column {name!r}")


def _is_integer(arrow: Any, kind: Any) -> bool:
    return arrow.types.is_integer(kind)
