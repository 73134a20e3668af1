"""Tables that are one series, a row per step: samples are windows of rows that follow each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.specs.models.data import TableData

from ...errors import DataError
from ..dataset import Dataset
from ..inputs import InputBatch, Inputs, Place
from ..samples import Rows
from ..wanted import Wanted
from .tables import Filled


class Series(Dataset):
    """Windows of a table's rows. The windows are views: a row that many of them hold is in memory once.

    Arrays with an axis for steps hold all rows of a window, the others its last row; of targets, those so many rows
    later as ``spec.ahead`` says. Raises DataError if there are too few rows for a window.
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray],
        columns: Sequence[Filled],
        spec: TableData,
        wanted: Wanted,
        path: Path,
        place: Callable[[int], str],
        classes: Mapping[str, tuple[str, ...]] | None = None,
    ):
        assert spec.window is not None
        inputs = {info.name for info in wanted.inputs}
        late = {name: 0 if name in inputs else spec.ahead for name in arrays}
        rows = len(next(iter(arrays.values())))
        self._stride, span = spec.stride or 1, spec.window + max(late.values())
        if rows < span:
            ahead = f" and {span - spec.window} more for the targets" if span > spec.window else ""
            raise DataError(f"{path}: a window has {spec.window} rows{ahead}, there are {rows}")
        count = (rows - span) // self._stride + 1
        stepwise = {array.info.name for array in columns if array.has_steps}
        windows = {
            name: _windows(array[late[name] :], spec.window, self._stride, name in stepwise)[:count]
            for name, array in arrays.items()
        }
        super().__init__(windows, str(path), classes, lambda sample: place(self.last_row(sample)))
        self._window, self._span = spec.window, span

    @property
    def overlap(self) -> int:
        return -(-self._span // self._stride) - 1

    def last_row(self, sample: int) -> int:
        """The row, counted from 0, with which a window ends."""
        return sample * self._stride + self._window - 1

    def read(self, rows: Rows, names: Iterable[str]) -> dict[str, NDArray]:
        return {name: np.ascontiguousarray(array) for name, array in super().read(rows, names).items()}

    def batches(self, size: int, places: Callable[[int], Place]) -> Inputs:
        """All windows, up to ``size`` at a time, to predict for; ``places`` says where a row is."""
        for start in range(0, len(self), size):
            samples = range(start, min(start + size, len(self)))
            arrays = self.read(slice(start, start + size), self.arrays)
            yield InputBatch([places(self.last_row(sample)) for sample in samples], arrays)


def _windows(array: NDArray, window: int, stride: int, stepwise: bool) -> NDArray:
    """Windows ``[count, window, …]`` of an array's rows, or their last rows ``[count, …]``."""
    if not stepwise:
        return array[window - 1 :: stride]
    view = np.lib.stride_tricks.sliding_window_view(array, window, axis=0)
    return np.moveaxis(view, -1, 1)[::stride]
