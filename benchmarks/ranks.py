"""Measures training on one and two ranks of this computer, each on one thread, and writes the tables of
docs/scaling.md: ``python benchmarks/ranks.py --write``.

``--table`` writes the page's tables again from the last measurements, in benchmarks/scaling.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
PAGE, FIGURES = HERE.parent / "docs" / "scaling.md", HERE / "scaling.json"
sys.path.insert(0, str(HERE.parent))

from benchmarks.networks.builder import Spec  # noqa: E402
from benchmarks.networks.sequences import recurrent  # noqa: E402
from benchmarks.networks.tiny import mlp, resnet8  # noqa: E402
from benchmarks.scaling_model import Net, Step, step_time, table  # noqa: E402

#: Samples per batch. On two ranks each has half of them.
BATCH = 64
NETS = (
    Net("10 Gb/s Ethernet", 20e-6, 1.1e9, 0.5),
    Net("100 Gb/s InfiniBand, sums at the end", 2e-6, 11e9, 0),
    Net("100 Gb/s InfiniBand", 2e-6, 11e9, 0.9),
)
COUNTS = (2, 8, 32, 128, 1024)
NETWORKS = ("ResNet-8", "LSTM-128", "MLP-1024")
LOSS = {"type": "softmax_cross_entropy", "output": "logits", "target": "label"}
SIZES = (1 << 10, 1 << 14, 1 << 18, 1 << 20, 1 << 22)


def spec(network: str, parts: int) -> Spec:
    made, more = {
        "ResNet-8": (resnet8(), {}),
        "LSTM-128": (recurrent("lstm", 128), {"steps": "last"}),
        "MLP-1024": (mlp(1024, 1024), {}),
    }[network]
    return {**made.spec, "train": {"loss": {**LOSS, **more}, "batch_size": BATCH, "parts": parts}}


def data(network: str) -> dict[str, np.ndarray]:
    random = np.random.Generator(np.random.PCG64(0))
    label = random.integers(0, 10, BATCH * 4)
    if network == "LSTM-128":
        return {"x": random.standard_normal((BATCH * 4, 64, 32), np.float32), "label": label}
    if network == "MLP-1024":
        return {"x": random.standard_normal((BATCH * 4, 784), np.float32), "label": label}
    return {"image": random.standard_normal((BATCH * 4, 32, 32, 3), np.float32), "label": label}


def measure(seconds: float) -> dict[str, Any]:
    """What this rank measures, under `mpirun`."""
    from netwright.runtime.training.distributed.mpi import world

    ranks = world()
    figures: dict[str, Any] = {}
    for network in NETWORKS:
        figures[network] = measure_steps(network, ranks, seconds)
    if ranks.size > 1:
        figures["sums"] = [[size, sum_seconds(ranks, size, seconds / 4)] for size in SIZES]
    return figures


def measure_steps(network: str, ranks: Any, seconds: float) -> dict[str, Any]:
    import netwright
    from netwright.runtime.data.dataset import Dataset
    from netwright.runtime.training.distributed.steps import DividedSteps
    from netwright.runtime.training.distributed.sums import RankSum
    from netwright.runtime.training.feeding import training_batches
    from netwright.runtime.training.interrupt import InterruptRequest
    from netwright.runtime.training.plan import TrainingPlan
    from netwright.training.ranks import Divided

    # Statistics of a part: as those of one process, which has two parts, too.
    model = netwright.load(spec(network, max(2, ranks.size)))
    with ranks.in_turns():
        weights = model.compile(entries=("loss",), threads=1).weights
        made = Divided(model.load, model.network, engine="native", threads=1, pin=False, cpu="native")
        session = made.session(weights, ranks.size)
    steps = DividedSteps(session, InterruptRequest(), ranks)
    plan = TrainingPlan(epochs=1, batch_size=BATCH)
    batches = training_batches(
        session, plan, Dataset(data(network)), BATCH, entry=steps.entry, division=steps.division
    )
    again = steps.ready(batch for epoch in cycle([0]) for batch in batches.epoch(epoch))

    def step() -> None:
        steps.run(next(again))

    wall, busy = timed(step, seconds, agreed=ranks)
    steps._sum = RankSum(session, ranks, bucket=1 << 40)  # all at the end
    late = timed(step, seconds, agreed=ranks)[0]
    batch = next(iter(batches.epoch(0)))
    whole = {"batch.loss.count": np.float32(BATCH), "batch.rows": np.float32(BATCH)}

    def run(entry: str) -> Callable[[], object]:
        names = {info.name for info in session.input_info(entry)}
        arrays = {name: array for name, array in {**batch.arrays, **whole}.items() if name in names}
        return lambda: session.run(entry, {name: np.asarray(array) for name, array in arrays.items()})

    passed: list[float] = []
    session.engine.tell(lambda mark: passed.append(time.thread_time()))
    began = time.thread_time()
    run("gradients")()
    session.engine.tell(None)
    marks = [(at - began) / (passed[-1] - began) for at in passed] if passed else []
    ends = session.gradients_after_marks()
    buckets = RankSum(session, ranks)._buckets
    complete = [
        min((mark for mark, size in zip(marks, ends, strict=True) if size >= end), default=1.0)
        for _, end in buckets
    ]
    size = session.gradients.itemsize
    return {
        "step": wall,
        "late": late,
        "busy": busy,
        "gradients": timed(run("gradients"), seconds / 2)[1],
        "update": timed(run("update"), seconds / 4)[1],
        "buckets": [[(b - a) * size, at] for (a, b), at in zip(buckets, complete, strict=True)],
    }


def timed(call: Callable[[], object], seconds: float, agreed: Any = None) -> tuple[float, float]:
    """The lower quartile of the wall-clock time of a call, and the median of this thread's. ``agreed`` ranks make as
    many calls.
    """
    call()
    walls: list[float] = []
    own: list[float] = []
    with undisturbed():
        end = time.perf_counter() + seconds
        while True:
            go_on = time.perf_counter() < end or len(walls) < 5
            if agreed is not None:
                go_on = bool(agreed.gather(np.array([float(go_on)]), [1] * agreed.size)[0])
            if not go_on:
                break
            start, began = time.perf_counter(), time.thread_time()
            call()
            own.append(time.thread_time() - began)
            walls.append(time.perf_counter() - start)
    return float(np.quantile(walls, 0.25)), statistics.median(own)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Other processes wait meanwhile, if NETWRIGHT_BENCH_FIRST is set and the system allows it."""
    first = "NETWRIGHT_BENCH_FIRST" in os.environ
    if first:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    try:
        yield
    finally:
        if first:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def sum_seconds(ranks: Any, size: int, seconds: float) -> float:
    array = np.zeros(size // 4, np.float32)
    return timed(lambda: ranks.start_sum(array)(), seconds, agreed=ranks)[0]


def start(ranks: int, seconds: float) -> dict[str, Any]:
    """The figures of rank 0."""
    beside = Path(sys.executable).with_name("mpirun")
    command = [str(beside) if beside.exists() else "mpirun", "-n", str(ranks)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "figures.json")
        command += [sys.executable, __file__, "--worker", str(out), "--seconds", str(seconds)]
        subprocess.run(command, check=True)
        return json.loads(out.read_text())


def described(figures: dict[str, Any]) -> list[Step]:
    steps = []
    for network in NETWORKS:
        own = figures["1"][network]
        loop = max(0.0, own["busy"] - own["gradients"] - own["update"])
        buckets = tuple((size, at) for size, at in own["buckets"])
        steps.append(Step(network, BATCH, own["gradients"], own["update"], loop, buckets))
    return steps


def fitted(sums: list[list[float]]) -> Net:
    """Latency and bandwidth of the sums over two ranks here: a line through the least and the largest size."""
    (small, quick), (large, slow) = sums[0], sums[-1]
    bandwidth = (large - small) / max(slow - quick, 1e-9)
    return Net("here", quick / 2, bandwidth, 0.0)


def tables(figures: dict[str, Any]) -> dict[str, list[str]]:
    steps, here = described(figures), fitted(figures["2"]["sums"])
    measured = [
        "| network | gradients | update | loop | one rank, samples/s | two ranks | sums at the end | ratio | model |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for step in steps:
        one, two = (figures[ranks][step.network]["step"] for ranks in ("1", "2"))
        half = Step(step.network, BATCH // 2, step.gradients / 2, step.update, step.loop, step.buckets)
        times = (step.gradients, step.update, step.loop)
        cells = [step.network, *(f"{1e3 * each:.2f} ms" for each in times)]
        cells += [f"{BATCH / each:,.0f}" for each in (one, two, figures["2"][step.network]["late"])]
        cells += [f"{one / two:.2f}", f"{step.alone / step_time(half, here, 2):.2f}"]
        measured.append(f"| {' | '.join(cells)} |")
    link = [
        "| bytes | two ranks here |",
        "|---:|---:|",
        *(f"| {size:,} | {1e6 * taken:,.0f} µs |" for size, taken in figures["2"]["sums"]),
    ]
    return {"measured": measured, "sums": link, "predicted": table(steps, NETS, COUNTS)}


def write_page(figures: dict[str, Any]) -> None:
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")


def page(text: str, figures: dict[str, Any]) -> str:
    """The page with its tables written anew."""
    for name, lines in tables(figures).items():
        block = f"<!-- {name} -->\n" + "\n".join(lines) + f"\n<!-- /{name} -->"
        text = re.sub(rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _, block=block: block, text, flags=re.S)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="for each network and number of ranks")
    parser.add_argument("--write", action="store_true", help="keep the figures and write the page's tables")
    parser.add_argument(
        "--first", action="store_true", help="let other processes wait, on a computer that is busy"
    )
    parser.add_argument("--table", action="store_true", help="write the page's tables from the last figures")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.first:
        os.environ["NETWRIGHT_BENCH_FIRST"] = "1"
    if given.worker is not None:
        figures = measure(given.seconds)
        if os.environ.get("PMI_RANK", "0") == "0":
            given.worker.write_text(json.dumps(figures))
        return
    if given.table:
        write_page(json.loads(FIGURES.read_text(encoding="utf-8")))
        return
    figures = {str(ranks): start(ranks, given.seconds) for ranks in (1, 2)}
    figures["nets"] = [asdict(net) for net in NETS]
    for name, lines in tables(figures).items():
        print(f"\n{name}\n", *lines, sep="\n")
    if given.write:
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        write_page(figures)


if __name__ == "__main__":
    main()
