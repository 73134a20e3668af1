"""The data sets of a training: where their samples come from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from .base import Name, Seed, Size, SpecModel


def _location(value: str) -> str:
    if not value or "\0" in value:
        raise PydanticCustomError("text", "a path has characters, and no NUL among them")
    return value


Location = Annotated[str, AfterValidator(_location)]
"""A path relative to the spec."""


class DataSpec(SpecModel):
    """Base of the data sets. Their arrays have the names of inputs and targets, and one row per sample."""


class ArraysData(DataSpec):
    """Arrays as NumPy writes them: a `.npz` file with an array per input and target, or `.npy` files. Of arrays above
    64 MiB only the rows of a batch are read, unless they are compressed.
    """

    type: Literal["arrays"] = "arrays"
    path: Location | Annotated[dict[Name, Location], Field(min_length=1)]
    """A `.npz` file, a folder of `.npy` files that are named like the arrays, or a mapping of arrays to `.npy` files.
    A text in place of the data set is such a path.
    """


Columns = dict[Name, str | Annotated[tuple[str, ...], Field(min_length=1)]]


class TableData(DataSpec):
    """Base of the tables: a row per sample, columns by name. The whole table is kept in memory, in the model's types.

    A target of classes may have words as values: their numbers follow the `labels` of an output, or else the sorted
    words of the training data.
    """

    path: Location
    """The file."""
    columns: Columns = Field(default_factory=dict)
    """The columns of each input and target: a name, a list of names, or a pattern such as `pixel*`, which stands for
    the columns that fit it and that no other array names, in the file's order. The numbers of a row fill an array in
    row-major order. An array that is left out is the column of its own name.
    """


def _separator(value: str) -> str:
    if len(value) != 1 or value in '"\r\n':
        message = 'separator has to be one character, such as ; or a tab ("\\t"), and no quote or line break'
        raise PydanticCustomError("text", message)
    return value


class CsvData(TableData):
    """A CSV file (RFC 4180, UTF-8) with a header."""

    type: Literal["csv"] = "csv"
    separator: Annotated[str, AfterValidator(_separator)] = ","
    """The character that separates the cells."""


class ParquetData(TableData):
    """A Parquet file; needs the extra `data`."""

    type: Literal["parquet"] = "parquet"


class FolderData(DataSpec):
    """Base of the folders with a folder of files per class: the folders' names are the names of the classes. Their
    numbers follow the `labels` of an output, or else the sorted names of the training data. Files are read when they
    are needed.
    """

    path: Location
    """The folder."""
    input: Name | None = None
    """The input that the files fill; needed only if more than one could be meant."""
    target: Name | None = None
    """The target that takes the classes; needed only if more than one could be meant."""


class ImagesData(FolderData):
    """A folder of images by class (PNG, JPEG, …); needs the extra `data`. Images become grey (one channel, or none in
    the shape), RGB (3) or RGBA (4) as the input has channels, turned upright as cameras note it. Their numbers are 0 to
    255 also where the input takes floats: a layer `rescale` scales them, so that an executable takes raw images, too.
    """

    type: Literal["images"] = "images"
    resize: Annotated[tuple[Size, ...], Field(min_length=2, max_length=2)] | None = None
    """Height and width that all images get (bilinear, averaging what it makes smaller). By default they must have the
    same size.
    """


class AudioData(FolderData):
    """A folder of WAV files by class, 8, 16, 24 or 32 bit PCM, as numbers from −1 to 1. Channels are the last axis of
    the input; a single one needs no axis.
    """

    type: Literal["audio"] = "audio"
    rate: Size
    """Samples per second that all files must have."""
    length: Size | None = None
    """How long the recordings become, in samples: shorter ones end in zeros, longer ones are cut. The lengths before
    that fill the input that `lengths` of the input names. By default all files must have the same length.
    """


class SplitData(DataSpec):
    """Samples taken out of another set, which keeps the others. It needs no type."""

    source: Annotated[Name, Field(alias="from")]
    """The set to take samples from."""
    fraction: Annotated[float, Field(strict=True, gt=0, lt=1)]
    """How much of the set to take."""
    stratify: Name | None = None
    """An integer array, such as a target of classes, each of whose values is split in the same proportion."""
    seed: Seed = 0
    """Another seed takes other samples. It does not depend on the seed of the training, so that trainings with
    different seeds are judged by the same samples.
    """


SPLIT = SplitData.__name__
AnySource = ArraysData | CsvData | ParquetData | ImagesData | AudioData


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
    | Annotated[SplitData, Tag(SPLIT)],
    Discriminator(_kind),
    BeforeValidator(_written, json_schema_input_type=Location | SplitData | AnySource),
]
"""A data set: a path, a mapping with a type, or a split of another set."""
