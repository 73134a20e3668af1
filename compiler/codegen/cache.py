"""Compiled code cached on disk between processes.

An entry is one file. Its name is the hash of everything that determines the code, and it starts with the hash of the
code, so that a file which is cut short or damaged counts as missing. Files are written under a temporary name and
renamed, so concurrent writers are safe. Code is executed from here, so the folder must belong to the user and be
writable by nobody else; otherwise nothing is cached.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from netwright.specs.files import write_file

_MAGIC = b"netwright\x00\x01"


def default_cache() -> ObjectCache | None:
    """The user's cache: ``NETWRIGHT_CACHE_DIR`` (empty: no cache), or ``netwright`` in the XDG cache folder."""
    chosen = os.environ.get("NETWRIGHT_CACHE_DIR")
    if chosen is not None:
        return ObjectCache(Path(chosen)) if chosen else None
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    except RuntimeError:  # there is no home folder
        return None
    return ObjectCache(root / "netwright")


class ObjectCache:
    """Bytes by key, in ``folder``/code. Nothing here raises for a disk that is full, read-only or damaged."""

    def __init__(self, folder: Path):
        self.folder = folder / "code"
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
