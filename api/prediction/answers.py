"""What an output says about a sample, as cells of a table for readers, as cells of a CSV file, as JSON, and as arrays.

A ``value`` is one sample's part of an output, without the axis of samples, cut to the steps that there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.graph.types import TensorType
from netwright.runtime.data.wanted import BLANK

from .figures import check_cell, dumped, field, mapped, plain, summary

#: So many classes of steps are shown in a table for readers; so many numbers have columns of their own in a CSV file.
SHOWN_STEPS, _COLUMNS = 24, 64


class Answer(ABC):
    """An output of this type; with ``last`` only its last step, so that values have no axis of steps. ``alone`` says
    that no other output is shown, so that its name need not be.
    """

    def __init__(self, output: str, type: TensorType, *, last: bool):
        self.output, self.last = output, last
        self.sizes = tuple(type.shape[1 + last :])
        self.alone = True

    @property
    @abstractmethod
    def headings(self) -> tuple[str, ...]:
        """The columns that it fills in a table for readers."""

    @abstractmethod
    def cells(self, value: NDArray) -> tuple[str, ...]:
        """What is in these columns."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns that it fills in a CSV file."""

    @abstractmethod
    def fields(self, value: NDArray) -> tuple[str, ...]:
        """What is in these columns."""

    @abstractmethod
    def to_json(self, value: NDArray) -> Any:
        """The same for JSON."""

    def arrays(self, values: NDArray) -> dict[str, NDArray]:
        """What is computed from the values of samples ``[samples, …]``, to be written beside the output."""
        return {}

    def _titled(self, *names: str) -> tuple[str, ...]:
        return names if self.alone else tuple(f"{self.output}.{name}" for name in names)


class Numbers(Answer):
    """An output as it is. ``names`` are those of classes, where it holds numbers of classes."""

    def __init__(self, output: str, type: TensorType, names: Sequence[str] = (), *, last: bool = False):
        super().__init__(output, type, last=last)
        self._names = tuple(names)
        known = [size for size in self.sizes if isinstance(size, int)]
        fixed = len(known) == len(self.sizes) and prod(known) <= _COLUMNS
        self._apart = tuple(known) if fixed and prod(known) > 1 else None
        self._single = fixed and prod(known) == 1

    @property
    def headings(self) -> tuple[str, ...]:
        return (self.output,)

    def cells(self, value: NDArray) -> tuple[str, ...]:
        if self._names and value.size <= SHOWN_STEPS:
            return (" ".join(map(self._name, value.reshape(-1).tolist())),)
        return (summary(value),)

    @property
    def columns(self) -> tuple[str, ...]:
        if self._apart is None:
            return (self.output,)
        return tuple(".".join([self.output, *map(str, at)]) for at in np.ndindex(*self._apart))

    def fields(self, value: NDArray) -> tuple[str, ...]:
        if self._apart is None and not self._single:
            check_cell(self.output, value)
            return (dumped(self.to_json(value)),)
        if self._names:
            return tuple(map(self._name, value.reshape(-1).tolist()))
        return tuple(map(field, value.reshape(-1)))

    def to_json(self, value: NDArray) -> Any:
        return mapped(value.tolist(), self._name) if self._names else plain(value)

    def _name(self, number: int) -> str:
        return self._names[number] if 0 <= number < len(self._names) else str(number)


class Labels(Answer):
    """Labels that sequences spell, as numbers with −1 behind the last one. They are shown as a text: joined if all
    ``names`` are characters, else with spaces between them.
    """

    def __init__(self, output: str, type: TensorType, names: Sequence[str]):
        super().__init__(output, type, last=False)
        self._names = tuple(names)
        joined = all(len(name) == 1 for i, name in enumerate(names) if name != BLANK)
        self._between = "" if names and joined else " "

    @property
    def headings(self) -> tuple[str, ...]:
        return (self.output,)

    def cells(self, value: NDArray) -> tuple[str, ...]:
        return (self.to_json(value),)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.output,)

    def fields(self, value: NDArray) -> tuple[str, ...]:
        return (self.to_json(value),)

    def to_json(self, value: NDArray) -> str:
        count = int(np.argmax(value < 0)) if (value < 0).any() else len(value)
        return self._between.join(map(self._name, value[:count].tolist()))

    def _name(self, number: int) -> str:
        return self._names[number] if number < len(self._names) else str(number)
