"""Reads and writes the files that users name. Netwright writes every file with this module.

A file appears completely or not at all: a regular file is written under a temporary name in the same folder and then
renamed, with the mode of the file it replaces. A symbolic link stays, and its target is replaced. Devices, pipes and
standard output (`-`) are written to once the content is complete. Data are read from regular files only, since reading
from a pipe could block for ever.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

#: For an output this name means standard output; for an input, standard input.
STANDARD_STREAM = "-"
#: Paths of a descriptor of this process. They are not opened again, which would write from the start of the file.
_DESCRIPTOR = re.compile(r"/dev/(?:fd/(\d+)|(stdin|stdout|stderr))|/proc/self/fd/(\d+)")
_NUMBERS = {"stdin": 0, "stdout": 1, "stderr": 2}

#: What the names of temporary files and folders begin and end with.
_PREFIX, _SUFFIX = ".netwright-", ".tmp"

#: Temporary files and folders that exist at the moment. A signal that ends the process removes them.
_temporary: set[str] = set()

Write = Callable[[IO[bytes]], object]


def write_file(
    path: str | os.PathLike[str], content: bytes | Write, *, executable: bool = False, durable: bool = True
) -> None:
    """Writes a file, a device, a pipe or (`-`) standard output.

    ``content`` is bytes, or a function that writes them to the binary file it gets. The umask decides who may read a
    new file and, with ``executable``, run it; a replaced file keeps its mode. When this returns the content is on the
    disk, unless ``durable`` is False. Raises OSError with ``path`` as its file name; the previous file is then
    unchanged.
    """
    name = os.fspath(path)
    write: Write = content if callable(content) else lambda file: file.write(content)
    try:
        if is_stream(name):
            _write_stream(name, write)
        else:
            _replace(os.path.realpath(name), write, 0o777 if executable else 0o666, durable)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # nobody is left to report it to
            raise
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), name) from error


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether a path names something that can't be replaced, only written to: standard output (`-`), a device, a
    pipe.
    """
    name = os.fspath(path)
    if name == STANDARD_STREAM or descriptor(name) is not None:
        return True
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def descriptor(path: str | os.PathLike[str]) -> int | None:
    """The number of the descriptor for /dev/stdout, /dev/fd/3 and the like; None for other paths."""
    match = _DESCRIPTOR.fullmatch(os.fspath(path))
    if match is None:
        return None
    return _NUMBERS[match[2]] if match[2] else int(match[1] or match[3])


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises OSError, with ``path`` as its file name, if a file can't be written there. Call it before long work rather
    than fail after it.
    """
    name = os.fspath(path)
    if is_stream(name):
        return
    place = os.path.realpath(name)
    try:
        os.lstat(place)
    except FileNotFoundError:
        pass  # a new file, or its folder is missing
    except OSError as error:
        raise OSError(error.errno or errno.EIO, error.strerror, name) from None
    if os.path.isdir(place):
        raise OSError(errno.EISDIR, "it is a directory", name)
    if os.path.lexists(place) and not os.access(place, os.W_OK):
        raise OSError(errno.EACCES, "it is there and can't be written to", name)
    folder = os.path.dirname(place)
    if not os.path.isdir(folder):
        code = errno.ENOTDIR if os.path.lexists(folder) else errno.ENOENT
        raise OSError(code, f"there is no directory {os.path.dirname(name) or folder}", name)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OSError(errno.EACCES, f"nothing can be written in the directory {folder}", name)


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """Opens a file to read it. Raises OSError, without blocking, if it is not a regular file."""
    name = os.fspath(path)
    handle = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    what = "a pipe" if stat.S_ISFIFO(mode) else "a device" if stat.S_ISCHR(mode) else "no regular file"
    raise OSError(errno.EINVAL, f"it is {what}; it has to be a regular file", name)


class Scratch:
    """A temporary folder, ``path``, for files that other programs read."""

    def __init__(self, path: Path):
        self.path = path

    def write(self, name: str, content: str | bytes | Write) -> None:
        """Writes a file in the folder. Raises OSError."""
        data = content.encode() if isinstance(content, str) else content
        with open(self.path / name, "wb") as file:
            data(file) if callable(data) else file.write(data)


@contextmanager
def scratch_folder() -> Iterator[Scratch]:
    """A temporary folder that is removed at the end.

    An OSError for a file in it names the temporary folder as the cause, since the user has not named such a file.
    """
    parent = tempfile.gettempdir()
    folder = ""
    try:
        folder = tempfile.mkdtemp(prefix="netwright-")
        _temporary.add(folder)
        yield Scratch(Path(folder))
    except OSError as error:
        if not folder or str(error.filename or "").startswith(folder) or error.filename is None:
            said = f"{error.strerror or error}, in the folder for temporary files (TMPDIR names another)"
            raise OSError(error.errno or errno.EIO, said, parent) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _temporary.discard(folder)


@contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A folder to write files to that appears at ``path``, with all of them, at the end; after an error it does not.

    Raises FileExistsError if something is at ``path``, and OSError.
    """
    place = Path(os.path.abspath(path))
    taken = FileExistsError(errno.EEXIST, "it is there already", os.fspath(path))
    if os.path.lexists(place):
        raise taken
    temporary = place.parent / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
    _temporary.add(str(temporary))
    try:
        temporary.mkdir()
        yield temporary
        try:
            os.rename(temporary, place)  # a folder with something in it is not replaced
        except OSError as error:
            if os.path.lexists(place):
                raise taken from None
            raise OSError(error.errno or errno.EIO, error.strerror, os.fspath(path)) from None
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        _temporary.discard(str(temporary))


def remove_abandoned(folder: str | os.PathLike[str]) -> None:
    """Removes what processes that were killed left half-written in a folder that nobody writes to."""
    for path in Path(folder).glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError):
            path.unlink()


def remove_temporary() -> None:
    """Removes half-written files, for a process that is about to be ended."""
    for name in list(_temporary):
        with suppress(OSError):
            os.unlink(name) if not os.path.isdir(name) else shutil.rmtree(name, ignore_errors=True)


def _replace(place: str, write: Write, mode: int, durable: bool) -> None:
    """``place`` is the real path, without symbolic links."""
    check_writable(place)
    try:
        before = os.stat(place)
    except FileNotFoundError:
        before = None
    folder = os.path.dirname(place)
    # The temporary name does not contain the file's name, which may have the maximum length already.
    temporary = os.path.join(folder, f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    _temporary.add(temporary)
    try:
        with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
            write(file)
            file.flush()
            if before is not None:
                _keep(temporary, before)
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, place)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        _temporary.discard(temporary)
    if durable:
        _sync_folder(folder)


def _keep(path: str, before: os.stat_result) -> None:
    """Copies the mode and, if that is allowed, the owner of the file that is replaced."""
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(path, before.st_uid, before.st_gid)
    runs = os.stat(path).st_mode & 0o111  # a program must be executable, whatever it replaces
    os.chmod(path, stat.S_IMODE(before.st_mode) | runs)


def _write_stream(name: str, write: Write) -> None:
    content = io.BytesIO()  # `content` may seek, and if it fails nothing has been sent
    write(content)
    if name == STANDARD_STREAM:
        sys.stdout.flush()
        sys.stdout.buffer.write(content.getbuffer())
        sys.stdout.buffer.flush()
        return
    number = descriptor(name)
    if number in (1, 2):
        (sys.stdout if number == 1 else sys.stderr).flush()
    handle = os.open(name, os.O_WRONLY) if number is None else os.dup(number)
    with os.fdopen(handle, "wb", buffering=0) as file:
        left = content.getbuffer()
        while left:
            left = left[file.write(left) :]


def _sync_folder(folder: str) -> None:
    # The rename is durable only after the folder is synced; some systems can't open folders.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
