"""Names for the numbers in weights, so that equations are compared for any numbers.

Each element of a parameter is named by a whole number, its negation by the negative number, and 0 stands for zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
#: The largest number of elements that can be distinguished.
MOST = 2**31 - 1


class Elements:
    """The names of parameters' elements, of numbers in equations, and of sums of these."""

    def __init__(self) -> None:
        self._count = 1
        self._arrays: list[tuple[int, NDArray]] = []
        self._numbers: dict[float, int] = {}
        self._sums: dict[tuple[int, ...], int] = {}
        self._number: dict[int, float] = {}
        """Numbers by their names."""
        self._parts: dict[int, tuple[int, ...]] = {}
        """The summands of sums, by their names."""

    def _taken(self, count: int) -> int:
        start, self._count = self._count, self._count + count
        if self._count > MOST:
            raise OverflowError("there are too many weights")
        return start

    def of_array(self, array: NDArray) -> Ids:
        """Names for the elements of a parameter. Raises OverflowError for too many."""
        start = self._taken(array.size)
        self._arrays.append((start, array))
        return np.arange(start, start + array.size, dtype=np.int32).reshape(array.shape)

    def of_number(self, value: float, size: int) -> Ids:
        """A vector of one repeated number."""
        if value not in self._numbers:
            self._numbers[value] = self._taken(1)
            self._number[self._numbers[value]] = value
        return np.full(size, self._numbers[value], np.int32)

    def added(self, first: Ids, second: Ids) -> Ids:
        """The elementwise sum of two vectors."""
        pairs = zip(first.tolist(), second.tolist(), strict=True)
        return np.asarray([self._sum((*self._of(a), *self._of(b))) for a, b in pairs], np.int32)

    def _sum(self, parts: Sequence[int]) -> int:
        key = tuple(sorted(parts))
        if len(key) < 2:
            return key[0] if key else 0
        if key not in self._sums:
            self._sums[key] = self._taken(1)
            self._parts[self._sums[key]] = key
        return self._sums[key]

    def _of(self, element: int) -> tuple[int, ...]:
        """The summands of an element."""
        if element < 0:
            return tuple(-part for part in self._of(-element))
        return self._parts.get(element, (element,) if element else ())

    def divided(self, ids: Ids, other: Ids) -> tuple[Ids, Ids]:
        """Splits a vector in two: the summands that do not belong to the parameters of another one, and those that
        do.
        """
        own = {self._home(part) for element in other.tolist() for part in self._of(element)}
        rows = [self._of(element) for element in ids.tolist()]
        first, second = (
            np.asarray(
                [self._sum([p for p in row if (self._home(p) in own) == inside]) for row in rows], np.int32
            )
            for inside in (False, True)
        )
        return first, second

    def _home(self, element: int) -> int:
        """Where the element's parameter begins."""
        return max((start for start, _ in self._arrays if start <= abs(element)), default=0)

    def without_number(self, ids: Ids) -> tuple[Ids, float]:
        """Splits off a number that all elements have in common."""
        rows = [self._of(element) for element in ids.tolist()]
        common = [part for part in rows[0] if abs(part) in self._number and all(part in row for row in rows)]
        if not common:
            return ids, 0.0
        rest = [self._sum([part for part in row if part not in common]) for row in rows]
        return np.asarray(rest, np.int32), sum(np.sign(part) * self._number[abs(part)] for part in common)

    def are_single(self, arrays: Iterable[Ids]) -> bool:
        """Whether no element of a parameter occurs twice: what is trained as one value must stay one."""
        sums = np.asarray(sorted(self._parts), np.int64)
        numbers = np.asarray(sorted(self._number), np.int64)
        singles: list[NDArray] = []
        for array in arrays:
            own = np.abs(array[array != 0]).astype(np.int64)
            made = np.isin(own, sums)
            parts = [abs(part) for element in own[made].tolist() for part in self._parts[element]]
            singles += [own[~made], np.asarray(parts, np.int64)]
        own = np.concatenate(singles)
        own = own[~np.isin(own, numbers)]
        return np.unique(own).size == own.size

    def values(self, ids: Ids, dtype: str) -> NDArray:
        """The numbers that elements stand for."""
        table = np.zeros(self._count, np.float64)
        for start, array in self._arrays:
            table[start : start + array.size] = array.reshape(-1)
        for element, number in self._number.items():
            table[element] = number
        for element, parts in self._parts.items():
            table[element] = sum(np.sign(part) * table[abs(part)] for part in parts)
        return (table[np.abs(ids)] * np.sign(ids)).astype(dtype)
