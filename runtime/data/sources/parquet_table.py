"""`type: parquet`: a Parquet file, read by pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.models.data import ParquetData

from ...errors import DataError
from ..classes import number_texts
from ..dataset import Dataset
from ..extras import need
from ..ragged import Ragged, TextCollector
from ..wanted import Wanted
from .tables import Filled, columns_for, filled, text_arrays


def open_set(spec: ParquetData, folder: Path, wanted: Wanted) -> Dataset:
    """Reads the columns that the model takes. Raises DataError."""
    path = folder / spec.path
    parquet = need("pyarrow.parquet", path)
    arrow = need("pyarrow", path)
    try:
        with parquet.ParquetFile(path, memory_map=False) as file:
            header = list(file.schema_arrow.names)
            wanted_arrays = columns_for(spec, wanted, header, path)
            names = sorted({header[i] for array in wanted_arrays for i in array.columns})
            table = file.read(columns=names, use_threads=False)
    except arrow.ArrowException as error:
        raise DataError(f"{path}: not a readable Parquet file: {str(error).splitlines()[0]}") from error
    if not table.num_rows:
        raise DataError(f"{path}: there is no row")
    arrays: dict[str, NDArray | Ragged] = {}
    classes: dict[str, tuple[str, ...]] = {}
    for array in wanted_arrays:
        name = array.info.name
        titles = [header[i] for i in array.columns]
        columns = [table.column(title) for title in titles]
        titled = list(zip(titles, columns, strict=True))
        for title, column in titled:
            _check_nulls(column, f"column {title!r}", path)
        if array.text is not None:
            texts = _texts(arrow, columns[0], array, titles[0], path)
            arrays |= text_arrays(array.info, texts, array.text, wanted, _place, path)
            continue
        if array.is_class and not _is_integer(arrow, columns[0].type):
            values, classes[name] = _numbered(arrow, columns[0], wanted.classes[name], titles[0], path)
        else:
            numbers = [_numbers(arrow, column, array, title, path) for title, column in titled]
            values = np.stack(numbers, axis=1)
        arrays[name] = filled(array, values, _place, path)
    return Dataset(arrays, str(path), {name: names for name, names in classes.items() if names}, _place)


def _texts(arrow: Any, column: Any, array: Filled, name: str, path: Path) -> TextCollector:
    if not (arrow.types.is_string(column.type) or arrow.types.is_large_string(column.type)):
        raise DataError(f"{path}, column {name!r}: {array.info.name} takes text, this is {column.type}")
    assert array.text is not None
    texts = TextCollector(array.text.vocabulary)
    for text in column.to_pylist():
        texts.add(text)
    return texts


def _place(row: int) -> str:
    return f"row {row}"


def _check_nulls(column: Any, what: str, path: Path) -> None:
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        more = f", and {column.null_count - 1} more" if column.null_count > 1 else ""
        raise DataError(f"{path}, {_place(row)}, {what}: the cell is empty{more}")


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
    arrow: Any, column: Any, names: tuple[str, ...] | None, name: str, path: Path
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    texts = [str(value).strip() for value in column.to_pylist()]
    return number_texts(texts, names, lambda row: f"{path}, {_place(row)}, column {name!r}")


def _is_integer(arrow: Any, kind: Any) -> bool:
    return arrow.types.is_integer(kind)
