"""Requests share batches, and none of them notices."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

import netwright

pytest.importorskip("prometheus_client")

from netwright.runtime.errors import ExecutionError, InputError
from netwright.serving.joining import Joining, joining
from netwright.serving.measures import Measures
from netwright.serving.refusals import Refusal
from netwright.serving.scheduling import Scheduler
from netwright.serving.worker import Worker

from .serving import SPEC

Arrays = Mapping[str, NDArray]


class Doubled:
    """A program that takes numbers from 0 to 9, and keeps what it was called with."""

    def __init__(self, seconds: float = 0.0):
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()
        self._seconds = seconds

    def __call__(self, arrays: Arrays) -> Arrays:
        time.sleep(self._seconds)
        x = arrays["x"]
        self.batches.append(x[:, 0].tolist())
        self.threads.add(threading.current_thread().name)
        if x.max() > 9:
            raise ExecutionError("out of range", 1)
        return {"y": 2 * x}


def asked(doubled: Doubled, *values: list[int], most: int = 4, **options: float) -> list[object]:
    """What requests get that come at the same time, each with a sample per value."""
    scheduler = Scheduler(doubled, Joining(["x"], most), Measures("m", "1"), **options)  # type: ignore[arg-type]

    async def one(rows: list[int]) -> Arrays:
        return await scheduler.predict({"x": np.array(rows)[:, np.newaxis]})

    async def all_at_once() -> list[object]:
        return await asyncio.gather(*map(one, values), return_exceptions=True)

    try:
        answers = asyncio.run(all_at_once())
    finally:
        scheduler.close()
    return [answer["y"][:, 0].tolist() if isinstance(answer, dict) else answer for answer in answers]


def test_what_nobody_waits_for_is_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netwright.serving.scheduling.ALONE", 0.05)  # another process may run meanwhile
    doubled, x = Doubled(), {"x": np.array([[3]])}
    scheduler = Scheduler(doubled, Joining(["x"], 4), Measures("m", "1"))
    slow = Scheduler(Doubled(0.06), Joining(["x"], 4), Measures("m", "1"))
    patient = Scheduler(doubled, Joining(["x"], 4), Measures("m", "1"), delay=0.01)

    async def predicted(asked: Scheduler) -> Arrays:
        return await asked.predict(x)

    try:
        for each in (scheduler, slow, patient):
            assert each.at_once(x, alone=True) is None  # nobody knows how long it takes
            for _ in range(3):
                asyncio.run(predicted(each))
        answer = scheduler.at_once(x, alone=True)
        assert answer is not None
        assert answer["y"].tolist() == [[6]]
        assert slow.at_once(x, alone=True) is None
        assert patient.at_once(x, alone=True) is None
        with pytest.raises(ExecutionError):
            scheduler.at_once({"x": np.array([[10]])}, alone=True)
    finally:
        for each in (scheduler, slow, patient):
            each.close()


def test_requests_at_the_same_time_are_one_batch() -> None:
    doubled = Doubled()
    assert asked(doubled, [1], [2, 3], [4], [5], [6]) == [[2], [4, 6], [8], [10], [12]]
    assert doubled.batches == [[1, 2, 3, 4], [5, 6]]


def test_a_batch_takes_later_requests_that_still_fit() -> None:
    doubled = Doubled()
    assert asked(doubled, [1, 2, 3], [4, 5], [6], [7, 8, 9, 1, 2]) == [
        [2, 4, 6],
        [8, 10],
        [12],
        [14, 16, 18, 2, 4],
    ]
    assert doubled.batches == [[1, 2, 3, 6], [4, 5], [7, 8, 9, 1, 2]]


def test_who_is_out_of_range_does_not_fail_the_others() -> None:
    doubled = Doubled()
    first, second, third = asked(doubled, [1], [10], [3])
    assert (first, third) == ([2], [6])
    assert isinstance(second, ExecutionError)
    assert doubled.batches == [[1, 10, 3], [1], [10], [3]]


def test_too_many_are_refused() -> None:
    answers = asked(Doubled(), *([n] for n in range(6)), most_waiting=4)
    assert answers[:4] == [[0], [2], [4], [6]]
    assert all(isinstance(answer, Refusal) and answer.status == 503 for answer in answers[4:])


def test_a_batch_waits_for_requests_that_come_soon() -> None:
    doubled = Doubled()
    scheduler = Scheduler(doubled, Joining(["x"], 3), Measures("m", "1"), delay=30.0)

    async def one(number: int) -> Arrays:
        await asyncio.sleep(0.02 * number)
        return await scheduler.predict({"x": np.array([[number]])})

    async def three() -> None:  # the third fills the batch
        async with asyncio.timeout(10):
            await asyncio.gather(*map(one, range(3)))

    asyncio.run(three())
    scheduler.close()
    assert doubled.batches == [[0, 1, 2]]


@pytest.mark.parametrize(("at_once", "thread"), [(0.0, "netwright-compute"), (60.0, "MainThread")])
def test_long_work_is_done_beside_the_loop_and_short_work_in_it(
    at_once: float, thread: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netwright.serving.scheduling.AT_ONCE", at_once)
    monkeypatch.setattr("netwright.serving.scheduling.WITHOUT_QUEUE", 0.0)
    doubled = Doubled()
    asked(doubled, [1], [2], [3], [4], [5], most=1)
    assert doubled.threads == {
        "netwright-compute",
        thread,
    }  # it is not known of the first how long it takes
    assert doubled.batches == [[1], [2], [3], [4], [5]]


def test_a_worker_answers_in_order_and_ends_when_nobody_has_it() -> None:
    def threads() -> int:
        return sum(thread.name == "worker" for thread in threading.enumerate())

    async def computed(worker: Worker[int]) -> list[int]:
        results: list[int] = []
        done = asyncio.Event()
        for number in range(5):
            worker.submit(lambda number=number: number**2, results.append)  # type: ignore[misc]
        worker.submit(threads, lambda number: (results.append(number), done.set()))
        async with asyncio.timeout(10):
            await done.wait()
        return results

    kept, dropped = Worker[int]("worker"), Worker[int]("worker")
    assert asyncio.run(computed(kept)) == [0, 1, 4, 9, 16, 1]
    assert asyncio.run(computed(dropped)) == [0, 1, 4, 9, 16, 2]
    kept.close()
    assert threads() == 1
    del dropped
    deadline = time.monotonic() + 10
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads() == 0


def test_what_can_be_joined() -> None:
    own = netwright.load(SPEC).compile(engine="reference", entries=["predict"])
    found = joining(own.manifest, ["x", "word"], ["y", "kept"], 8)
    assert found is not None
    one = {"x": np.zeros((2, 5, 6)), "word": np.zeros((2, 5))}
    assert found.described(one) == (((5, 6), (5,)), 2)
    with pytest.raises(InputError, match="different numbers of samples"):
        found.described({**one, "word": np.zeros((3, 5))})
    with pytest.raises(InputError, match="missing input 'word'"):
        found.described({"x": one["x"]})
    with pytest.raises(InputError, match="no axis of samples"):
        found.described({**one, "word": np.zeros(())})
    assert joining(own.manifest, ["x", "word"], ["y", "kept"], 1) is None
    dims = [info.model_copy(update={"max": 1}) for info in own.manifest.dims]
    assert joining(own.manifest.model_copy(update={"dims": dims}), ["x"], ["y"], 8) is None
