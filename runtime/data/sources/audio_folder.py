"""`type: audio`: a folder of WAV files by class, read by the standard library."""

from __future__ import annotations

import os
import wave
from collections.abc import Callable, Container
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from netwright.specs.files import open_regular
from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import AudioData

from ...binding import parse_shape
from ...errors import DataError
from ..samples import Header
from ..wanted import Wanted
from .folders import FolderSamples, Listing, list_folder

T = TypeVar("T")


def open_set(spec: AudioData, folder: Path, wanted: Wanted) -> AudioSamples:
    """Lists a folder of WAV files, and reads one. Raises DataError."""
    path = folder / spec.path
    input = wanted.input(spec.input, (2, 3), path)
    target = wanted.target(spec.target, path)
    listing = list_folder(path, wanted, target.name, (".wav",))
    return AudioSamples(listing, spec, input, target.name, wanted.lengths.get(input.name))


class AudioSamples(FolderSamples):
    """Recordings as floats from −1 to 1 ``[samples, steps, channels]``, without the last axis if the input has
    none.
    """

    def __init__(
        self, listing: Listing, spec: AudioData, input: BufferInfo, target: str, lengths: str | None
    ):
        sizes = parse_shape(input)
        self._name, self._lengths = input.name, lengths
        self._rate, self._first = spec.rate, listing.files[0]
        self._flat = len(sizes) == 2
        channels = 1 if self._flat else sizes[2]
        if not isinstance(channels, int):
            raise DataError(f"{listing.path}: the channels of {input.name} need a number, not {channels}")
        self._channels, self._dtype = channels, np.dtype(input.dtype)
        if self._dtype.kind != "f":
            raise DataError(f"{listing.path}: recordings are floats, {input.name} takes {input.dtype}")
        self._expected: int | None = None
        frames = self._open(self._first, lambda file: file.getnframes())
        self._steps = spec.length or frames
        self._expected = None if spec.length else frames
        shape = (self._steps,) if self._flat else (self._steps, channels)
        more = {lengths: Header((), np.dtype(np.int64))} if lengths else {}
        super().__init__(listing, input.name, target, Header(shape, self._dtype), more)

    def read_file(self, path: Path, names: Container[str]) -> dict[str, NDArray]:
        arrays: dict[str, NDArray] = {}
        if self._name in names:
            sound = self._decode(path)
            count = min(len(sound), self._steps)
            arrays[self._name] = np.zeros((self._steps, *sound.shape[1:]), self._dtype)
            arrays[self._name][:count] = sound[:count]
        else:  # only the length: the header has it
            count = min(self._open(path, lambda file: file.getnframes()), self._steps)
        if self._lengths is not None:
            arrays[self._lengths] = np.array(count, np.int64)
        return arrays

    def _decode(self, path: Path) -> NDArray:
        data, width = self._open(path, lambda file: (file.readframes(file.getnframes()), file.getsampwidth()))
        sound = _numbers(data, width, self._dtype)
        return sound if self._flat else sound.reshape(-1, self._channels)

    def _open(self, path: Path, use: Callable[[wave.Wave_read], T]) -> T:
        """What ``use`` makes of a file, whose header is checked before and whose size after."""
        try:
            with open_regular(path) as file, wave.open(file) as sound:
                self._check_header(path, sound)
                start = file.tell()
                left = os.fstat(file.fileno()).st_size - start
                if left < sound.getnframes() * sound.getnchannels() * sound.getsampwidth():
                    raise EOFError
                return use(sound)
        except (wave.Error, EOFError) as error:
            reason = str(error) or "the file is cut short"
            only = "; only PCM is read" if "unknown format" in reason else ""
            raise DataError(f"{path}: not a readable WAV file: {reason}{only}") from error
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from error

    def _check_header(self, path: Path, sound: wave.Wave_read) -> None:
        channels, width, rate, frames = sound.getparams()[:4]
        if rate != self._rate:
            raise DataError(f"{path} has {rate:,} samples per second, rate says {self._rate:,}")
        if channels != self._channels:
            raise DataError(f"{path} has {channels} channels, {self._name} takes {self._channels}")
        if width not in (1, 2, 3, 4):
            raise DataError(f"{path} has {8 * width} bits per sample; 8, 16, 24 and 32 are read")
        if self._expected not in (None, frames):
            raise DataError(
                f"{path} has {frames} samples, {self._first.name} has {self._expected}; length makes them equal"
            )


def _numbers(data: bytes, width: int, dtype: np.dtype) -> NDArray:
    """PCM samples of ``width`` bytes as fractions of full scale."""
    if width == 1:  # the one width without a sign
        whole = np.frombuffer(data, np.uint8).astype(np.int16) - 128
    elif width == 3:
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        whole = padded.view("<i4")[:, 0] >> 8
    else:
        whole = np.frombuffer(data, f"<i{width}")
    # Full scale is a power of two: this rounds once at most.
    return whole.astype(dtype) / dtype.type(2 ** (8 * width - 1))
