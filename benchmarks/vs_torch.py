"""Netwright against PyTorch eager, side by side on one thread: inference and training steps of the examples.

    python benchmarks/vs_torch.py [--seconds 2] [--only lenet]

Only the ratios mean anything: machines are shared and clocks move, so both take turns in one run, a short burst
each, and the medians of the bursts are compared. Every number is the time of one call from Python, arrays in and
arrays out.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Must be set before NumPy and PyTorch are loaded, which read it once.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import torch
from torch_networks import NETWORKS

import netwright

EXAMPLES = Path(__file__).parents[1] / "examples"
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """One row of the table: a network of the examples at one batch size."""

    network: str
    batch: int
    training: bool

    def __str__(self) -> str:
        return f"{self.network} {'training step' if self.training else 'inference'}, batch {self.batch}"


CASES = [
    Case("lenet", 1, training=False),
    Case("lenet", 32, training=False),
    Case("digits", 1, training=False),
    Case("digits", 32, training=False),
    Case("sunspots", 1, training=False),
    Case("sunspots", 16, training=False),
    Case("lenet", 1, training=True),
    Case("lenet", 32, training=True),
    Case("digits", 32, training=True),
    Case("sunspots", 16, training=True),
]


def arrays(case: Case) -> Arrays:
    """Inputs and targets of one call. Their values do not change the time."""
    random = np.random.Generator(np.random.PCG64(0))
    if case.network == "sunspots":
        series = random.uniform(0, 200, (case.batch, 33, 1)).astype(np.float32)
        return {"x": series[:, :-1].copy(), "y": series[:, 1:].copy()}
    label = random.integers(0, 10, case.batch)
    if case.network == "digits":
        return {"image": random.integers(0, 17, (case.batch, 8, 8, 1), np.uint8), "label": label}
    return {"image": random.standard_normal((case.batch, 28, 28, 1), np.float32), "label": label}


def netwright_call(case: Case) -> Callable[[], object]:
    model = netwright.load(EXAMPLES / case.network / f"{case.network}.yaml")
    program = model.compile(entries=["train_step" if case.training else "predict"], threads=1)
    data = arrays(case)
    if case.training:
        return lambda: program.train_step(**data)
    inputs = {name: array for name, array in data.items() if name not in ("label", "y")}
    return lambda: program.predict(**inputs)


def torch_call(case: Case) -> Callable[[], object]:
    network = NETWORKS[case.network]()
    inputs, target = (torch.from_numpy(array) for array in arrays(case).values())
    if not case.training:
        network.eval()

        def predict() -> np.ndarray:
            with torch.inference_mode():
                return network(inputs).numpy()

        return predict
    optimizer = network.optimizer()

    def train_step() -> float:
        optimizer.zero_grad()
        loss = network.loss(network(inputs), target)
        loss.backward()
        if network.clip_norm:
            torch.nn.utils.clip_grad_norm_(network.parameters(), network.clip_norm)
        optimizer.step()
        return loss.item()

    return train_step


def bursts(calls: list[Callable[[], object]], seconds: float) -> Iterator[list[float]]:
    """Seconds per call for each of `calls`, which take turns in bursts, for about `seconds` in all."""
    for call in calls:  # warm up for a tenth of the measurement
        end = time.perf_counter() + seconds / 10
        while time.perf_counter() < end:
            call()
    count = [max(1, round(0.005 / duration(call, 3))) for call in calls]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        yield [duration(call, n) for call, n in zip(calls, count, strict=True)]


def duration(call: Callable[[], object], count: int) -> float:
    """The mean time of `count` calls, in seconds."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def main() -> None:
    parser = argparse.ArgumentParser(description="Netwright against PyTorch eager, on one thread")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long a row is measured")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__}, one thread, median time of a call\n")
    print("| | Netwright, ms | PyTorch, ms | ratio |\n|---|---|---|---|")
    for case in CASES:
        if options.only not in str(case):
            continue
        ours, theirs = zip(*bursts([netwright_call(case), torch_call(case)], options.seconds), strict=True)
        ours, theirs = statistics.median(ours) * 1e3, statistics.median(theirs) * 1e3
        print(f"| {case} | {ours:.3f} | {theirs:.3f} | {theirs / ours:.1f}× |", flush=True)


if __name__ == "__main__":
    main()
