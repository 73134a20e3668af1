"""The processes that `mpirun` started together, on the command line: only the first one prints and writes."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from netwright.runtime.training.distributed.agreement import RankError, is_known, known, meet
from netwright.runtime.training.distributed.mpi import MpiCommunicator, launched, world

from .places import Place

#: How the text begins in which the first process says where a training writes.
_PLACE = "place:"
_KEY, _THREADS = "netwright.ranks", "netwright.threads"


class RankCommand(click.Command):
    """A command that several processes run together, with the same arguments.

    What it raises in one of them before they first meet, in the training, ends all: the first one shows it.
    """

    def invoke(self, ctx: click.Context) -> Any:
        ranks = ctx.meta[_KEY] = _started()
        ctx.meta[_THREADS] = ranks.fair_threads() if ranks else None
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except Exception as error:
            if ranks is not None and not ranks.met and not is_known(error):
                usage = isinstance(error, click.ClickException)
                meet(ranks, click.UsageError(error.format_message(), ctx) if usage else error)
            raise


def ranks() -> MpiCommunicator | None:
    """All processes of the present command; None if it is one."""
    return click.get_current_context().meta.get(_KEY)


def fair_threads() -> int | None:
    """How many threads each process may use if those of a computer share its processors; None for one process."""
    return click.get_current_context().meta.get(_THREADS)


def writes() -> bool:
    """Whether this process writes the present command's files."""
    started = ranks()
    return started is None or started.rank == 0


def shared_place(make: Callable[[], Place]) -> Place:
    """Where the training of the present command writes, as the first process decides; it may be the one to make a
    folder. Raises RankError on the others if that fails.
    """
    started = ranks()
    if started is None:
        return make()
    if started.rank == 0:
        place = make()
        names = [None if path is None else str(path) for path in (place.folder, place.resume)]
        started.texts(f"{_PLACE}{json.dumps(names)}")
    else:
        text = started.texts("")[0]
        if not text.startswith(_PLACE):
            raise known(RankError(f"rank 0: {text.partition(':')[2]}"))
        folder, resume = (name and Path(name) for name in json.loads(text.removeprefix(_PLACE)))
        place = Place(folder, resume)
    started.met = False  # what fails from here on is told where they meet in the training
    return place


class _Nowhere(io.StringIO):
    """A stream that forgets what is written to it."""

    def write(self, text: str, /) -> int:
        return len(text)


def _started() -> MpiCommunicator | None:
    if not launched():
        return None
    started = world()
    if started.size == 1:
        return None
    if started.rank:
        sys.stdout = sys.stderr = _Nowhere()
    return started
