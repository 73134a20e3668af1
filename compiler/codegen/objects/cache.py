"""Compiled code cached on disk between processes.

An entry is one file. Its name is the hash of everything that determines the code, and it starts with the hash of the
code, so that a file which is cut short or damaged counts as missing. Files are written under a temporary name and
renamed, so concurrent writers are safe. Code is executed from here, so the folder must belong to the user and be
writable by nobody else; otherwise nothing is cached.

Hashes spread entries evenly over 256 folders. Each keeps to its share of the size limit by itself, so that nobody ever
has to look through the whole cache.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from netwright.specs.files import write_file
from netwright.specs.models.budget import Bytes

from .upkeep import touch, trim

_MAGIC = b"netwright\x00\x01"
_PARTS = 256
#: A folder's size is looked at after one of so many files that are written there.
_SELDOM = 16
DEFAULT_LIMIT = 10**9


class CacheError(ValueError):
    """A setting of the cache that can't be understood."""


def default_cache() -> ObjectCache | None:
    """The user's cache: ``NETWRIGHT_CACHE_DIR`` (empty: no cache), or ``netwright`` in the XDG cache folder. It keeps
    to about ``NETWRIGHT_CACHE_LIMIT`` bytes. Raises CacheError if that is no number of bytes.
    """
    chosen = os.environ.get("NETWRIGHT_CACHE_DIR")
    limit = _limit()
    if chosen is not None:
        return ObjectCache(Path(chosen), limit) if chosen else None
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    except RuntimeError:  # there is no home folder
        return None
    return ObjectCache(root / "netwright", limit)


def _limit() -> int:
    written = os.environ.get("NETWRIGHT_CACHE_LIMIT", "")
    if not written:
        return DEFAULT_LIMIT
    try:
        return TypeAdapter(Bytes).validate_python(int(written) if written.isdecimal() else written)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise CacheError(f"NETWRIGHT_CACHE_LIMIT is {written!r}: {said}") from None


def kept(cache: ObjectCache | None, parts: Sequence[str], make: Callable[[], bytes]) -> bytes:
    """What ``make`` makes, or what the cache has of it (None: there is none). ``parts`` determine it together."""
    if cache is None:
        return make()
    key = cache.key(*parts)
    payload = cache.get(key)
    if payload is None:
        payload = make()
        cache.put(key, payload)
    return payload


class ObjectCache:
    """Bytes by key, in ``folder``/code, of which about ``limit`` are kept: those that were used least recently go.
    Nothing here raises for a disk that is full, read-only or damaged.
    """

    def __init__(self, folder: Path, limit: int = DEFAULT_LIMIT):
        self.folder = folder / "code"
        self.limit = limit
        self._usable = self._prepare()

    @property
    def usable(self) -> bool:
        """Whether the folder exists, belongs to the user and is writable by nobody else."""
        return self._usable

    @staticmethod
    def key(*parts: str) -> str:
        digest = hashlib.sha256()
        for part in parts:
            encoded = part.encode()
            digest.update(len(encoded).to_bytes(8, "little"))
            digest.update(encoded)
        return digest.hexdigest()

    def get(self, key: str) -> bytes | None:
        """The bytes stored under ``key``; None if they are missing or damaged."""
        if not self._usable:
            return None
        path = self._path(key)
        try:
            with open(path, "rb") as file:
                used = os.fstat(file.fileno()).st_mtime
                stored = file.read()
        except OSError:
            return None
        start = len(_MAGIC) + 32
        payload = stored[start:]
        if stored[:start] != _MAGIC + hashlib.sha256(payload).digest():
            return None
        touch(path, used)
        return payload

    def put(self, key: str, payload: bytes) -> None:
        if not self._usable:
            return
        path = self._path(key)
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_file(path, _MAGIC + hashlib.sha256(payload).digest() + payload, durable=False)
        except OSError:
            return
        if int(key[2:4], 16) % _SELDOM == 0:
            trim(path.parent, self.limit / _PARTS)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key[2:]

    def _prepare(self) -> bool:
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.mkdir(exist_ok=True, mode=0o700)
            status = self.folder.lstat()
        except OSError:
            return False
        if not hasattr(os, "getuid"):
            return stat.S_ISDIR(status.st_mode)
        return (
            stat.S_ISDIR(status.st_mode)
            and status.st_uid == os.getuid()
            and not stat.S_IMODE(status.st_mode) & 0o022
        )
