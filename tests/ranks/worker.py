"""What `mpirun -n 3` runs for ``test_training.py``: trainings on one, two and three ranks, whose results rank 0 writes
as JSON.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import netwright
from netwright.program import Program
from netwright.runtime.errors import RuntimeFault
from netwright.runtime.files.tensors import TensorFile
from netwright.runtime.totals import Totals
from netwright.runtime.training.plan import TrainingResult
from netwright.runtime.training.progress import Silent
from netwright.training.ranks import Divided

from .specs import COUNTER, PICTURES, QUICK, TAGGER, counter_data, picture_data, tagger_data

WORLD = MPI.COMM_WORLD
PARTS = ("train.parts=3",)


@cache
def compiled(spec: str, settings: tuple[str, ...], whole: bool) -> tuple[Program, dict[str, NDArray]]:
    entries = ("loss", "train_step") if whole else ("loss",)
    program = netwright.load(json.loads(spec), settings).compile(entries=entries, threads=1)
    return program, program.weights


def prepare() -> None:
    """Rank 0 compiles what all train by, and the others find it in the cache of programs."""
    if WORLD.rank == 0:
        for spec, settings in ((TAGGER, QUICK), (PICTURES, PARTS), (COUNTER, ())):
            program, weights = compiled(json.dumps(spec), tuple(settings), False)
            how = {"engine": "native", "threads": 1, "pin": False, "cpu": program.cpu}
            Divided(program.load, program.network, **how).session(weights, 1)
    meet()


def trained(
    spec: Any, data: Any, valid: Any, comm: Any, settings: Any = (), **options: Any
) -> TrainingResult:
    divided = comm is not None or any(setting.startswith("train.parts") for setting in settings)
    program, weights = compiled(json.dumps(spec), tuple(settings), not divided)
    program.session.assign(weights)
    return program.train(data, valid, communicator=comm, **options)


def curve(result: TrainingResult) -> list[list[float]]:
    """The numbers of each epoch."""
    return [[*record.train.values(), *(record.valid or {}).values()] for record in result.history]


def compared(result: TrainingResult, other: TrainingResult | None) -> dict[str, Any]:
    if other is None:
        return {}
    return {
        "curve": curve(result),
        "expected": curve(other),
        "difference": max(
            float(abs(array - other.weights[name]).max()) for name, array in result.weights.items()
        ),
        "same bits": all(
            np.array_equal(array, other.weights[name]) for name, array in result.weights.items()
        ),
        "endings": [result.ending, other.ending],
        "best": [result.best_epoch, other.best_epoch],
    }


def alone(spec: Any, data: Any, valid: Any, settings: Any = ()) -> TrainingResult | None:
    """The training of one process, on rank 0."""
    result = trained(spec, data, valid, None, settings) if WORLD.rank == 0 else None
    meet()
    return result


def meet() -> None:
    """Waits for all ranks."""
    meeting = WORLD.Ibarrier()
    while not meeting.Test():  # MPI's own waiting takes a processor
        time.sleep(0.01)


def sub(ranks: int) -> Any:
    """The first ranks."""
    return WORLD.Split(0 if WORLD.rank < ranks else MPI.UNDEFINED, WORLD.rank)


def curves_agree(folder: Path) -> dict[str, Any]:
    """The last batch is one sample, of which two ranks have nothing."""
    sets = tagger_data(17, 0), tagger_data(9, 1)
    return compared(trained(TAGGER, *sets, WORLD, QUICK), alone(TAGGER, *sets, settings=QUICK))


def parts_are_exact(folder: Path) -> dict[str, Any]:
    sets = picture_data(31, 0), picture_data(14, 1)
    return compared(trained(PICTURES, *sets, WORLD, PARTS), alone(PICTURES, *sets, settings=PARTS))


def parts_carry(folder: Path) -> dict[str, Any]:
    sets, two = (counter_data(13, 0), None), sub(2)
    result = None if two == MPI.COMM_NULL else trained(COUNTER, *sets, two, PARTS)
    expected = alone(COUNTER, *sets, settings=PARTS)
    return compared(result, expected) if result else {}


class Interrupting(Silent):
    """Sends this process Ctrl-C after some steps."""

    def __init__(self, steps: int):
        self.left = steps

    def step(self, epoch: int, batch: int, samples: int, totals: Totals) -> None:
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def resumed(folder: Path) -> dict[str, Any]:
    """Three ranks stop within a sequence, two go on and stop, one goes on."""
    data, checkpoint = counter_data(13, 0), folder / "counter.checkpoint"
    endings: list[str] = []
    for ranks in (3, 2):
        comm = sub(ranks)
        if comm != MPI.COMM_NULL:
            resume = checkpoint if ranks == 2 else None
            endings.append(
                trained(
                    COUNTER, data, None, comm, checkpoint=checkpoint, resume=resume, observer=Interrupting(4)
                ).ending
            )
    expected = alone(COUNTER, data, None)
    if WORLD.rank:
        return {}
    result = trained(COUNTER, data, None, None, checkpoint=checkpoint, resume=checkpoint)
    return {"stopped": endings, **compared(result, expected)}


def told_by_all(act: Callable[[], object]) -> list[str]:
    """The error on each rank."""
    try:
        act()
    except (RuntimeFault, ValueError) as error:
        told = f"{type(error).__name__}: {error}"
    else:
        told = ""
    meet()
    return WORLD.allgather(told)


def launched_differently(folder: Path) -> dict[str, Any]:
    settings = ["train.epochs=3"] if WORLD.rank == 2 else []
    data = counter_data(13, WORLD.rank == 1)
    options = told_by_all(lambda: trained(COUNTER, counter_data(13, 0), None, WORLD, settings))
    return {"options": options, "data": told_by_all(lambda: trained(COUNTER, data, None, WORLD))}


def one_fails(folder: Path) -> dict[str, Any]:
    """A number that is too large, in rows that rank 1 reads in the second batch; a function that fails on rank 2."""
    data, checkpoint = picture_data(18, 0), folder / "pictures.checkpoint"
    data["x"] = data["x"].astype(np.float64)
    data["x"][13, 1, 2, 0] = 1e300
    settings = [*PARTS, "train.shuffle=false"]

    def stop(record: object) -> None:
        if WORLD.rank == 2:
            raise ValueError("no more")

    small = picture_data(9, 0)
    return {
        "data": told_by_all(lambda: trained(PICTURES, data, None, WORLD, settings, checkpoint=checkpoint)),
        "steps": read_history_steps(checkpoint),
        "function": told_by_all(lambda: trained(PICTURES, small, None, WORLD, settings, on_epoch=stop)),
    }


def read_history_steps(checkpoint: Path) -> int:
    """How many steps were made before the checkpoint."""
    return json.loads(TensorFile(checkpoint).metadata["training"])["step"]


def refused(folder: Path) -> dict[str, Any]:
    data = picture_data(9, 0)
    return {
        "statistics": told_by_all(lambda: trained(PICTURES, data, None, WORLD)),
        "parts": told_by_all(lambda: trained(PICTURES, data, None, WORLD, ["train.parts=2"])),
        "stops": curve_lengths(data),
    }


def curve_lengths(data: Any) -> list[int]:
    """How many epochs each rank trained that one rank ended."""
    stop = trained(PICTURES, data, None, WORLD, PARTS, on_epoch=lambda record: WORLD.rank == 1)
    meet()
    return WORLD.allgather(len(stop.history))


SCENARIOS = (
    curves_agree,
    parts_are_exact,
    parts_carry,
    resumed,
    launched_differently,
    one_fails,
    refused,
)


def main() -> None:
    folder, results = Path(sys.argv[1]), {}
    prepare()
    for scenario in SCENARIOS:
        began = time.process_time()
        results[scenario.__name__] = scenario(folder)
        if results[scenario.__name__]:
            results[scenario.__name__]["seconds"] = round(time.process_time() - began, 2)
    if WORLD.rank == 0:
        (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
