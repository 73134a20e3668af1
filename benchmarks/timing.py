"""Times calls that are compared: they take turns in one process, so that other load on the machine affects all alike.

On one thread the clock is the CPU time of the calling thread, which leaves out the time in which others had the core.
A peer may compute on a thread of its own nevertheless; where a call needs more CPU time of the process than of its
thread, the process's counts. On several threads the clock is the one on the wall.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Call = Callable[[], object]

#: Seconds that a turn takes at least: short calls are repeated, since a clock takes a microsecond to read.
TURN = 0.002
#: Turns that everybody gets, however long they take.
TURNS = 5
#: A spread above this asks for more turns.
RESTLESS = 0.1
#: A call that takes longer in CPU time of the process than this factor times that of its thread computes elsewhere.
ELSEWHERE = 1.2


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds per call: the median over ``turns`` turns, and the quartiles."""

    seconds: float
    lower: float
    upper: float
    turns: int

    @property
    def spread(self) -> float:
        """Half the distance of the quartiles, relative to the median."""
        return (self.upper - self.lower) / 2 / self.seconds if self.seconds else 0.0


def timing(samples: Sequence[float]) -> Timing:
    """Median and quartiles of seconds per call."""
    if len(samples) < 2:
        return Timing(samples[0], samples[0], samples[0], 1)
    lower, median, upper = statistics.quantiles(samples, n=4, method="inclusive")
    return Timing(median, lower, upper, len(samples))


def measure(calls: Mapping[str, Call], seconds: float, threads: int = 1) -> dict[str, Timing]:
    """The time of each call, in turns for about ``seconds`` per call, after a warm-up."""
    clocks = {name: clock_of(call, threads) for name, call in calls.items()}
    counts = {name: _count(call, clocks[name], TURN) for name, call in calls.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    gc.collect()
    start, turns = time.perf_counter(), 0
    while turns < TURNS or _goes_on(samples, (time.perf_counter() - start) / len(calls), seconds):
        for name, call in calls.items():
            samples[name].append(_turn(call, clocks[name], counts[name]))
        turns += 1
    return {name: timing(own) for name, own in samples.items()}


def _goes_on(samples: Mapping[str, Sequence[float]], taken: float, seconds: float) -> bool:
    """Until the time is up; thrice as long while the turns differ much."""
    return taken < seconds or (
        taken < 3 * seconds and any(timing(own).spread > RESTLESS for own in samples.values())
    )


def clock_of(call: Call, threads: int) -> Callable[[], float]:
    """The clock that sees all work of a call. Warms the call up."""
    for _ in range(2):
        call()
    if threads > 1:
        return time.perf_counter
    thread, process = time.thread_time(), time.process_time()
    for _ in range(3):
        call()
    thread, process = time.thread_time() - thread, time.process_time() - process
    return time.process_time if process > ELSEWHERE * thread else time.thread_time


def _turn(call: Call, clock: Callable[[], float], count: int) -> float:
    """Seconds per call of one turn. A short call runs once before, so that it finds its data in the caches, as it does
    between calls of its own."""
    if count > 1:
        call()
    start = clock()
    for _ in range(count):
        call()
    return (clock() - start) / count


def _count(call: Call, clock: Callable[[], float], least: float) -> int:
    """How many calls take ``least`` seconds."""
    count = 1
    while True:
        start = clock()
        for _ in range(count):
            call()
        taken = clock() - start
        if taken >= least / 2 or count >= 1 << 16:
            return max(1, round(count * least / max(taken, 1e-9))) if taken < least else count
        count *= 2
