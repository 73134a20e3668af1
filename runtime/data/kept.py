"""Decoded files that are kept: to decode small ones again takes longer than to train on them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from .fitting import Described

#: The time of a file's last change, and its size.
Stamp = tuple[int, int]
#: The stamp of a file that can't be looked at.
NO_STAMP = (-1, -1)


def stamp(path: str) -> Stamp:
    """When a file was changed, and its size; ``NO_STAMP`` if that can't be told."""
    try:
        status = os.stat(path)
    except OSError:
        return NO_STAMP
    return status.st_mtime_ns, status.st_size


class KeptSamples:
    """Samples by their numbers, the first ones that come and fit into ``room`` bytes, side by side in one array per
    header: a batch is read at once. Several threads may keep and read.
    """

    def __init__(self, headers: Mapping[str, Described], room: int):
        count = next((header.shape[0] for header in headers.values()), 0)
        size = sum(prod(header.shape[1:]) * header.dtype.itemsize for header in headers.values())
        self._most = min(count, room // max(size, 1))
        self._headers = dict(headers)
        self._arrays: dict[str, NDArray] = {}
        self._places = np.full(count, -1)
        self._stamps = np.full((count, 2), NO_STAMP, np.int64)
        self._count, self._lock = 0, threading.Lock()

    def present(self, numbers: NDArray[np.int64], stamps: Sequence[Stamp]) -> NDArray[np.bool_]:
        """Which samples are here, from files that have these stamps."""
        same = (self._stamps[numbers] == np.array(stamps, np.int64).reshape(-1, 2)).all(axis=1)
        return same & (self._places[numbers] >= 0)

    def read(self, numbers: NDArray[np.int64], names: Iterable[str]) -> dict[str, NDArray]:
        """The arrays of samples that are here; there is at least one."""
        places = self._places[numbers]
        return {name: self._arrays[name].take(places, axis=0) for name in names}

    def keep(self, number: int, stamp: Stamp, sample: Mapping[str, NDArray]) -> None:
        """Keeps a sample from a file with this stamp, if all of its arrays are given and there is room."""
        if stamp == NO_STAMP or not sample.keys() >= self._headers.keys():
            return
        with self._lock:
            place = int(self._places[number])
            if place >= 0 or self._count == self._most:
                return
            if not self._arrays:  # the system gives memory where something is written
                self._arrays = {
                    name: np.empty((self._most, *header.shape[1:]), header.dtype)
                    for name, header in self._headers.items()
                }
            for name, array in self._arrays.items():
                array[self._count] = sample[name]
            self._stamps[number] = stamp
            self._places[number] = self._count
            self._count += 1
