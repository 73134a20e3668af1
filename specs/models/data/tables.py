"""Data sets that are tables."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..base import Integer, Name, Size, at
from .base import DataSpec, Location
from .sequences import Separator, TextColumnSpec

Columns = dict[Name, str | Annotated[tuple[str, ...], Field(min_length=1)]]


class TableData(DataSpec):
    """Base of the tables: a row per sample (or per step, with `window`), columns by name. The whole table is kept in
    memory, in the model's types.

    A target of classes may have words as values: their numbers follow the `labels` of an output, or else the sorted
    words of the training data, which are kept with the weights.
    """

    path: Location
    """The file."""
    columns: Columns = Field(default_factory=dict)
    """The columns of each input and target: a name, a list of names, or a pattern such as `pixel*`, which stands for
    the columns that fit it and that no other array names, in the file's order. The numbers of a row fill an array in
    row-major order. An array that is left out is the column of its own name.
    """
    text: dict[Name, TextColumnSpec] = Field(default_factory=dict)
    """The inputs whose column holds text, and how it becomes numbers of tokens."""
    window: Size | None = None
    """Reads the table as one series, a row per step, and makes a sample of so many rows that follow each other. Inputs
    and targets with an axis for steps, `[N, T, …]`, get all rows of the window, others get its last row.
    """
    stride: Size | None = None
    """How many rows apart windows begin; 1 by default."""
    ahead: Annotated[Integer, Field(ge=0)] = 0
    """How many rows later the targets are: with 1, the network learns the next row."""

    def reading(self) -> dict[str, Any]:
        """How the table is read: all keys that do not depend on its type, except the path."""
        keys = TableData.model_fields.keys() - {"path"}
        return {key: getattr(self, key) for key in keys}

    @model_validator(mode="after")
    def _is_a_series(self) -> TableData:
        for key in ("stride", "ahead"):
            if getattr(self, key) and self.window is None:
                raise at(key, "together", f"{key} is of windows; window says how many rows they have")
        if self.text and self.window is not None:
            raise at("window", "together", "windows are of numbers, and a column of text is read row by row")
        return self

    @property
    def followed(self) -> dict[Name, Name]:
        """The inputs whose next tokens are a target, and those targets."""
        return {name: text.next_token for name, text in self.text.items() if text.next_token is not None}

    @model_validator(mode="after")
    def _targets_once(self) -> TableData:
        targets: set[str] = set()
        for target in self.followed.values():
            if target in targets or target in self.columns:
                raise at(
                    "text", "together", "next_token: {target} is filled by another column, too", target=target
                )
            targets.add(target)
        return self


class CsvData(TableData):
    """A CSV file (RFC 4180, UTF-8) with a header."""

    type: Literal["csv"] = "csv"
    separator: Separator = ","
    """The character that separates the cells."""


class ParquetData(TableData):
    """A Parquet file; needs the extra `data`."""

    type: Literal["parquet"] = "parquet"
