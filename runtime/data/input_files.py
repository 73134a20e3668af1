"""The files that paths to predict for stand for."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from netwright.specs.files import STANDARD_STREAM

from ..errors import DataError


def list_files(
    paths: Iterable[Path], suffixes: Sequence[str], kind: str, *, others: bool = False
) -> list[Path]:
    """The files that ``paths`` name, and those in and below the folders among them that end in one of the
    ``suffixes``, sorted by folder. With ``others`` a file may end in anything, and be `-`.

    Raises DataError for a path that is not there or that is no ``kind``, and for a folder without one.
    """
    files: list[Path] = []
    for path in paths:
        if str(path) == STANDARD_STREAM:
            if not others:
                raise DataError(f"-: standard input is not read for this; name each {kind}")
            files.append(path)
        elif path.is_dir():
            files += files_below(path, suffixes, kind)
        elif not path.exists():
            raise DataError(f"{path}: {os.strerror(errno.ENOENT)}")
        elif not others and path.suffix.lower() not in suffixes:
            raise DataError(f"{path} is no {kind}: those end in {', '.join(suffixes)}")
        else:
            files.append(path)
    return files


def files_below(folder: Path, suffixes: Sequence[str], kind: str) -> list[Path]:
    """The files in and below a folder that end in one of the ``suffixes``, sorted by folder; hidden ones are passed
    over. Raises DataError if there is none, or a folder can't be read.
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: {error.strerror or error}") from error

    files: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        files += [Path(place, name) for name in sorted(names) if name[0] != "." and _fits(name, suffixes)]
    if not files:
        raise DataError(f"{folder}: no {kind} is in this folder or below ({', '.join(suffixes)})")
    return files


def _fits(name: str, suffixes: Sequence[str]) -> bool:
    return os.path.splitext(name)[1].lower() in suffixes
