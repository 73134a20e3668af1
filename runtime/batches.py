"""The order in which training sees the data: batches of shuffled samples, and windows of sequences in time.

Everything here is a function of (seed, epoch, index), so training can resume from any batch of any epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import BufferInfo
from netwright.specs.random import permutation

from .arrays import LossError, is_rounding, rounded
from .binding import bare_name, parse_shape, shape_text
from .data.samples import Samples
from .errors import DataError
from .windows import Windows

#: The random stream that shuffles training data.
SHUFFLE = "data.train"


@dataclass(frozen=True)
class Batch:
    """One batch, or one window of it. ``samples`` counts the samples not seen before in this epoch, ``rows`` says where
    they are in the data set.
    """

    index: int
    arrays: dict[str, NDArray]
    samples: int
    starts_sequence: bool
    rows: slice | NDArray[np.int64]


class Batches:
    """Makes the batches of each epoch from those arrays of ``dataset`` that ``inputs`` name. Floats are rounded to the
    inputs' types; a number that is too large for its type raises DataError.
    """

    def __init__(
        self,
        dataset: Samples,
        inputs: Sequence[BufferInfo],
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        windows: Windows | None = None,
    ):
        self.samples = len(dataset)
        self._dataset = dataset
        self._dtypes = {info.name: np.dtype(info.dtype) for info in inputs}
        self._batch_size = batch_size
        self._seed = seed
        self._shuffle = shuffle
        self._windows = windows
        self._axes = _time_axes(inputs, windows.time) if windows else {}
        self._steps = next((dataset.headers[name].shape[axis] for name, axis in self._axes.items()), 1)
        self.windows_per_batch = -(-self._steps // windows.size) if windows else 1

    def __len__(self) -> int:
        return -(-self.samples // self._batch_size) * self.windows_per_batch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of ``epoch`` (counted from 0), beginning with number ``start``."""
        order = permutation(self._seed, SHUFFLE, epoch, self.samples) if self._shuffle else None
        whole: dict[str, NDArray] = {}
        for index in range(start, len(self)):
            batch, window = divmod(index, self.windows_per_batch)
            if window == 0 or not whole:
                whole = self._gather(batch, order)
            samples = min(self._batch_size, self.samples - batch * self._batch_size)
            arrays = self._cut(whole, window) if self._windows else whole
            yield Batch(index, arrays, samples if window == 0 else 0, window == 0, self._rows(batch, order))

    def _gather(self, batch: int, order: NDArray[np.int64] | None) -> dict[str, NDArray]:
        rows = self._rows(batch, order)
        arrays = self._dataset.read(rows, self._dtypes)
        for name, dtype in self._dtypes.items():
            if is_rounding(arrays[name].dtype, dtype):
                arrays[name] = self._rounded(name, arrays[name], dtype, rows)
        return arrays

    def _rounded(
        self, name: str, array: NDArray, dtype: np.dtype, rows: slice | NDArray[np.int64]
    ) -> NDArray:
        try:
            return rounded(array, dtype)
        except LossError as error:
            first, *rest = error.at
            where = f" (at {rest})" if rest else ""
            place = self._dataset.place(int(np.arange(self.samples)[rows][first]))
            raise DataError(f"{self._dataset.name}: {name}: {error} in {place}{where}") from None

    def _rows(self, batch: int, order: NDArray[np.int64] | None) -> slice | NDArray[np.int64]:
        rows = slice(batch * self._batch_size, (batch + 1) * self._batch_size)
        return rows if order is None else order[rows]

    def _cut(self, whole: dict[str, NDArray], window: int) -> dict[str, NDArray]:
        assert self._windows is not None
        start, size = window * self._windows.size, self._windows.size
        arrays = dict(whole)
        for name, axis in self._axes.items():
            arrays[name] = whole[name][(slice(None),) * axis + (slice(start, start + size),)]
        for name in self._windows.lengths:
            steps = min(size, self._steps - start)
            arrays[name] = np.clip(whole[name].astype(np.int64) - start, 0, steps)
        return arrays


def _time_axes(inputs: Sequence[BufferInfo], time: str) -> dict[str, int]:
    axes: dict[str, int] = {}
    for info in inputs:
        for axis, size in enumerate(parse_shape(info)):
            if bare_name(size) == time:
                axes[info.name] = axis
                break
            if not isinstance(size, int) and time in size.symbols:
                raise DataError(
                    f"{info.name} {shape_text(info.shape)} can't be cut into windows: "
                    f"it does not have one row for each step of {time}"
                )
    if not axes:
        raise DataError(f"no input has the time axis {time} that windows are cut from")
    return axes
