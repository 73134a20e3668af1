"""The order in which training sees the data: batches of shuffled samples, and windows of sequences in time.

Everything here is a function of (seed, epoch, index), so training can resume from any batch of any epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import BufferInfo

from ..arrays.arrays import LossError, is_rounding, rounded
from ..augmentation import Augmenter
from ..data.samples import Rows, Samples
from ..data.windows import Windows
from ..errors import DataError
from .balance import Balance, classes_of
from .division import WHOLE, Division
from .order import batch_rows
from .trimming import Trimming, time_axes, total_lengths


@dataclass(frozen=True)
class Batch:
    """One batch, or one window of it. ``samples`` counts the samples not seen before in this epoch, ``rows`` says where
    they are in the data set. ``finite`` is False if a float of the whole batch is infinite or NaN.

    If processes share a batch, ``arrays`` and ``rows`` are those of one process: ``size`` samples make the whole batch.
    A process whose share is empty has no arrays.
    """

    index: int
    arrays: dict[str, NDArray]
    samples: int
    starts_sequence: bool
    rows: Rows
    size: int
    finite: bool = True


class Batches:
    """Makes the batches of each epoch from those arrays of ``dataset`` that ``inputs`` name. Floats are rounded to the
    inputs' types; a number that is too large for its type raises DataError. ``trimming`` puts samples of similar
    lengths together and cuts each batch to its longest sequence; ``augmenter`` changes the samples. ``balance`` names
    the array of classes of which an epoch has equally many samples each. Of each batch, only the rows of this process's
    part in the ``division`` are read.
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
        trimming: Trimming | None = None,
        augmenter: Augmenter | None = None,
        balance: str | None = None,
        division: Division = WHOLE,
    ):
        self.samples = len(dataset)
        self._dataset = dataset
        self._dtypes = {info.name: np.dtype(info.dtype) for info in inputs}
        self._batch_size = batch_size
        self._seed = seed
        self._shuffle = shuffle
        self._augmenter = augmenter
        self._balance = None if balance is None else Balance(classes_of(dataset, balance), seed)
        self._windows = windows
        self._axes = time_axes(inputs, windows.time, "cut into windows") if windows else {}
        if windows and not self._axes:
            raise DataError(f"no input has the time axis {windows.time} that windows are cut from")
        self._steps = next((dataset.headers[name].shape[axis] for name, (axis, *_) in self._axes.items()), 1)
        self.windows_per_batch = -(-self._steps // windows.size) if windows else 1
        self._trimming = trimming if trimming is not None and trimming.lengths else None
        self._division = division
        #: The lengths of all samples' sequences, by the arrays' names.
        self._sequences: dict[str, NDArray[np.int64]] = {}
        if self._trimming is not None:
            pieces = [arrays for _, arrays in dataset.pieces(self._trimming.names)]
            for name in self._trimming.names:
                self._sequences[name] = np.concatenate([arrays[name].astype(np.int64) for arrays in pieces])
        #: How many batches to read ahead. What is in memory is there faster than a thread can be asked for it.
        self.ahead = int(augmenter is not None or not dataset.in_memory)

    @cached_property
    def always_finite(self) -> bool:
        """Whether all floats are known to be finite. What is in memory is looked at once, not in every epoch. Raises
        DataError.
        """
        data = self._dataset
        floats = [name for name in self._dtypes if data.headers[name].dtype.kind == "f"]
        return not floats or (data.in_memory and all(_is_finite(arrays) for _, arrays in data.pieces(floats)))

    def __len__(self) -> int:
        return -(-self.samples // self._batch_size) * self.windows_per_batch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of ``epoch`` (counted from 0), beginning with number ``start``."""
        batches = batch_rows(
            self.samples,
            self._batch_size,
            seed=self._seed,
            epoch=epoch,
            shuffle=self._shuffle,
            lengths=total_lengths(self._sequences) if self._sequences else None,
            balance=self._balance,
        )
        whole: dict[str, NDArray] = {}
        finite = True
        for index in range(start, len(self)):
            number, window = divmod(index, self.windows_per_batch)
            times = batches[number]
            size = _count(times, self.samples)
            own = self._own(times, size)
            rows = own if isinstance(own, slice) else own % self.samples
            if (window == 0 or not whole) and _count(own, self.samples):
                whole = self._gather(rows, own, epoch, self._longest(times))
                finite = self.always_finite or _is_finite(whole)
            elif window == 0:
                whole, finite = {}, True
            arrays = self._cut(whole, window) if self._windows and whole else whole
            yield Batch(index, arrays, size if window == 0 else 0, window == 0, rows, size, finite)

    def _own(self, times: Rows, size: int) -> Rows:
        """The part of a batch of ``size`` samples that this process computes."""
        part = self._division.rows(size)
        if not isinstance(times, slice):
            return times[part]
        return slice(times.start + part.start, times.start + part.stop)

    def _longest(self, times: Rows) -> dict[str, int]:
        """The longest sequence of a batch by the arrays that hold lengths."""
        rows = times if isinstance(times, slice) else times % self.samples
        return {name: int(lengths[rows].max(initial=0)) for name, lengths in self._sequences.items()}

    def _gather(self, rows: Rows, times: Rows, epoch: int, longest: Mapping[str, int]) -> dict[str, NDArray]:
        """The arrays of a batch. Samples that come several times are varied by ``times``, each time in another way."""
        arrays = self._dataset.read(rows, self._dtypes)
        for name, dtype in self._dtypes.items():
            if is_rounding(arrays[name].dtype, dtype):
                arrays[name] = self._rounded(name, arrays[name], dtype, rows)
        if self._augmenter is not None:
            numbers = np.arange(self.samples)[times] if isinstance(times, slice) else times
            arrays |= self._augmenter.apply(arrays, numbers, epoch)
        return arrays if self._trimming is None else self._trimming.cut(arrays, longest)

    def _rounded(self, name: str, array: NDArray, dtype: np.dtype, rows: Rows) -> NDArray:
        try:
            return rounded(array, dtype)
        except LossError as error:
            first, *rest = error.at
            where = f" (at {rest})" if rest else ""
            place = self._dataset.place(int(np.arange(self.samples)[rows][first]))
            raise DataError(f"{self._dataset.name}: {name}: {error} in {place}{where}") from None

    def _cut(self, whole: dict[str, NDArray], window: int) -> dict[str, NDArray]:
        assert self._windows is not None
        start, size = window * self._windows.size, self._windows.size
        arrays = dict(whole)
        for name, (axis, *_) in self._axes.items():
            arrays[name] = whole[name][(slice(None),) * axis + (slice(start, start + size),)]
        for name in self._windows.lengths:
            steps = min(size, self._steps - start)
            arrays[name] = np.clip(whole[name].astype(np.int64) - start, 0, steps)
        return arrays


def _is_finite(arrays: Mapping[str, NDArray]) -> bool:
    return all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f")


def _count(rows: Rows, samples: int) -> int:
    """How many rows are selected of so many samples."""
    return len(range(*rows.indices(samples))) if isinstance(rows, slice) else len(rows)
