"""What the code cache holds, and what is removed of it: least recently used files, once there are too many bytes.

Nothing here raises for files that others remove or write meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

DAY = 24 * 3600.0
#: Trimming leaves this share of the limit, so that it isn't due again after the next file.
_KEPT = 0.75
#: A file under a temporary name that is older was left behind by a process that was killed.
_ABANDONED = 3600.0


@dataclass(frozen=True)
class _File:
    path: str
    size: int
    used: float


@dataclass(frozen=True)
class Usage:
    """Files of a cache and their bytes. ``used`` is when the least and the most recently used file were last read or
    written, in seconds since 1970, to the day; None if there is no file.
    """

    files: int
    bytes: int
    used: tuple[float, float] | None


def usage(folder: Path) -> Usage:
    """What a cache holds."""
    return _sum(list(_files(_parts(folder))))


def clear(folder: Path, unused_for: float = 0.0) -> Usage:
    """Removes the files that were not used for so many seconds; 0 removes all. Returns what was removed."""
    latest = time.time() - unused_for
    return _remove(file for file in list(_files(_parts(folder))) if unused_for <= 0 or file.used < latest)


def trim(part: Path, limit: float) -> None:
    """Removes the least recently used files of a part of a cache if they have more than ``limit`` bytes together."""
    files = sorted(_files([part]), key=lambda file: file.used)
    size = sum(file.size for file in files)
    if size <= limit:
        return
    for file in files:
        if size <= _KEPT * limit:
            break
        _remove([file])
        size -= file.size


def touch(path: Path, used: float) -> None:
    """Marks a file as used now, if it was last ``used`` over a day ago: that is exact enough, and seldom a write."""
    if time.time() - used > DAY:
        with suppress(OSError):
            os.utime(path)


def _parts(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [Path(entry) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    return []


def _files(parts: Iterable[Path]) -> Iterator[_File]:
    for part in parts:
        with suppress(OSError), os.scandir(part) as entries:
            for entry in entries:
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if not entry.is_file(follow_symlinks=False):
                        continue
                    if entry.name.startswith(".") and time.time() - status.st_mtime < _ABANDONED:
                        continue  # somebody is writing it
                    yield _File(entry.path, status.st_size, status.st_mtime)


def _remove(files: Iterable[_File]) -> Usage:
    removed = []
    for file in files:
        with suppress(OSError):
            os.unlink(file.path)
            removed.append(file)
    return _sum(removed)


def _sum(files: list[_File]) -> Usage:
    times = [file.used for file in files]
    return Usage(len(files), sum(file.size for file in files), (min(times), max(times)) if times else None)
