"""Samples to predict for: inputs without targets, in batches, each sample with its place.

The readers in ``sources`` give batches of equal shapes, and an ``Unreadable`` for what can't be read; what comes after
it is still read.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from numpy.typing import NDArray

from netwright.specs.files import STANDARD_STREAM, is_stream, open_regular

from ..arrays.arrays import LossError, is_rounding, rounded
from ..arrays.ranges import out_of_range
from ..errors import DataError, RoundingWarning
from .fitting import check_against, sizes_of
from .wanted import Wanted

R = TypeVar("R")
B = TypeVar("B")
#: What standard input is called in messages and results.
STANDARD_INPUT = "standard input"


@dataclass(frozen=True)
class Place:
    """Where a sample is: its file, empty for a text that was given itself, and, among several samples, what counts them
    ("line") and the number.
    """

    file: str
    kind: str = ""
    number: int | None = None

    def __str__(self) -> str:
        counted = [] if self.number is None else [f"{self.kind} {self.number}"]
        return ", ".join([*([self.file] if self.file else []), *counted])


@dataclass(frozen=True)
class InputBatch:
    """Some samples: their places, and the arrays of inputs ``[samples, …]`` by name. ``texts`` are what samples were
    made from, where that is text.
    """

    places: Sequence[Place]
    arrays: Mapping[str, NDArray]
    texts: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.places)

    def take(self, start: int, stop: int) -> InputBatch:
        """The samples from ``start`` to before ``stop``."""
        arrays = {name: array[start:stop] for name, array in self.arrays.items()}
        return InputBatch(self.places[start:stop], arrays, self.texts[start:stop])


@dataclass(frozen=True)
class Unreadable:
    """A file, or a sample in one, that can't be read or does not fit the model; the message names it."""

    message: str


#: What reading inputs gives.
Inputs = Iterator[InputBatch | Unreadable]


@contextmanager
def open_input(path: Path) -> Iterator[IO[bytes]]:
    """A file, a pipe or standard input (`-`), to be read once from its beginning. Raises OSError."""
    if str(path) == STANDARD_STREAM:
        yield sys.stdin.buffer
    else:
        with open(path, "rb") if is_stream(path) else open_regular(path) as file:
            yield file


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """As ``open_input``, as text in UTF-8 with or without a byte order mark; line breaks stay as they are."""
    with open_input(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        try:
            yield text
        finally:
            text.detach()


def input_name(path: Path) -> Path:
    """What a file is called in messages and results."""
    return Path(STANDARD_INPUT) if str(path) == STANDARD_STREAM else path


def samples_in_files(
    files: Iterable[Path], read: Callable[[Path], Mapping[str, NDArray]], wanted: Wanted, size: int
) -> Inputs:
    """Files that hold a sample each: up to ``size`` of equal shapes, which follow each other, make a batch. ``read``
    gives a sample's arrays, or raises DataError.
    """
    places: list[Place] = []
    samples: list[Mapping[str, NDArray]] = []

    def batch() -> InputBatch:
        arrays = {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
        made = InputBatch(tuple(places), arrays)
        places.clear()
        samples.clear()
        return made

    for file in files:
        try:
            sample = read(file)
            _check_shapes({name: array[None] for name, array in sample.items()}, wanted, str(file))
        except (DataError, OSError) as error:
            if samples:
                yield batch()
            yield unreadable(error, file)
            continue
        if samples and (len(samples) == size or _shapes(sample) != _shapes(samples[0])):
            yield batch()
        places.append(Place(str(file)))
        samples.append(sample)
    if samples:
        yield batch()


def samples_of_files(
    files: Iterable[Path], read: Callable[[Path], Inputs], wanted: Wanted, *, varying: bool = False
) -> Inputs:
    """Files that hold several samples each, of which ``read`` makes batches. Where it raises DataError, or the shapes
    don't fit the model, a file ends. ``varying``: each batch is a sample with a shape of its own, so that after one
    that does not fit the others follow.
    """
    for file in files:
        try:
            for item in read(file):
                if isinstance(item, InputBatch):
                    if varying:
                        yield from each_alone([item], lambda items: _checked(items[0], wanted))
                        continue
                    _check_shapes(item.arrays, wanted, item.places[0].file)
                yield item
        except (DataError, OSError) as error:
            yield unreadable(error, file)


def each_alone(rows: Sequence[R], build: Callable[[Sequence[R]], B]) -> Iterator[B | Unreadable]:
    """What ``build`` makes of all rows; if it raises DataError, of each of them: a bad row costs no other."""
    try:
        yield build(rows)
    except DataError as error:
        if len(rows) == 1:
            yield Unreadable(str(error))
            return
        for row in rows:
            yield from each_alone([row], build)


def fitted(batch: InputBatch, wanted: Wanted, told: set[str]) -> Inputs:
    """A batch whose floats are rounded to the inputs' types and whose integers are in range. Samples for which that
    can't be are unreadable. ``told`` has the inputs of which it was said that they are rounded.
    """
    yield from each_alone(
        range(len(batch)), lambda rows: _fit(batch.take(rows[0], rows[-1] + 1), wanted, told)
    )


def _fit(batch: InputBatch, wanted: Wanted, told: set[str]) -> InputBatch:
    arrays = dict(batch.arrays)
    for info in wanted.inputs:
        array, dtype = arrays[info.name], np.dtype(info.dtype)
        if not is_rounding(array.dtype, dtype):
            continue
        try:
            arrays[info.name] = rounded(array, dtype)
        except LossError as error:
            raise DataError(f"{batch.places[error.at[0]]}: {info.name}: {error}") from None
        if info.name not in told:
            told.add(info.name)
            rounding = f"{info.name} is {array.dtype.name}; its numbers are rounded to {info.dtype}"
            warnings.warn(f"{batch.places[0].file}: {rounding}", RoundingWarning, stacklevel=2)
    infos = [info for info in wanted.inputs if info.ranges]
    sizes = sizes_of(arrays, wanted.inputs)
    for problem in out_of_range(
        infos, arrays, sizes, partial=False, place=lambda row: str(batch.places[row])
    ):
        raise DataError(problem)
    return InputBatch(batch.places, arrays, batch.texts)


def _checked(batch: InputBatch, wanted: Wanted) -> InputBatch:
    _check_shapes(batch.arrays, wanted, str(batch.places[0]))
    return batch


def _check_shapes(arrays: Mapping[str, NDArray], wanted: Wanted, file: str) -> None:
    if problems := check_against(arrays, wanted.inputs, list(wanted.dims.values())):
        raise DataError("\n  ".join([f"{file} does not fit the model:", *problems]))


def _shapes(sample: Mapping[str, NDArray]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in sample.items()}


def unreadable(error: Exception, file: Path) -> Unreadable:
    """What is said of a file that can't be read."""
    if isinstance(error, OSError):
        return Unreadable(f"{input_name(file)}: {error.strerror or error}")
    return Unreadable(str(error))
