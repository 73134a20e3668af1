"""Data sets in .npz files, which are read without whatever made their arrays. Beside the arrays they may hold what
weights keep of the training data: the names of classes, and the vocabularies of texts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import IO
from zipfile import ZipFile, ZipInfo

import numpy as np

from netwright.specs.files import write_file

from ..errors import DataError, WeightsError
from ..files.npz import METADATA, read_npz
from .class_names import CLASSES_KEY, ClassNames, classes_from_metadata, classes_to_text
from .samples import Samples
from .vocabulary import KEY, Vocabulary, from_metadata, to_text


def write_set(path: str | Path, samples: Samples, names: Iterable[str]) -> None:
    """Writes those arrays of a data set, piece by piece, with the names of classes and the vocabularies of texts that
    weights keep. The file appears completely or not at all. Raises OSError, and DataError for samples that can't be
    read.
    """
    names = list(names)
    vocabularies = {name: made for name, made in samples.vocabularies.items() if name in names}
    classes = {name: made for name, made in samples.classes.items() if name in names}
    about = {KEY: to_text(vocabularies)} if vocabularies else {}
    about |= {CLASSES_KEY: classes_to_text(classes)} if classes else {}

    def write(file: IO[bytes]) -> None:
        with ZipFile(file, "w") as archive:
            for name in names:
                # ZipInfo's default date is fixed, so equal arrays give equal bytes.
                with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as stream:
                    _write_array(stream, samples, name)
            if about:
                text = json.dumps(about, ensure_ascii=False).encode("utf-8", "surrogateescape")
                with archive.open(ZipInfo(f"{METADATA}.npy"), "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, np.frombuffer(text, np.uint8), allow_pickle=False)

    write_file(path, write)


def _write_array(stream: IO[bytes], samples: Samples, name: str) -> None:
    header = samples.headers[name]
    dtype = header.dtype.newbyteorder("<")
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": header.shape}
    np.lib.format.write_array_header_1_0(stream, described)
    for _, arrays in samples.pieces([name]):
        stream.write(np.ascontiguousarray(arrays[name], dtype).data)


def names_in(path: str | Path) -> tuple[ClassNames, dict[str, Vocabulary]]:
    """The names of classes and the vocabularies that ``write_set`` put into a .npz file. Raises DataError."""
    array = read_npz(path, [METADATA]).get(METADATA)
    if array is None:
        return {}, {}
    try:
        about = json.loads(array.tobytes())
        if not isinstance(about, dict) or not all(isinstance(text, str) for text in about.values()):
            raise ValueError("it is no object of texts")
        return classes_from_metadata(about, path), from_metadata(about, path)
    except WeightsError as error:
        raise DataError(str(error)) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: {METADATA} can't be read: {error}") from None
