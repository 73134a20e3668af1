"""Errors at run time, one class per cause."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RuntimeFault(Exception):
    """Base of all errors that ``netwright.runtime`` raises."""


class ExecutionError(RuntimeFault):
    """An entry could not be run, or returned an error code: ``code``, which is 0 if none was returned."""

    def __init__(self, message: str, code: int = 0):
        super().__init__(message)
        self.code = code


class InputError(RuntimeFault, ValueError):
    """An input's name, shape or dtype is not what the entry takes."""


class WeightsError(RuntimeFault, ValueError):
    """A weights file can't be read, or its tensors don't fit the model; ``problems`` lists everything wrong."""

    def __init__(self, message: str, problems: Iterable[str] = ()):
        super().__init__(message)
        self.problems = tuple(problems)


class DataError(RuntimeFault, ValueError):
    """A data file can't be read, or its arrays don't fit the model's inputs and targets."""


class DataWarning(UserWarning):
    """Something about data that a user should know."""


class RoundingWarning(DataWarning):
    """The numbers of an array are rounded to the float type that a model computes in."""


class CheckpointError(RuntimeFault, ValueError):
    """A checkpoint can't be read, or was written by a different training."""


class TrainingError(RuntimeFault):
    """The training can't continue."""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """``"; did you mean 'x'?"``, or an empty text if no candidate is similar."""
    folded = {candidate.casefold(): candidate for candidate in candidates}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def listed(names: Iterable[str]) -> str:
    """Names for a message: ``'a', 'b'``, or ``none``."""
    return ", ".join(repr(name) for name in names) or "none"
