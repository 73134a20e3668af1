"""How calls that are compared are timed: by turns, so that what the machine does besides hits all alike."""

import statistics
import time
from collections.abc import Callable


def medians(calls: list[Callable[[], object]], seconds: float) -> list[float]:
    """The median time of a call in seconds of this thread, each of ``calls`` in turn for about ``seconds`` in all.

    A thread's CPU time does not count the time in which others had the core.
    """
    for call in calls:
        call()
    times: list[list[float]] = [[] for _ in calls]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for call, own in zip(calls, times, strict=True):
            start = time.thread_time()
            call()
            own.append(time.thread_time() - start)
    return [statistics.median(own) for own in times]
