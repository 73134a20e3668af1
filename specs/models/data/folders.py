"""Data sets that are folders of files by class."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ..base import Name, Size, SpecModel
from .base import DataSpec, Location


class FolderData(DataSpec):
    """Base of the folders with a folder of files per class: the folders' names are the names of the classes. Their
    numbers follow the `labels` of an output, or else the sorted names of the training data, which are kept with the
    weights. For a loss of yes or no with a single score there are two: the first one is 0, the second one is 1. Files
    are read when they are needed.
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


class TranscriptsSpec(SpecModel):
    """What is said in the recordings of a folder: the labels that the loss `ctc` compares."""

    path: Location
    """A text file with a line per recording: its file in the folder, a tab, and what is said."""
    of: Literal["characters", "spaces"] = "characters"
    """What a label is: `characters`, spaces included; or `spaces`, whatever stands between spaces."""


def _written(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


Transcripts = Annotated[
    TranscriptsSpec, BeforeValidator(_written, json_schema_input_type=Location | TranscriptsSpec)
]


class AudioData(FolderData):
    """A folder of WAV files by class, 8, 16, 24 or 32 bit PCM, as numbers from −1 to 1. Channels are the last axis of
    the input; a single one needs no axis. A layer such as `log_mel` makes spectra of them, so that an executable takes
    raw sound.
    """

    type: Literal["audio"] = "audio"
    rate: Size
    """Samples per second that all files must have."""
    length: Size | None = None
    """How long the recordings become, in samples: shorter ones end in zeros, longer ones are cut. The lengths before
    that fill the input that `lengths` of the input names. By default all files must have the same length.
    """
    transcripts: Transcripts | None = None
    """What is said in the recordings, in place of folders by class, for the loss `ctc`: a text file, or a mapping of
    `path` and `of`.
    """
