"""Times calls that are compared: they take turns, so that other load on the machine affects all alike."""

import statistics
import time
from collections.abc import Callable


def medians(calls: list[Callable[[], object]], seconds: float) -> list[float]:
    """The median time of a call in seconds of this thread, for each of ``calls`` in turns for about ``seconds`` in all.

    A thread's CPU time leaves out the time in which other threads had the core.
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
