"""The communicator over MPI (extra `distributed`). Arrays are sent as they are; nothing is pickled."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engines.processors import own_processors, processor_count
from ...errors import TrainingError
from .communicator import Wait

#: Set by the launchers of MPI programs: Hydra (MPICH, Intel MPI) and others over PMI, Open MPI, and PMIx.
_LAUNCHED = ("PMI_RANK", "PMI_ID", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK")


class MissingMpiError(TrainingError):
    """Several processes were started, and MPI for Python is not installed."""


def launched() -> bool:
    """Whether `mpirun` or the like started this process."""
    return any(name in os.environ for name in _LAUNCHED)


def world() -> MpiCommunicator:
    """All processes that were started together. Raises MissingMpiError."""
    try:
        _find_library()
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise MissingMpiError(
            "this process was started as one of several, which need MPI for Python and an MPI: pip install "
            f"'netwright[distributed]' ({str(error).splitlines()[0]})"
        ) from None
    return MpiCommunicator(MPI.COMM_WORLD)


def _find_library() -> None:
    """Names the MPI library that is installed beside mpi4py, which mpi4py does not look for in an environment that is
    layered over another one.
    """
    spec = find_spec("mpi4py")
    if spec is None or spec.origin is None or "MPI4PY_LIBMPI" in os.environ:
        return
    libraries = Path(spec.origin).parents[3]
    if not any((Path(sys.prefix) / "lib").glob("libmpi*")) and any(libraries.glob("libmpi.so*")):
        os.environ["MPI4PY_LIBMPI"] = str(sorted(libraries.glob("libmpi.so*"))[-1])


def _wait_quietly(comm: Any) -> None:
    """A barrier for long waits, in which MPI would keep a processor busy."""
    meeting = comm.Ibarrier()
    while not meeting.Test():
        time.sleep(0.01)


class _Started:
    """An operation of MPI that was started."""

    def __init__(self, request: Any):
        self.request = request

    def __call__(self) -> None:
        self.request.Wait()


class MpiCommunicator:
    """A communicator over one of `mpi4py`, which nobody else should use meanwhile."""

    def __init__(self, comm: Any):
        self._comm = comm
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()
        #: Whether the ranks have told each other anything yet.
        self.met = False

    def gather(self, values: NDArray[np.float64], counts: Sequence[int]) -> NDArray[np.float64]:
        self.met = True
        gathered = np.empty(sum(counts), np.float64)
        self._comm.Allgatherv(np.ascontiguousarray(values, np.float64), (gathered, list(counts)))
        return gathered

    def texts(self, text: str) -> list[str]:
        data = np.frombuffer(text.encode(), np.uint8)
        sizes = self.gather(np.array([data.size], np.float64), [1] * self.size).astype(int).tolist()
        gathered = np.empty(sum(sizes), np.uint8)
        self._comm.Allgatherv(data, (gathered, sizes))
        ends = np.cumsum(sizes)
        return [bytes(part).decode(errors="replace") for part in np.split(gathered, ends[:-1])]

    def start_sum(self, array: NDArray) -> Wait:
        from mpi4py import MPI

        return _Started(self._comm.Iallreduce(MPI.IN_PLACE, array))

    def go_on(self, started: Wait) -> None:
        if isinstance(started, _Started):
            started.request.Test()

    def exchange(self, blocks: NDArray, counts: Sequence[int], ends: Sequence[int]) -> list[NDArray]:
        starts = [0, *ends[:-1]]
        sent = np.concatenate([blocks[:, a:b].ravel() for a, b in zip(starts, ends, strict=True)])
        sizes = [len(blocks) * (b - a) for a, b in zip(starts, ends, strict=True)]
        own = ends[self.rank] - starts[self.rank]
        received = np.empty(sum(counts) * own, blocks.dtype)
        self._comm.Alltoallv((sent, sizes), (received, [count * own for count in counts]))
        parts = np.split(received.reshape(sum(counts), own), np.cumsum(counts)[:-1])
        return parts

    def share(self, array: NDArray, ends: Sequence[int]) -> None:
        from mpi4py import MPI

        sizes = [b - a for a, b in zip([0, *ends[:-1]], ends, strict=True)]
        self._comm.Allgatherv(MPI.IN_PLACE, (array, sizes))

    def broadcast(self, array: NDArray) -> None:
        self._comm.Bcast(array, 0)

    @contextmanager
    def in_turns(self) -> Iterator[None]:
        from mpi4py import MPI

        here = self._comm.Split_type(MPI.COMM_TYPE_SHARED)
        try:
            if here.rank:
                _wait_quietly(here)
            yield
        finally:
            if here.rank == 0:
                _wait_quietly(here)
            here.Free()

    def abort(self, reason: str) -> None:
        traceback.print_exc(file=sys.__stderr__)
        print(f"error: {reason}", file=sys.__stderr__, flush=True)
        self._comm.Abort(1)

    def fair_threads(self) -> int:
        """How many threads each process may use, if those of its computer share the processors equally."""
        from mpi4py import MPI

        local = self._comm.Split_type(MPI.COMM_TYPE_SHARED)
        own = set(own_processors())
        others = MpiCommunicator(local).texts(" ".join(map(str, sorted(own))))
        sharing = sum(bool(own & set(map(int, text.split()))) for text in others)
        local.Free()
        return max(1, processor_count() // sharing)
