"""`type: parquet`: a Parquet file, read by pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.models.data import ParquetData

from ...errors import DataError
from ..classes import number_classes
from ..extras import need
from ..wanted import Wanted
from .tables import Filled, Table, columns_for, filled


def open_set(spec: ParquetData, folder: Path, wanted: Wanted) -> Table:
    """Reads the columns that the model takes. Raises DataError."""
    path = folder / spec.path
    parquet = need("pyarrow.parquet", path)
    arrow = need("pyarrow", path)
    try:
        with parquet.ParquetFile(path, memory_map=False) as file:
            header = list(file.schema_arrow.names)
            arrays = columns_for(spec, wanted, header, path)
            names = sorted({header[i] for one in arrays for i in one.columns})
            table = file.read(columns=names, use_threads=False)
    except arrow.ArrowException as error:
        raise DataError(f"{path}: not a readable Parquet file: {str(error).splitlines()[0]}") from error
    if not table.num_rows:
        raise DataError(f"{path}: there is no row")
    found: dict[str, NDArray] = {}
    classes: dict[str, tuple[str, ...]] = {}
    for one in arrays:
        name = one.info.name
        columns = [table.column(header[i]) for i in one.columns]
        for i, column in zip(one.columns, columns, strict=True):
            _check_nulls(column, f"column {header[i]!r}", path)
        if one.is_class and not _is_integer(arrow, columns[0].type):
            values, classes[name] = _numbered(
                arrow, columns[0], wanted.classes[name], header[one.columns[0]], path
            )
        else:
            values = np.stack(
                [_numbers(arrow, c, one, header[i], path) for i, c in zip(one.columns, columns, strict=True)],
                axis=1,
            )
        found[name] = filled(one, values, _place, path)
    return Table(path, found, {name: names for name, names in classes.items() if names}, _place)


def _place(row: int) -> str:
    return f"row {row}"


def _check_nulls(column: Any, what: str, path: Path) -> None:
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        more = f", and {column.null_count - 1} more" if column.null_count > 1 else ""
        raise DataError(f"{path}, {_place(row)}, {what}: the cell is empty{more}")


def _numbers(arrow: Any, column: Any, one: Filled, name: str, path: Path) -> NDArray:
    kind = column.type
    whole = _is_integer(arrow, kind)
    if not (whole or arrow.types.is_boolean(kind) or arrow.types.is_floating(kind)):
        raise DataError(f"{path}, column {name!r}: {one.info.name} takes numbers, this is {kind}")
    if one.dtype.kind in "iub" and arrow.types.is_floating(kind):
        raise DataError(f"{path}, column {name!r}: {one.info.name} takes whole numbers, this is {kind}")
    values = column.to_numpy()
    return values if one.dtype.kind != "f" else values.astype(np.float64)


def _numbered(
    arrow: Any, column: Any, names: tuple[str, ...] | None, name: str, path: Path
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    texts = [str(value).strip() for value in column.to_pylist()]
    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        first.setdefault(text, row)
    numbers, classes = number_classes(
        list(first), names, lambda text: f"{path}, {_place(first[text])}, column {name!r}"
    )
    return np.array([numbers[text] for text in texts], np.int64)[:, None], classes


def _is_integer(arrow: Any, kind: Any) -> bool:
    return arrow.types.is_integer(kind)
