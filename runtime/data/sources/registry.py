"""The reader of each type of data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from netwright.specs.models.data import AnySource

from ...errors import DataError
from ..inputs import Inputs
from ..samples import Samples
from ..wanted import Wanted
from . import array_files, audio_folder, csv_table, image_folder, parquet_table, text_files, token_files

#: By the type in the spec: a function of the data set's section, the folder that its paths are relative to, and what
#: the model takes. It looks at headers and names of files; samples are read when they are asked for.
_READERS: Mapping[str, Callable[[Any, Path, Wanted], Samples]] = {
    "arrays": array_files.open_set,
    "csv": csv_table.open_set,
    "parquet": parquet_table.open_set,
    "images": image_folder.open_set,
    "audio": audio_folder.open_set,
    "text": text_files.open_set,
    "tokens": token_files.open_set,
}

#: By the type in the spec: a function of the data set's section, paths to predict for, what the model takes, and how
#: many samples a batch has at most.
_INPUT_READERS: Mapping[str, Callable[[Any, Sequence[Path], Wanted, int], Inputs]] = {
    "arrays": array_files.read_inputs,
    "csv": csv_table.read_inputs,
    "parquet": parquet_table.read_inputs,
    "images": image_folder.read_inputs,
    "audio": audio_folder.read_inputs,
    "text": text_files.read_inputs,
    "tokens": token_files.read_inputs,
}


def read_inputs(spec: AnySource, paths: Sequence[Path], wanted: Wanted, size: int) -> Inputs:
    """Samples to predict for, read as ``spec`` declares a data set, in batches of up to ``size``. Raises DataError for
    paths of another type; what is wrong with a file's content is given as ``Unreadable``.
    """
    return _INPUT_READERS[spec.type](spec, paths, wanted, size)


def open_source(spec: AnySource, folder: Path, wanted: Wanted) -> Samples:
    """Opens the data set that ``spec`` declares. Raises DataError."""
    try:
        return _READERS[spec.type](spec, folder, wanted)
    except OSError as error:
        name = spec.path if isinstance(spec.path, str) else ", ".join(spec.path.values())
        raise DataError(f"{os.fspath(error.filename or folder / name)}: {error.strerror or error}") from error
