"""Trains a program into the folder of a run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from netwright.runtime.training.loop import DivergedError
from netwright.runtime.training.metrics.writer import MetricsWriter
from netwright.runtime.training.plan import TrainingResult
from netwright.runtime.training.recording import Sink
from netwright.specs.appending import FileInUseError
from netwright.specs.files import remove_abandoned
from netwright.specs.load import LoadResult

from ..data.sets import DataSets
from ..errors import RequestError
from .folder import RunFolder

#: Trains with this checkpoint, from this one, and tells the sink.
Train = Callable[[Path, Path | None, Sink], TrainingResult]


def train_in(
    folder: RunFolder,
    train: Train,
    save_weights: Callable[[Path], None],
    load: LoadResult,
    sets: DataSets,
    *,
    resume: bool,
    epochs: int,
) -> TrainingResult:
    """Runs ``train`` with the folder's checkpoint and metrics, keeps its state in `run.json`, and writes the weights.

    ``resume`` goes on with the run; one that was killed before its first checkpoint begins again. ``epochs`` are
    planned in all. Raises RequestError if another process trains it, and what ``train`` raises.
    """
    try:
        writer = MetricsWriter(folder.path)
    except FileInUseError:
        raise RequestError(f"{folder.path} is being trained by another process") from None
    try:
        if resume:
            remove_abandoned(folder.path)
            folder.resumed(load, sets, epochs)
        start = folder.checkpoint if resume and folder.checkpoint.exists() else None
        result = train(folder.checkpoint, start, writer)
        if result.ending == "interrupted":
            folder.ended("stopped", "interrupted")
        else:
            save_weights(folder.weights)
            folder.ended("finished", result.ending)
        return result
    except DivergedError as error:
        with suppress(OSError):
            if error.result.history:
                save_weights(folder.weights)
            folder.ended("failed", "diverged", str(error))
        raise
    except (KeyboardInterrupt, SystemExit):
        with suppress(OSError):
            folder.ended("stopped", "aborted")
        raise
    except BaseException as error:
        with suppress(OSError):  # on a full disk, the error is about that already
            folder.ended("failed", "error", f"{type(error).__name__}: {error}")
        raise
    finally:
        writer.close()
