"""The data sets of a training: where their samples come from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Tag
from pydantic_core import PydanticCustomError

from .arrays import ArraysData, SplitData
from .base import DataSpec, Location
from .folders import AudioData, FolderData, ImagesData, TranscriptsSpec
from .sequences import SequenceData, TextColumnSpec, TextData, TokensData, VocabularySpec
from .tables import CsvData, ParquetData, TableData

__all__ = [
    "SPLIT",
    "AnySource",
    "ArraysData",
    "AudioData",
    "CsvData",
    "Data",
    "DataSpec",
    "FolderData",
    "ImagesData",
    "ParquetData",
    "SequenceData",
    "SplitData",
    "TableData",
    "TextColumnSpec",
    "TextData",
    "TokensData",
    "TranscriptsSpec",
    "VocabularySpec",
]

SPLIT = SplitData.__name__
AnySource = ArraysData | CsvData | ParquetData | ImagesData | AudioData | TextData | TokensData


def _written(value: Any) -> Any:
    if isinstance(value, str):
        return {"type": "arrays", "path": value}
    if not isinstance(value, dict | DataSpec):
        raise PydanticCustomError("wrong_type", "no data set", {"expected": ["a path", "a mapping"]})
    return value


def _kind(value: Any) -> str | None:
    if isinstance(value, dict):
        return SPLIT if "type" not in value and "from" in value else value.get("type")
    return SPLIT if isinstance(value, SplitData) else getattr(value, "type", None)


Data = Annotated[
    Annotated[ArraysData, Tag("arrays")]
    | Annotated[CsvData, Tag("csv")]
    | Annotated[ParquetData, Tag("parquet")]
    | Annotated[ImagesData, Tag("images")]
    | Annotated[AudioData, Tag("audio")]
    | Annotated[TextData, Tag("text")]
    | Annotated[TokensData, Tag("tokens")]
    | Annotated[SplitData, Tag(SPLIT)],
    Discriminator(_kind),
    BeforeValidator(_written, json_schema_input_type=Location | SplitData | AnySource),
]
"""A data set: a path, a mapping with a type, or a split of another set."""
