"""Compiled code kept on disk between processes.

An entry is one file, named by the hash of everything that made it, and starting with the hash of what it
holds: a file that is cut short or damaged is not found. Files are written beside and renamed, so concurrent
writers are safe. Code is executed from here, so the folder must be the user's own and writable by nobody
else; where it is not, nothing is cached.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from netwright.specs.files import write_file

_MAGIC = b"netwright\x00\x01"


def default_cache() -> ObjectCache | None:
    """The user's cache: ``NETWRIGHT_CACHE_DIR`` (empty: none), or ``netwright`` in the XDG cache folder."""
    chosen = os.environ.get("NETWRIGHT_CACHE_DIR")
    if chosen is not None:
        return ObjectCache(Path(chosen)) if chosen else None
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    except RuntimeError:  # no home folder
        return None
    return ObjectCache(root / "netwright")


class ObjectCache:
    """Bytes by key, in ``folder``/code. Nothing here raises for a disk that is full, read-only or damaged."""

    def __init__(self, folder: Path):
        self.folder = folder / "code"
        self._usable = self._prepare()

    @property
    def usable(self) -> bool:
        """Whether the folder is there, and the user's own."""
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
        """What is stored under ``key``, or None where there is nothing whole."""
        if not self._usable:
            return None
        try:
            stored = self._path(key).read_bytes()
        except OSError:
            return None
        start = len(_MAGIC) + 32
        payload = stored[start:]
        if stored[:start] != _MAGIC + hashlib.sha256(payload).digest():
            return None
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
