"""The share of its time that a training waits for its data, for the examples.

    python benchmarks/waiting.py [SPEC …]

Without arguments: the specs of all examples whose data are there; `python examples/run.py NAME` makes those of the
others. A batch of arrays in memory is made by the thread that trains, one of files by another thread while the batch
before it is trained on. Either way, what counts is how long the training thread is busy with getting its next batch.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import netwright
from netwright import RequestError, SpecError
from netwright.runtime.batches import read_ahead
from netwright.runtime.errors import DataError
from netwright.runtime.training import loop

EXAMPLES = Path(__file__).parents[1] / "examples"
EPOCHS = 2  # of which the second one is measured: the first one reads files for the first time


class Waiting:
    """An iterator that adds up how long it takes to give its items."""

    seconds = 0.0

    def __init__(self, items: Iterator[Any]):
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        start = time.perf_counter()
        try:
            return next(self._items)
        finally:
            Waiting.seconds += time.perf_counter() - start


@contextmanager
def timed(items: Iterator[Any], count: int = 1) -> Iterator[Iterator[Any]]:
    """As `read_ahead`, with the time of each item."""
    with read_ahead(items, count) as ready:
        yield Waiting(ready)


def measured(spec: Path) -> tuple[float, float]:
    """Seconds of an epoch, and of those how many it waited for batches."""
    model = netwright.load(spec, {"train.epochs": EPOCHS})
    program = model.compile(entries=["loss", "train_step"])
    marks = [(time.perf_counter(), 0.0)]
    Waiting.seconds = 0.0
    program.train(on_epoch=lambda record: marks.append((time.perf_counter(), Waiting.seconds)))
    (start, before), (end, after) = marks[-2:]
    return end - start, after - before


def main() -> None:
    loop.read_ahead = timed  # type: ignore[assignment]
    specs = [Path(name) for name in sys.argv[1:]] or sorted(EXAMPLES.glob("*/*.yaml"))
    print(f"{'spec':<32}{'epoch, s':>10}{'waits, s':>10}{'share':>8}")
    for spec in specs:
        try:
            seconds, waited = measured(spec)
        except (DataError, RequestError, SpecError):
            continue  # its data are not there, or it has no section train
        print(
            f"{spec.parent.name + '/' + spec.name:<32}{seconds:>10.2f}{waited:>10.3f}{waited / seconds:>8.1%}"
        )


if __name__ == "__main__":
    main()
