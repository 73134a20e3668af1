"""Reads .npz archives as carefully as .npy files: sizes are checked before anything is unpacked."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from numpy.typing import NDArray

from netwright.specs.files import open_regular, write_file

from ..errors import DataError
from .npy import ArrayHeader, check_size, read_data, read_header

#: The best ratio that Deflate can reach. An archive that claims more is damaged or an attack.
_MAX_RATIO = 1032
#: What an archive may hold beside arrays of samples: JSON about them.
METADATA = "netwright.metadata"
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)

T = TypeVar("T")
#: A function of the archive's file, a member, the stream of its content, its header, and its name in messages.
_Use = Callable[[IO[bytes], zipfile.ZipInfo, IO[bytes], ArrayHeader, str], T]


def read_npz_headers(path: str | Path) -> dict[str, ArrayHeader]:
    """Shape and dtype of every array in an archive, in its order, without unpacking the data.

    Raises DataError: a file that can't be opened or is not an archive of arrays; a member that is not a
    well-formed array, is packed in an unusual way, occurs twice, or declares sizes that the file can't hold.
    """
    return {name: header for name, (header, _) in npz_positions(path).items()}


def npz_positions(path: str | Path) -> dict[str, tuple[ArrayHeader, int | None]]:
    """As ``read_npz_headers``, each with the position of its data in the file; None if they are compressed."""

    def position(file: IO[bytes], member: zipfile.ZipInfo, header: ArrayHeader) -> int | None:
        if member.compress_type != zipfile.ZIP_STORED:
            return None
        # The lengths of the name and of the extra field are repeated before the data, and may differ there.
        file.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
        return member.header_offset + 30 + name + extra + header.offset

    return _for_each(path, lambda file, member, _, header, name: (header, position(file, member, header)))


def read_npz(path: str | Path, names: Container[str] | None = None) -> dict[str, NDArray]:
    """All arrays of an archive, or those with these ``names``, by name. Raises DataError as ``read_npz_headers``, also
    for damaged data, and for arrays that need more memory than the machine has.
    """

    def read(
        _: IO[bytes], member: zipfile.ZipInfo, stream: IO[bytes], header: ArrayHeader, name: str
    ) -> NDArray:
        if member.file_size > (memory := _physical_memory()):
            raise DataError(f"{name} needs {member.file_size:,} bytes; this machine has {memory:,}")
        array = read_data(stream, header, name)
        stream.read(1)  # reading to the end makes zipfile compare the checksum
        return array

    return _for_each(path, read, names)


def write_npz(path: str | Path, arrays: Mapping[str, NDArray]) -> None:
    """Writes an uncompressed archive, completely or not at all. Raises OSError."""

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                # ZipInfo's default date is fixed, so equal arrays give equal bytes.
                member = zipfile.ZipInfo(f"{name}.npy")
                with archive.open(member, "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, np.asarray(array, order="C"), allow_pickle=False)

    write_file(path, write)


def _for_each(path: str | Path, use: _Use[T], names: Container[str] | None = None) -> dict[str, T]:
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            with zipfile.ZipFile(file) as archive:
                members = _checked_members(archive, size, str(path))
                return {
                    name: _use_member(file, archive, member, f"{path}: {name}", use)
                    for name, member in members.items()
                    if (name != METADATA if names is None else name in names)
                }
    except DataError:
        raise
    except _BROKEN as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{path}: not a readable .npz archive: {reason}") from error


def _checked_members(archive: zipfile.ZipFile, size: int, path: str) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename:
            raise DataError(f"{path}: {info.filename!r} in it is not an array (.npy)")
        if name in members:
            raise DataError(f"{path}: array {name!r} occurs twice")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 0x1:
            raise DataError(f"{path}: array {name!r} is packed in a way that np.savez never uses")
        if info.file_size > info.compress_size * _MAX_RATIO + 1024:
            raise DataError(
                f"{path}: array {name!r} claims to unpack {info.compress_size:,} bytes to {info.file_size:,}"
            )
        members[name] = info
    # Members that share bytes let a small archive unpack to a huge one.
    if sum(info.compress_size for info in members.values()) > size:
        raise DataError(f"{path}: its arrays claim more bytes than the file has ({size:,})")
    return members


def _use_member(
    file: IO[bytes], archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, use: _Use[T]
) -> T:
    with archive.open(member) as stream:
        header = read_header(stream, name)
        check_size(header, member.file_size, name)
        return use(file, member, stream, header, name)


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # the system does not tell
        return 1 << 40
