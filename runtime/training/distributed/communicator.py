"""What processes that train together say to each other. ``mpi.py`` says it over MPI; ``Alone`` is a single process."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Wait(Protocol):
    """An operation that was started."""

    def __call__(self) -> None:
        """Returns when the operation is done."""
        ...


class Communicator(Protocol):
    """The processes of a training, the ranks. All of them call the same methods in the same order."""

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        ...

    @property
    def size(self) -> int:
        """How many processes there are."""
        ...

    def gather(self, values: NDArray[np.float64], counts: Sequence[int]) -> NDArray[np.float64]:
        """The ``values`` of all ranks, one after the other; ``counts`` says how many each has."""
        ...

    def texts(self, text: str) -> list[str]:
        """The texts of all ranks."""
        ...

    def start_sum(self, array: NDArray) -> Wait:
        """Begins to replace ``array`` by its sum over all ranks."""
        ...

    def go_on(self, started: Wait) -> None:
        """Lets an operation that was started get on, without waiting for it."""
        ...

    def exchange(self, blocks: NDArray, counts: Sequence[int], ends: Sequence[int]) -> list[NDArray]:
        """Sends the elements from ``ends[i − 1]`` to ``ends[i]`` of each of the ``blocks`` [count, size] to rank i.
        Returns what this rank gets: [counts[i], own size] from each rank i.
        """
        ...

    def share(self, array: NDArray, ends: Sequence[int]) -> None:
        """Fills ``array`` with the elements from ``ends[i − 1]`` to ``ends[i]`` that rank i has."""
        ...

    def broadcast(self, array: NDArray) -> None:
        """Fills ``array`` with that of rank 0."""
        ...

    def in_turns(self) -> AbstractContextManager[None]:
        """The body runs on one rank per computer first, and then on its others."""
        ...

    def abort(self, reason: str) -> None:
        """Says why, and ends all ranks at once."""
        ...


class Alone:
    """A communicator of one process."""

    rank, size = 0, 1

    def gather(self, values: NDArray[np.float64], counts: Sequence[int]) -> NDArray[np.float64]:
        return values

    def texts(self, text: str) -> list[str]:
        return [text]

    def start_sum(self, array: NDArray) -> Wait:
        return lambda: None

    def go_on(self, started: Wait) -> None:
        return

    def exchange(self, blocks: NDArray, counts: Sequence[int], ends: Sequence[int]) -> list[NDArray]:
        return [blocks]

    def share(self, array: NDArray, ends: Sequence[int]) -> None:
        return

    def broadcast(self, array: NDArray) -> None:
        return

    def in_turns(self) -> AbstractContextManager[None]:
        return nullcontext()

    def abort(self, reason: str) -> None:
        return
