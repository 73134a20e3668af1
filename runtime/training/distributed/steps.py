"""Steps that are divided: each rank computes the gradients of its parts of a batch; the sums give the update on all.

A step is: the counts of each part's losses, exchanged, so that gradients are those of the mean over the whole batch;
the gradients, added up; the sums of losses and metrics, exchanged; and the update, which every rank makes itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import BATCH

from ...arrays.named import static_shape
from ...batches import Batch, Batches, read_ahead
from ...sessions.session import CARRY, Session
from ...totals import Totals
from ..interrupt import InterruptRequest
from .agreement import meet
from .communicator import Communicator
from .exchange import Exchange
from .sums import FixedSum, GradientSum, RankSum

#: An array of rows of a batch that have no samples.
_NOTHING: dict[str, NDArray] = {}


class DividedSteps:
    """``Steps`` of ``parts`` parts per batch on the ranks of ``communicator``; without ``parts``, one per rank, whose
    sums are in no fixed order. The session needs the entries `counts`, `gradients` and `update`.
    """

    entry = "gradients"

    def __init__(
        self,
        session: Session,
        interrupt: InterruptRequest,
        communicator: Communicator,
        parts: int | None = None,
    ):
        self.session = session
        self._exchange = Exchange(communicator, parts or communicator.size, interrupt)
        self.division, self.writes = self._exchange.division, communicator.rank == 0
        self._communicator = communicator
        self._sum: GradientSum = RankSum(session, communicator)
        if parts is not None:
            self._sum = FixedSum(session, communicator, self._exchange.divisions)
        infos = {info.name: info for info in session.manifest.buffers}
        names = dict.fromkeys(name for score in session.manifest.scores for name in score.sums)
        #: The sums of a step, by name, and the places of their numbers in a row.
        self._shapes = {name: static_shape(infos[name]) or () for name in names}
        self._width = sum(int(np.prod(shape)) for shape in self._shapes.values())
        self._inputs = {
            entry: {info.name: info.dtype for info in session.input_info(entry)}
            for entry in ("counts", "gradients", "update", "loss")
        }
        prefix = len(BATCH)
        wanted = {**self._inputs["gradients"], **self._inputs["update"]}
        self._counts = [
            name[prefix:] for name in wanted if name.startswith(BATCH) and name.endswith(".count")
        ]
        (self._first_row,) = [info.name for info in session.manifest.dims if info.first_row]
        self._whole: dict[str, NDArray] = {}
        #: The recurrent states that are carried: the shape of a row, and their values per part of this rank.
        self._carries = {
            info.name: (tuple(map(int, info.shape[1:])), np.dtype(info.dtype))
            for info in session.manifest.buffers
            if info.role == "state" and info.name.startswith(CARRY) and info.shape
        }
        self._carried: dict[int, dict[str, NDArray]] = {}

    @property
    def signal(self) -> int | None:
        return self._exchange.signal

    def clock(self) -> float:
        return self._exchange.time

    # -- a batch -------------------------------------------------------------------------------------------

    def ready(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        while True:
            batch, error = None, None
            counts = np.zeros((len(self.division.own), len(self._counts)))
            try:
                batch = next(batches, None)
                if batch is not None:
                    self._count(batch, counts)
            except Exception as caught:
                error = caught
            if batch is None and error is None:
                return
            totals = self._exchange.total(counts, error)
            assert batch is not None
            if self.signal is not None:
                return
            self._whole = {f"{BATCH}{name}": total for name, total in zip(self._counts, totals, strict=True)}
            self._whole[f"{BATCH}rows"] = np.asarray(float(batch.size))
            yield batch

    def _count(self, batch: Batch, counts: NDArray[np.float64]) -> None:
        for position, part in enumerate(self.division.own):
            arrays = self._arrays(batch, part)
            if arrays:
                outputs = self.session.run("counts", self._taken("counts", arrays))
                counts[position] = [float(outputs[name]) for name in self._counts]

    def run(self, batch: Batch) -> Mapping[str, NDArray]:
        sums = np.zeros((len(self.division.own), self._width))
        errors: list[Exception] = []

        def compute(part: int) -> None:
            try:
                self._run_part(batch, part, sums)
            except Exception as error:  # the others wait for the sums
                errors.append(error)

        wait = self._sum.start(compute)
        try:
            totals = self._outputs(self._exchange.total(sums, errors[0] if errors else None))
        finally:
            wait()
        return totals | self.session.run("update", self._taken("update", self._whole))

    def _run_part(self, batch: Batch, part: int, sums: NDArray[np.float64]) -> None:
        """Computes the gradients of a part, and its row of ``sums``."""
        arrays = self._arrays(batch, part)
        if not arrays:
            self.session.gradients.fill(0)
            return
        if self._carries:
            self.session.carry(self._carried.get(part, {}))
        first = {self._first_row: self.division.rows(batch.size, part).start + 1}
        outputs = self.session.run("gradients", self._taken("gradients", {**arrays, **self._whole}), first)
        if self._carries:
            self._carried[part] = self.session.carried
        self._add(sums[part - self.division.first], outputs)

    def _arrays(self, batch: Batch, part: int) -> dict[str, NDArray]:
        """A part's rows of the arrays of a batch; empty if it has none."""
        rows, own = self.division.rows(batch.size, part), self.division.rows(batch.size)
        if rows.start == rows.stop:
            return _NOTHING
        part_of_own = slice(rows.start - own.start, rows.stop - own.start)
        return {name: array[part_of_own] for name, array in batch.arrays.items()}

    def _taken(self, entry: str, arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """The arrays that an entry takes; numbers of the whole batch are in its type."""
        return {
            name: np.asarray(arrays[name], dtype) if name.startswith(BATCH) else arrays[name]
            for name, dtype in self._inputs[entry].items()
        }

    # -- sums ----------------------------------------------------------------------------------------------

    def _add(self, row: NDArray[np.float64], outputs: Mapping[str, NDArray]) -> None:
        row += np.concatenate([np.asarray(outputs[name], np.float64).ravel() for name in self._shapes])

    def _outputs(self, row: NDArray[np.float64]) -> dict[str, NDArray]:
        outputs: dict[str, NDArray] = {}
        start = 0
        for name, shape in self._shapes.items():
            size = int(np.prod(shape))
            outputs[name] = row[start : start + size].reshape(shape)
            start += size
        return outputs

    def evaluate(self, batches: Batches) -> Totals:
        sums = np.zeros((len(self.division.own), self._width))
        error: Exception | None = None
        try:
            with read_ahead(batches.epoch(0), batches.ahead) as upcoming:
                for batch in upcoming:
                    for position, part in enumerate(self.division.own):
                        if arrays := self._arrays(batch, part):
                            self._add(sums[position], self.session.run("loss", self._taken("loss", arrays)))
        except Exception as caught:
            error = caught
        totals = Totals(self.session.manifest.scores)
        totals.add(self._outputs(self._exchange.total(sums, error)))
        return totals

    # -- state ---------------------------------------------------------------------------------------------

    def reset_carry(self) -> None:
        self._carried.clear()
        self.session.reset_carry()

    def state(self) -> dict[str, NDArray]:
        state = {name: array for name, array in self.session.state.items() if name not in self._carries}
        state |= {name: self._joined(name) for name in self._carries}
        return {name: array for name, array in state.items() if name not in self._carries or len(array)}

    def _joined(self, name: str) -> NDArray:
        """The rows that all parts have of a carried state."""
        shape, dtype = self._carries[name]
        parts = [
            self._carried[part][name] for part in self.division.own if name in self._carried.get(part, {})
        ]
        own = np.concatenate([np.empty((0, *shape), dtype), *parts])
        ranks = self._communicator.size
        counts = self._communicator.gather(np.array([own.size], np.float64), [1] * ranks).astype(int).tolist()
        rows = self._communicator.gather(own.ravel().astype(np.float64), counts)
        return rows.reshape(-1, *shape).astype(dtype)

    def restored(self) -> None:
        self._carried.clear()
        state = {name: array for name, array in self.session.state.items() if name.startswith(CARRY)}
        samples = next((len(state[name]) for name in self._carries if name in state), 0)
        for part in self.division.own if samples else ():
            rows = self.division.rows(samples, part)
            self._carried[part] = {
                name: array[rows] if name in self._carries else array for name, array in state.items()
            }

    def settle(self) -> str | None:
        if self._communicator.size == 1:
            return None
        values = [*self.session.arrays.values()]
        digest = hashlib.blake2b(digest_size=6)
        for array in values:
            digest.update(np.ascontiguousarray(array).tobytes())
        own = np.array([int.from_bytes(digest.digest(), "little")], np.float64)
        digests = self._communicator.gather(own, [1] * self._communicator.size)
        if (digests == digests[0]).all():
            return None
        for array in values:
            self._communicator.broadcast(array)
        self.session.changed()
        return "the ranks had computed different weights, as different processors may: all go on with those of rank 0"

    # -- agreement -----------------------------------------------------------------------------------------

    def agreed(self, flag: bool, error: Exception | None = None) -> bool:
        meet(self._communicator, error)
        flags = self._communicator.gather(np.array([float(flag)]), [1] * self._communicator.size)
        return bool(flags.any())

    def explanation(self, texts: Mapping[int, str]) -> str:
        (best,) = [max(texts)]
        told = [text.partition(":") for text in self._communicator.texts(f"{best}:{texts[best]}")]
        return max(told, key=lambda each: int(each[0]))[2]
