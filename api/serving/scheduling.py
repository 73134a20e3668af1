"""When requests are computed: one batch after the other, since the calls of a program share its memory and threads.

What takes less time than handing it to another thread is computed where connections are served; all else in a thread,
while connections are served on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeAlias

from netwright.runtime.errors import ExecutionError

from .joining import Arrays, Joining, Key
from .kinds import Kind, Kinds
from .measures import Measures
from .refusals import Refusal
from .worker import Worker

Compute: TypeAlias = Callable[[Arrays], Arrays]

#: Work that takes less than so many seconds is computed where connections are served: another thread costs some 50 µs,
#: and more where processors are busy.
AT_ONCE = 0.0005
#: The same where there is one connection: nobody else waits meanwhile, but who connects anew.
ALONE = 0.002
#: Work that takes less is not even put into a queue that is empty: to join it with other requests would save less than
#: to wait for them costs.
WITHOUT_QUEUE = 0.00005


@dataclass(slots=True, eq=False)
class _Work:
    """A request that waits. Those of equal ``key`` can be joined, unless it is None."""

    arrays: Arrays
    compute: Compute
    kind: Kind
    key: Key | None
    answer: asyncio.Future[Arrays]
    since: float = field(default_factory=perf_counter)


@dataclass(slots=True, eq=False)
class _Done:
    """What was computed or raised, when it was begun, and how many seconds it took."""

    result: Arrays | Exception
    begun: float
    seconds: float


class Scheduler:
    """Computes requests in the order in which they come; those to ``predict`` in batches, if ``joining`` says how.

    A batch waits up to ``delay`` seconds for more requests. So many as ``most_waiting`` can wait, what comes then is
    refused. To be used from one event loop, and to be closed when nothing waits.
    """

    def __init__(
        self,
        predict: Compute,
        joining: Joining | None,
        measures: Measures,
        *,
        delay: float = 0.0,
        most_waiting: int = 1024,
    ):
        self._predict, self._joining, self._measures = predict, joining, measures
        self._delay, self._most_waiting = delay, most_waiting
        self._waiting: deque[_Work] = deque()
        self._busy = False
        self._turn: asyncio.Handle | None = None
        self._kinds = Kinds(joining)
        self._worker = Worker[_Done]("netwright-compute")

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def predict(self, arrays: Arrays) -> asyncio.Future[Arrays]:
        """The outputs for these inputs, which may be computed with those of other requests. Raises Refusal if too many
        requests wait, and InputError; the future raises what the program raises.
        """
        return self._queued(arrays, self._predict, self._kinds.of(arrays))

    def alone(self, arrays: Arrays, compute: Compute) -> asyncio.Future[Arrays]:
        """What ``compute`` makes of these arrays, when it is their turn. Raises as ``predict`` does."""
        return self._queued(arrays, compute, self._kinds.alone(arrays))

    @property
    def idle(self) -> bool:
        """Whether a request that comes now waits for nothing."""
        return not (self._waiting or self._busy or self._delay)

    def at_once(self, arrays: Arrays, *, alone: bool) -> Arrays | None:
        """The outputs for these inputs, computed now; None if other requests wait, or if these may take too long:
        ``alone`` says that no other client could ask meanwhile. Raises InputError, and what the program raises.
        """
        if not self.idle:
            return None
        kind = self._kinds.of(arrays)
        if kind.seconds >= (ALONE if alone else WITHOUT_QUEUE):
            return None
        begun = perf_counter()
        try:
            return self._predict(arrays)
        finally:
            self._measured(kind, perf_counter() - begun, 0.0)

    def close(self) -> None:
        """Ends the thread."""
        self._worker.close()

    def _queued(self, arrays: Arrays, compute: Compute, kind: Kind) -> asyncio.Future[Arrays]:
        if len(self._waiting) >= self._most_waiting:
            raise Refusal(503, f"{self._most_waiting} requests are waiting: try again later")
        loop = asyncio.get_running_loop()
        work = _Work(arrays, compute, kind, kind.key, loop.create_future())
        self._waiting.append(work)
        self._call_soon(loop)
        return work.answer

    def _call_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins a batch when the loop has read what has arrived."""
        if self._busy or not self._waiting:
            return
        if isinstance(self._turn, asyncio.TimerHandle):
            self._turn.cancel()
            self._turn = None
        if self._turn is None:
            self._turn = loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._turn = None
        loop = asyncio.get_running_loop()
        if (patience := self._patience()) > 0:
            self._turn = loop.call_later(patience, self._begin)
            return
        batch = self._taken()
        kind = self._kind(batch)
        if kind.seconds < AT_ONCE:
            self._end(batch, kind, _timed(self._computed, batch))
            self._call_soon(loop)
            return
        self._busy = True
        self._worker.submit(
            lambda: _timed(self._computed, batch), lambda done: self._came_back(batch, kind, done)
        )

    def _computed(self, batch: list[_Work]) -> Arrays:
        if len(batch) == 1 or self._joining is None:
            return batch[0].compute(batch[0].arrays)
        return batch[0].compute(self._joining.join([work.arrays for work in batch]))

    def _came_back(self, batch: list[_Work], kind: Kind, done: _Done) -> None:
        self._busy = False
        self._end(batch, kind, done)
        self._call_soon(asyncio.get_running_loop())

    def _patience(self) -> float:
        """How many seconds the next batch waits for more requests."""
        first, joining = self._waiting[0], self._joining
        if first.key is None or joining is None or not self._delay:
            return 0.0
        rows = sum(work.kind.rows for work in self._waiting if work.key == first.key)
        return 0.0 if rows >= joining.most else first.since + self._delay - perf_counter()

    def _taken(self) -> list[_Work]:
        """The next batch: the first request, and others that can be joined to it."""
        waiting = self._waiting
        first = waiting.popleft()
        if first.key is None or self._joining is None:
            return [first]
        batch, rows, passed = [first], first.kind.rows, []
        while waiting and rows < self._joining.most:
            work = waiting.popleft()
            if work.key == first.key and rows + work.kind.rows <= self._joining.most:
                batch.append(work)
                rows += work.kind.rows
            else:
                passed.append(work)
        waiting.extendleft(reversed(passed))
        return batch

    def _end(self, batch: list[_Work], kind: Kind, done: _Done) -> None:
        """Hands out what a batch has become."""
        result = done.result
        self._measured(kind, done.seconds, done.begun - batch[0].since)
        if isinstance(result, ExecutionError) and len(batch) > 1:
            # The values of one of them are out of range. The others shall not know.
            for work in batch:
                work.key = None
            self._waiting.extendleft(reversed(batch))
        elif isinstance(result, Exception):
            for work in batch:
                if not work.answer.done():
                    work.answer.set_exception(result)
        elif len(batch) == 1:
            if not batch[0].answer.done():
                batch[0].answer.set_result(result)
        else:
            assert self._joining is not None
            parts = self._joining.split(result, [work.kind.rows for work in batch])
            for work, part in zip(batch, parts, strict=True):
                if not work.answer.done():
                    work.answer.set_result(part)

    def _kind(self, batch: list[_Work]) -> Kind:
        first = batch[0]
        if len(batch) == 1 or first.key is None:
            return first.kind
        return self._kinds.joined(first.key, sum(work.kind.rows for work in batch))

    def _measured(self, kind: Kind, seconds: float, waited: float) -> None:
        self._measures.computed(seconds, kind.rows, waited)
        kind.took(seconds)


def _timed(compute: Callable[[Any], Arrays], given: Any) -> _Done:
    begun = perf_counter()
    try:
        result: Arrays | Exception = compute(given)
    except Exception as error:
        result = error
    return _Done(result, begun, perf_counter() - begun)
