"""Persistent threads that run one native program together (SPMD).

Python hosts the threads: a call through ctypes releases the interpreter lock, so they do run at the same
time. The program's own barriers keep them in step, so either all of them enter a call or none does –
also when Ctrl-C arrives at the worst moment. Hence the caller runs no share of its own: it hands the job
to worker 0 in one atomic step and waits; worker 0 wakes the others, and no signal handler ever runs in a
worker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

#: (context address, tid, nthreads) -> return code
NativeFunction = Callable[[int, int, int], int]


class _Job:
    __slots__ = ("codes", "context", "function", "number")

    def __init__(self, number: int, function: NativeFunction, context: int, count: int):
        self.number = number
        self.function = function
        self.context = context
        self.codes: list[int | None] = [None] * count


class WorkerPool:
    """``count`` threads, started at once, waiting for jobs. One job at a time: the caller serializes."""

    def __init__(self, count: int):
        self.count = count
        self._number = 0
        self._done: SimpleQueue[None] = SimpleQueue()
        self._inboxes: list[SimpleQueue[_Job | None]] = [SimpleQueue() for _ in range(count)]
        self._threads = [
            threading.Thread(
                target=_serve, args=(tid, self._inboxes, self._done), name=f"netwright-{tid}", daemon=True
            )
            for tid in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def is_alive(self) -> bool:
        """False in a forked child, whose copies of the threads never ran."""
        return self._threads[0].is_alive()

    def run(self, function: NativeFunction, context: int) -> int:
        """Runs ``function(context, tid, count)`` on every worker; returns the first non-zero code by
        tid, or 0.

        An exception raised by a signal handler meanwhile is raised after the workers have finished.
        """
        self._number += 1
        job = _Job(self._number, function, context, self.count)
        interruption: BaseException | None = None
        while None in job.codes:
            try:
                if job.codes[0] is None:
                    self._inboxes[0].put(job)  # maybe a second time: worker 0 takes each job once
                self._done.get()
            except BaseException as error:
                interruption = error
        if interruption is not None:
            raise interruption
        return next((code for code in job.codes if code), 0)

    def close(self) -> None:
        """Lets the threads end once they are idle."""
        for inbox in self._inboxes:
            inbox.put(None)


def _serve(tid: int, inboxes: list[SimpleQueue[_Job | None]], done: SimpleQueue[None]) -> None:
    inbox, count, seen = inboxes[tid], len(inboxes), 0
    while (job := inbox.get()) is not None:
        if job.number == seen:
            continue
        seen = job.number
        if tid == 0:
            for other in inboxes[1:]:
                other.put(job)
        job.codes[tid] = job.function(job.context, tid, count)
        done.put(None)
        del job
