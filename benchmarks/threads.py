"""Two threads against one, side by side: inference and training steps of the examples, and larger networks.

    python benchmarks/threads.py [--seconds 2] [--only lenet] [--threads 2] [--beside]


Both take turns in one run, a short burst each, and the medians of the bursts are compared in wall-clock time, which is
what threads should reduce. With --beside a second process keeps one processor busy meanwhile. Only an idle machine
shows what threads gain; a busy one shows what they cost.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Must be set before NumPy is loaded, which reads it once.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from thread_networks import lstm, mobilenet, resnet8

import netwright

EXAMPLES = Path(__file__).parents[1] / "examples"
BURST = 0.02


@dataclass(frozen=True)
class Case:
    """A network, a batch size, and the entry that is called."""

    network: str
    batch: int
    entry: str = "predict"

    def __str__(self) -> str:
        return f"{self.network} {self.entry}, batch {self.batch}"


CASES = [
    *(Case(network, batch) for network in ("lenet", "digits", "sunspots") for batch in (1, 32)),
    *(Case(network, batch, "train_step") for network in ("lenet", "digits", "sunspots") for batch in (1, 32)),
    *(Case(network, batch) for network in ("resnet8", "mobilenet", "lstm128") for batch in (1, 32)),
]
_WRITTEN = {"resnet8": resnet8, "mobilenet": mobilenet, "lstm128": lstm}


def load(network: str) -> netwright.Model:
    """The spec of an example or of a network in ``thread_networks``."""
    if network not in _WRITTEN:
        return netwright.load(EXAMPLES / network / f"{network}.yaml")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{network}.yaml")
        path.write_text(_WRITTEN[network]())
        return netwright.load(path)


def arrays(case: Case) -> dict[str, np.ndarray]:
    """Inputs and targets of one call. Their values do not change the time."""
    random = np.random.Generator(np.random.PCG64(0))
    n = case.batch
    label = {"label": random.integers(0, 10, n)} if case.entry == "train_step" else {}
    match case.network:
        case "sunspots":
            series = random.uniform(0, 200, (n, 33, 1)).astype(np.float32)
            target = {"y": series[:, 1:].copy()} if case.entry == "train_step" else {}
            return {"x": series[:, :-1].copy(), **target}
        case "digits":
            return {"image": random.integers(0, 17, (n, 8, 8, 1), np.uint8), **label}
        case "lstm128":
            return {"x": random.standard_normal((n, 64, 32), np.float32)}
    side, channels = {"lenet": (28, 1), "resnet8": (32, 3), "mobilenet": (128, 3)}[case.network]
    return {"image": random.standard_normal((n, side, side, channels), np.float32), **label}


def call(case: Case, threads: int) -> Callable[[], object]:
    """The case compiled for ``threads`` threads."""
    program = load(case.network).compile(entries=[case.entry], threads=threads)
    given, method = arrays(case), getattr(program, case.entry)
    return lambda: method(**given)


def compare(calls: list[Callable[[], object]], seconds: float) -> list[float]:
    """The median wall-clock time of a call for each, in bursts that take turns."""
    for one in calls:
        one()
    times: list[list[float]] = [[] for _ in calls]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for one, own in zip(calls, times, strict=True):
            one()  # evict the other one's data from the caches
            stop = time.perf_counter() + BURST
            while (start := time.perf_counter()) < stop:
                one()
                own.append(time.perf_counter() - start)
    return [statistics.median(own) for own in times]


@contextmanager
def busy(beside: bool) -> Iterator[None]:
    """A process that keeps one processor busy, if asked for."""
    if not beside:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description="Several threads against one")
    parser.add_argument("--seconds", type=float, default=2, help="for each case")
    parser.add_argument("--only", default="", help="cases whose name has this text")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--beside", action="store_true", help="while a second process keeps a processor busy")
    options = parser.parse_args()
    print(f"one thread and {options.threads}, median time of a call, {os.cpu_count()} processors\n")
    print(f"{'case':34} {'one':>9} {'several':>9} {'faster':>7}")
    with busy(options.beside):
        for case in CASES:
            if options.only not in str(case):
                continue
            one, several = compare([call(case, 1), call(case, options.threads)], options.seconds)
            print(f"{case!s:34} {one * 1e3:7.3f}ms {several * 1e3:7.3f}ms {one / several:6.2f}x", flush=True)


if __name__ == "__main__":
    main()
