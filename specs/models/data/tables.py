"""Data sets that are tables."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..base import Name, at
from .base import DataSpec, Location
from .sequences import Separator, TextColumnSpec

Columns = dict[Name, str | Annotated[tuple[str, ...], Field(min_length=1)]]


class TableData(DataSpec):
    """Base of the tables: a row per sample, columns by name. The whole table is kept in memory, in the model's types.

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
