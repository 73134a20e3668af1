"""Runs the trials of a sweep, round by round."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netwright.specs.appending import AppendedFile, FileInUseError

from ..errors import RequestError
from ..trainings.info import is_run
from ..trainings.reading import Run
from .definition import FILE, Sweep
from .workers import Job, Outcome, train_all


@dataclass(frozen=True)
class Trial:
    """How a trial stands. ``value`` is that of the sweep's metric in the epoch whose weights are kept."""

    number: int
    name: str
    values: dict[str, str]
    run: Run | None
    value: float | None

    @property
    def state(self) -> str:
        """The run's, or `waiting`."""
        return self.run.state if self.run is not None else "waiting"


def trials_of(sweep: Sweep, folder: Path) -> list[Trial]:
    """The trials in the order of their numbers."""
    return [trial_of(sweep, folder, number) for number in range(len(sweep.trials))]


def trial_of(sweep: Sweep, folder: Path, number: int) -> Trial:
    """A trial by its position."""
    path = folder / sweep.name(number)
    run = Run(path, path.name) if is_run(path) else None
    value = run.kept(sweep.metric) if run is not None else None
    return Trial(number, path.name, dict(sweep.trials[number]), run, value)


def ranked(sweep: Sweep, trials: list[Trial]) -> list[Trial]:
    """The best trials first: those that were trained further, then by their values. Equal ones stay in order."""

    def key(trial: Trial) -> tuple[float, float]:
        epochs = (
            len(trial.run.history)
            if trial.run is not None and trial.run.info.get("ending") != "diverged"
            else 0
        )
        if sweep.method != "halving" or (trial.run and trial.run.info.get("ending") == "stopped early"):
            epochs = 0
        if trial.value is None:
            return (math.inf, 0.0)
        return (-epochs, -trial.value if sweep.rises else trial.value)

    return sorted(trials, key=key)


def run_sweep(
    sweep: Sweep, folder: Path, spec: Path, at_once: int, told: Callable[[Trial, int, int], None]
) -> Outcome:
    """Trains what is left of a sweep in ``folder``, ``at_once`` trials at a time, and calls ``told`` with each trial,
    the number of those done in its round, and of all in it.

    Which trials go on is decided when a round is over, so that the results do not depend on ``at_once``. Raises
    RequestError if another process goes on with the sweep.
    """
    try:
        lock = AppendedFile(folder / FILE, (folder / FILE).stat().st_size)  # nothing is appended
    except FileInUseError:
        raise RequestError(f"{folder} is being trained by another process") from None
    try:
        return _run(sweep, folder, spec, at_once, told)
    finally:
        lock.close()


def _run(
    sweep: Sweep, folder: Path, spec: Path, at_once: int, told: Callable[[Trial, int, int], None]
) -> Outcome:
    numbers = list(range(len(sweep.trials)))
    errors: dict[str, str] = {}
    for position, (count, epochs) in enumerate(sweep.rounds):
        if position > 0:
            every = trials_of(sweep, folder)
            before = sweep.rounds[position - 1][1]
            numbers = _best(sweep, [every[number] for number in numbers], before)[:count]
        jobs = [
            Job(folder / sweep.name(number), spec, epochs, sweep.settings(number), sweep.options)
            for number in numbers
        ]
        done = sum(job.is_done for job in jobs)

        def tell(job: Job, jobs: list[Job] = jobs) -> None:
            nonlocal done
            done += job.is_done
            number = int(job.path.name.rpartition("-")[2]) - 1
            told(trial_of(sweep, folder, number), done, len(jobs))

        outcome = train_all(jobs, at_once, tell)
        errors |= outcome.errors
        if outcome.signal is not None:
            return Outcome(errors, outcome.signal)
    return Outcome(errors)


def _best(sweep: Sweep, trials: list[Trial], epochs: int) -> list[int]:
    """The numbers of trials by their values in their first ``epochs``, the best first, also where they went on."""

    def key(trial: Trial) -> float:
        value = trial.run.kept(sweep.metric, epochs) if trial.run is not None else None
        return math.inf if value is None else -value if sweep.rises else value

    return [trial.number for trial in sorted(trials, key=key)]
