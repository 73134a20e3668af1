"""Errors that end a training on all ranks: what one of them raises, the others hear of where they next meet it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...data.samples import Samples
from ...errors import DataError, TrainingError
from ..checkpoint import differences
from .communicator import Communicator

_LISTED = 5
#: The mark of an error that all ranks know of.
_KNOWN = "known_to_all_ranks"


class RankError(TrainingError):
    """Another rank raised an error, which ends the training on all."""


class RankDataError(DataError, RankError):
    """Another rank could not read its data."""


@contextmanager
def together(communicator: Communicator) -> Iterator[None]:
    """What the body does must succeed on all ranks: if it raises on one of them, all others raise RankError."""
    error: Exception | None = None
    try:
        yield
    except Exception as caught:
        if is_known(caught):
            raise
        error = caught
    meet(communicator, error)


def meet(communicator: Communicator, error: Exception | None) -> None:
    """Raises ``error``, and a RankError where another rank has one."""
    kind = "" if error is None else "data:" if isinstance(error, DataError) else "other:"
    texts = communicator.texts(kind and f"{kind}{str(error) or type(error).__name__}")
    if error is not None:
        raise known(error)
    for rank, text in enumerate(texts):
        if text:
            kind, _, message = text.partition(":")
            raise known((RankDataError if kind == "data" else RankError)(f"rank {rank}: {message}"))


def known(error: Exception) -> Exception:
    """Marks an error as one that all ranks raise."""
    setattr(error, _KNOWN, True)
    return error


def is_known(error: BaseException) -> bool:
    """Whether all ranks raise this error, or hear of it."""
    return getattr(error, _KNOWN, False)


def fingerprint(samples: Samples) -> str:
    """The number of samples, and a digest of three of them."""
    count = len(samples)
    made = hashlib.blake2b(digest_size=8)
    for row in sorted({0, count // 2, count - 1}) if count else ():
        arrays = samples.read(slice(row, row + 1), list(samples.headers))
        for name in sorted(arrays):
            made.update(f"{name} {arrays[name].shape} {arrays[name].dtype}".encode())
            made.update(np.ascontiguousarray(arrays[name]).tobytes())
    return f"{count} samples ({made.hexdigest()})"


def digest(names: Iterable[str]) -> str:
    """A short text that differs if names or their order do."""
    return hashlib.blake2b("\n".join(names).encode(), digest_size=8).hexdigest()


def check_equal(communicator: Communicator, facts: Mapping[str, Any]) -> None:
    """Raises TrainingError on all ranks if they do not have the same ``facts``, plain values by key."""
    own = json.dumps(facts, sort_keys=True)
    first, *others = communicator.texts(own)
    for rank, text in enumerate(others, 1):
        if text != first:
            changed = list(differences(json.loads(first), json.loads(text), words=("is", f"on rank {rank}")))
            more = f"; and {len(changed) - _LISTED} more" if len(changed) > _LISTED else ""
            message = "; ".join(changed[:_LISTED]) + more
            raise known(
                TrainingError(
                    f"rank {rank} was started with something else than rank 0: {message}. All processes need the same "
                    "spec, options and data"
                )
            )
