"""Files that grow while a program runs, such as the metrics of a training. `write_file` writes all others.

A file that is appended to may end in a part of a line after a kill or on a full disk; whoever reads it leaves that part
out. While a process appends to a file it holds the file's lock, which ends with the process, however it ends.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # not on every system; then nobody can tell whether a file is being written
    fcntl = None


class FileInUseError(OSError):
    """Another process, or another part of this one, appends to the file."""


class AppendedFile:
    """A file that is kept as far as its first ``keep`` bytes, and appended to.

    Raises FileInUseError while somebody else appends to it, and OSError with ``path`` as its file name.
    """

    def __init__(self, path: str | os.PathLike[str], keep: int = 0):
        self.path = os.fspath(path)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self._handle: int | None = os.open(self.path, flags, 0o666)
        try:
            if not _lock(self._handle, shared=False):
                raise FileInUseError(errno.EAGAIN, "it is being written by another process", self.path)
            os.ftruncate(self._handle, keep)
            os.lseek(self._handle, keep, os.SEEK_SET)
        except OSError as error:
            self.close()
            error.filename = self.path
            raise
        self._size = keep

    def append(self, content: bytes) -> None:
        """Appends ``content``: all of it or nothing, unless the process is killed. Raises OSError, also on a file that
        is closed.
        """
        if self._handle is None:
            raise OSError(errno.EBADF, "it is closed", self.path)
        left = memoryview(content)
        try:
            while left:
                left = left[os.write(self._handle, left) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._handle, self._size)
                os.lseek(self._handle, self._size, os.SEEK_SET)
            raise OSError(error.errno or errno.EIO, error.strerror or str(error), self.path) from error
        self._size += len(content)

    def cut(self, keep: int) -> None:
        """Keeps the first ``keep`` bytes and goes on after them. Raises OSError."""
        if self._handle is None:
            raise OSError(errno.EBADF, "it is closed", self.path)
        os.ftruncate(self._handle, keep)
        os.lseek(self._handle, keep, os.SEEK_SET)
        self._size = keep

    def close(self) -> None:
        """Closes the file and gives up its lock."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def is_appended_to(path: str | os.PathLike[str]) -> bool:
    """Whether a process appends to the file at this moment. False if there is no such file."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(handle, shared=True)
    finally:
        os.close(handle)


def _lock(handle: int, *, shared: bool) -> bool:
    """Takes the lock of an open file, and tells whether that was possible. Where there are no locks, it is."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
