"""The differential suite of one target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..draw.check import Finding, Sensitive
from .jobs import Job, Unsuitable, make
from .runners import lacking, runner


@dataclass
class Result:
    """How many networks agreed, were sensitive to roundings, could not become programs, or failed; and each failure.

    ``skipped`` says why nothing was run, if so.
    """

    counts: Counter[str] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)
    skipped: str = ""


def check_target(
    target: str, numbers: Iterable[int], seed: int, folder: Path, cpu: str | None = None
) -> Result:
    """Compiles the networks of these numbers for a target, runs them and compares their answers."""
    result = Result()
    if reason := lacking(target):
        result.skipped = reason
        return result
    jobs: list[Job] = []
    for number in numbers:
        try:
            named = None if target == "native" else target
            jobs.append(make(number, seed, named, cpu, folder / str(number)))
        except Unsuitable:
            result.counts["unsuitable"] += 1
        except Exception as error:
            _fail(result, number, f"{type(error).__name__}: {error}")
    for job, outcome in zip(jobs, runner(target)(jobs), strict=True):
        if isinstance(outcome, str):
            _fail(result, job.number, outcome)
            continue
        try:
            job.compare(outcome)
            result.counts["agree"] += 1
        except Sensitive:
            result.counts["sensitive"] += 1
        except (Finding, AssertionError) as error:
            _fail(result, job.number, str(error))
    return result


def _fail(result: Result, number: int, what: str) -> None:
    result.counts["FAILED"] += 1
    result.failed[number] = what
