"""`type: audio`: a folder of WAV files by class or with transcripts, or WAV files to predict for, read by the standard
library.
"""

from __future__ import annotations

import os
import wave
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from netwright.specs.files import open_regular
from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import AudioData

from ...arrays.binding import parse_shape
from ...errors import DataError
from ..input_files import list_files
from ..inputs import Inputs, samples_in_files
from ..samples import Header
from ..wanted import Wanted
from .folders import FolderSamples, Listing, list_folder
from .transcripts import list_transcribed

T = TypeVar("T")

SUFFIXES = (".wav",)
#: Programs that write to a pipe do not know how long the sound will be, and say about 2 or 4 GiB.
_OPEN_END = 0x7FFF0000


def open_set(spec: AudioData, folder: Path, wanted: Wanted) -> AudioSamples:
    """Lists a folder of WAV files, and reads one. Raises DataError."""
    path = folder / spec.path
    input = wanted.input(spec.input, (2, 3), path)
    if spec.transcripts is not None:
        target = wanted.spelled(spec.target, path)
        listing = list_transcribed(
            path, folder / spec.transcripts.path, spec.transcripts, target, wanted, SUFFIXES
        )
    else:
        listing = list_folder(path, wanted, wanted.target(spec.target, path), SUFFIXES)
    return AudioSamples(listing, spec, input, wanted.lengths.get(input.name))


def read_inputs(spec: AudioData, paths: Sequence[Path], wanted: Wanted, size: int) -> Inputs:
    """Recordings, and folders of them, to predict for. Without `length` each has its own; where the input has
    `lengths`, they are filled up as far as the model needs. Raises DataError if there is no input that they fill, and
    for other paths.
    """
    input = wanted.input(spec.input, (2, 3), spec.path)
    reader, lengths = WavReader(spec, input, spec.path), wanted.lengths.get(input.name)

    def read(path: Path) -> dict[str, NDArray]:
        sound = reader.read(path)
        if (steps := spec.length) is None:
            try:
                steps = wanted.steps(input, len(sound)) if lengths else len(sound)
            except DataError as error:
                raise DataError(f"{path}: {error}") from None
        arrays = {input.name: _fill(sound, steps)}
        return arrays | ({lengths: np.array(min(len(sound), steps), np.int64)} if lengths else {})

    return samples_in_files(list_files(paths, SUFFIXES, "WAV file"), read, wanted, size)


class AudioSamples(FolderSamples):
    """Recordings as floats from −1 to 1 ``[samples, steps, channels]``, without the last axis if the input has
    none.
    """

    def __init__(self, listing: Listing, spec: AudioData, input: BufferInfo, lengths: str | None):
        self._name, self._lengths = input.name, lengths
        self._reader, self._first = WavReader(spec, input, listing.path), listing.files[0]
        frames = self._reader.frames(self._first)
        self._steps = spec.length or frames
        self._expected = None if spec.length else frames
        header = Header((self._steps, *self._reader.channels), np.dtype(input.dtype))
        more = {lengths: Header((), np.dtype(np.int64))} if lengths else {}
        super().__init__(listing, input.name, header, more)

    def read_file(self, path: Path, names: Container[str]) -> dict[str, NDArray]:
        arrays: dict[str, NDArray] = {}
        if self._name in names:
            sound = self._reader.read(path)
            count = self._counted(path, len(sound))
            arrays[self._name] = _fill(sound, self._steps)
        else:  # only the length: the header has it
            count = self._counted(path, self._reader.frames(path))
        if self._lengths is not None:
            arrays[self._lengths] = np.array(count, np.int64)
        return arrays

    def _counted(self, path: Path, frames: int) -> int:
        if self._expected not in (None, frames):
            raise DataError(
                f"{path} has {frames} samples, {self._first.name} has {self._expected}; length makes them equal"
            )
        return min(frames, self._steps)


class WavReader:
    """Reads WAV files as an input takes them. Raises DataError, which begins with ``where``, if it takes none.
    ``channels`` are the input's axes after the steps.
    """

    def __init__(self, spec: AudioData, input: BufferInfo, where: object):
        sizes = parse_shape(input)
        channels = 1 if len(sizes) == 2 else sizes[2]
        if not isinstance(channels, int):
            raise DataError(f"{where}: the channels of {input.name} need a number, not {channels}")
        self._name, self._rate, self._count = input.name, spec.rate, channels
        self._dtype = np.dtype(input.dtype)
        if self._dtype.kind != "f":
            raise DataError(f"{where}: recordings are floats, {input.name} takes {input.dtype}")
        self.channels: tuple[int, ...] = () if len(sizes) == 2 else (channels,)

    def frames(self, path: Path) -> int:
        """How long a recording is, by its header. Raises DataError."""
        return self._open(path, lambda file, frames: frames)

    def read(self, path: Path) -> NDArray:
        """A recording ``[steps, channels]``. Raises DataError."""
        data, width = self._open(path, lambda file, frames: (file.readframes(frames), file.getsampwidth()))
        return _numbers(data, width, self._dtype).reshape(-1, *self.channels)

    def _open(self, path: Path, use: Callable[[wave.Wave_read, int], T]) -> T:
        """What ``use`` makes of a file and the number of its frames; header and size are checked before."""
        try:
            with open_regular(path) as file, wave.open(file) as sound:
                self._check_header(path, sound)
                start = file.tell()
                left = os.fstat(file.fileno()).st_size - start
                frames, width = sound.getnframes(), sound.getnchannels() * sound.getsampwidth()
                if frames * width >= _OPEN_END:
                    frames = min(frames, left // width)
                elif left < frames * width:
                    raise EOFError
                return use(sound, frames)
        except (wave.Error, EOFError) as error:
            reason = str(error) or "the file is cut short"
            only = "; only PCM is read" if "unknown format" in reason else ""
            raise DataError(f"{path}: not a readable WAV file: {reason}{only}") from error
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from error

    def _check_header(self, path: Path, sound: wave.Wave_read) -> None:
        channels, width, rate = sound.getparams()[:3]
        if rate != self._rate:
            raise DataError(f"{path} has {rate:,} samples per second, rate says {self._rate:,}")
        if channels != self._count:
            raise DataError(f"{path} has {channels} channels, {self._name} takes {self._count}")
        if width not in (1, 2, 3, 4):
            raise DataError(f"{path} has {8 * width} bits per sample; 8, 16, 24 and 32 are read")


def _fill(sound: NDArray, steps: int) -> NDArray:
    """The first ``steps`` of a recording; a shorter one ends in zeros."""
    if len(sound) == steps:
        return sound
    filled = np.zeros((steps, *sound.shape[1:]), sound.dtype)
    filled[: len(sound)] = sound[:steps]
    return filled


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
