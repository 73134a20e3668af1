"""Checkpoints: the whole state of a training in one safetensors file, so that resuming gives the same bits.

Tensors are called ``weights.NAME``, ``state.NAME`` (optimizer moments, step counter, carried states) and ``best.NAME``;
the progress is JSON in the metadata. The order of samples is not saved, because it follows from seed and epoch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import SCALE

from ..data.class_names import (
    CLASSES_KEY,
    ClassNames,
    classes_difference,
    classes_from_metadata,
    classes_to_text,
)
from ..data.vocabulary import KEY, Vocabulary, from_metadata, to_text
from ..errors import CheckpointError, WeightsError
from ..files.tensors import TensorFile, write_tensors
from ..files.weights_file import BEST, CHECKPOINT, LAST, STATE
from ..sessions.session import Session
from ..totals import Totals
from .plan import EpochRecord, Progress

#: What identifies a training: the parts of its plan and spec that determine the updates, and the size of its data.
#: Plain values by key, in mappings and lists.
Identity = Mapping[str, Any]
_MAY_CHANGE = (
    "What may change is epochs, batch_size, learning_rate, weight_decay, clip_norm, parameter_groups, early stopping "
    "but not what it monitors, when checkpoints are written and where data are; a new training can start with these "
    "weights (--init)"
)
#: How many differences are listed.
_LISTED = 8


def save_checkpoint(
    path: str | Path,
    session: Session,
    identity: Identity,
    progress: Progress,
    vocabularies: Mapping[str, Vocabulary] | None = None,
    classes: ClassNames | None = None,
    *,
    state: Mapping[str, NDArray] | None = None,
) -> None:
    """Writes ``session``'s values (``state`` in place of its own), ``progress``, vocabularies and classes of the data,
    atomically. Raises OSError.
    """
    tensors = {
        **_prefixed(LAST, session.weights),
        **_prefixed(STATE, session.state if state is None else state),
        **_prefixed(BEST, progress.best_weights or {}),
    }
    place = {
        "identity": dict(identity),
        "epoch": progress.epoch,
        "batch": progress.batch,
        "step": progress.step,
        "samples": progress.samples,
        "seconds": progress.seconds,
        "totals": progress.totals.to_json(),
        "history": [asdict(record) for record in progress.history],
        "best_epoch": progress.best_epoch,
        "batch_size": progress.batch_size,
        "recorded": list(progress.recorded),
        "origin": dict(progress.origin),
    }
    manifest = session.manifest
    metadata = {
        "format": CHECKPOINT,
        "netwright": manifest.netwright,
        "model": manifest.model,
        "training": json.dumps(place),
    }
    metadata |= {KEY: to_text(vocabularies)} if vocabularies else {}
    metadata |= {CLASSES_KEY: classes_to_text(classes)} if classes else {}
    write_tensors(path, tensors, metadata)


def load_checkpoint(
    path: str | Path,
    session: Session,
    identity: Identity,
    vocabularies: Mapping[str, Vocabulary] | None = None,
    classes: ClassNames | None = None,
) -> Progress:
    """Restores the values of ``session`` and returns the progress.

    Raises CheckpointError if the file is no checkpoint, is damaged, or belongs to another model or to a training with
    another ``identity``, other ``vocabularies`` or other ``classes``. In that case the session does not change.
    """
    try:
        file = TensorFile(path)
        if file.metadata.get("format") != CHECKPOINT:
            raise CheckpointError(f"{path} is not a checkpoint that this version of netwright can resume")
        place = json.loads(file.metadata["training"])
        _compare_vocabularies(path, from_metadata(file.metadata, path), vocabularies or {})
        _compare_classes(path, classes_from_metadata(file.metadata, path), classes or {})
        _compare(path, place["identity"], identity)
        progress = _progress(place)
        progress.totals = Totals(session.manifest.scores)
        progress.totals.restore(place["totals"])
        tensors = {name: file.read(name) for name in file.headers}
        if progress.best_epoch is not None:
            progress.best_weights = _selected(tensors, BEST)
            session.check(progress.best_weights)
        weights = session.check(_selected(tensors, LAST))
        session.assign_state(_scaled(_selected(tensors, STATE), session.state))
        session.assign(weights)
    except (WeightsError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        detail = error if isinstance(error, WeightsError) else f"{type(error).__name__}: {error}"
        raise CheckpointError(f"{path} can't be resumed from: {detail}") from error
    return progress


def read_origin(path: str | Path) -> Mapping[str, Any]:
    """What was given to ``train`` as the origin of a checkpoint's training. Raises CheckpointError."""
    return _read(path)[1].origin


def read_history(path: str | Path) -> tuple[str, list[EpochRecord]]:
    """The model's name and the finished epochs of a checkpoint's training. Raises CheckpointError."""
    model, progress = _read(path)
    return model, progress.history


def _read(path: str | Path) -> tuple[str, Progress]:
    try:
        file = TensorFile(path)
        if file.metadata.get("format") != CHECKPOINT:
            raise CheckpointError(f"{path} is not a checkpoint that this version of netwright can read")
        place = json.loads(file.metadata["training"])
        return file.metadata["model"], _progress(place)
    except (WeightsError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        detail = error if isinstance(error, WeightsError) else f"{type(error).__name__}: {error}"
        raise CheckpointError(f"{path} can't be read: {detail}") from error


def _compare(path: str | Path, saved: Identity, identity: Identity) -> None:
    changed = list(differences(saved, json.loads(json.dumps(identity))))
    if changed:
        more = f"; and {len(changed) - _LISTED} more" if len(changed) > _LISTED else ""
        raise CheckpointError(
            f"{path} is from a different training: {'; '.join(changed[:_LISTED])}{more}. {_MAY_CHANGE}"
        )


def differences(
    old: Any, new: Any, key: str = "", words: tuple[str, str] = ("was", "now is")
) -> Iterator[str]:
    """What differs between plain values, by dotted keys, in words for the old and the new value."""
    was, now = words
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        old, new = dict(enumerate(old)), dict(enumerate(new))
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*new, *old]):
            yield from differences(old.get(name), new.get(name), f"{key}.{name}" if key else str(name), words)
    elif isinstance(new, dict) and old is None:
        yield f"{key} is new"
    elif isinstance(old, dict) and new is None:
        yield f"{key} is gone"
    elif old != new:
        yield f"{key} {was} {old}, {now} {new}"


def _compare_vocabularies(
    path: str | Path, saved: Mapping[str, Vocabulary], now: Mapping[str, Vocabulary]
) -> None:
    for name in (*saved, *(name for name in now if name not in saved)):
        if name not in saved or name not in now:
            made = "numbers" if name not in saved else "text"
            raise CheckpointError(f"{path} is from a different training: {name} was made from {made}")
        if change := saved[name].difference(now[name]):
            raise CheckpointError(
                f"{path} is from a training with another vocabulary of {name}: {change}. The training data or the data "
                "set's vocabulary changed; go on with those that the training began with, or begin a new one"
            )


def _compare_classes(path: str | Path, saved: ClassNames, now: ClassNames) -> None:
    if change := classes_difference(saved, now):
        raise CheckpointError(
            f"{path} is from a training with other classes: {change}. Go on with the classes that the training began "
            "with, or begin a new one"
        )


def _progress(place: Mapping[str, Any]) -> Progress:
    history = [EpochRecord(**record) for record in place["history"]]
    counters = {name: place[name] for name in ("epoch", "batch", "step", "samples", "batch_size")}
    for name, value in counters.items():
        if type(value) is not int or value < 0:
            raise ValueError(f"{name} is {value!r}")
    best_epoch = place["best_epoch"]
    if best_epoch is not None and not 1 <= best_epoch <= len(history):
        raise ValueError(f"best_epoch is {best_epoch!r}")
    return Progress(
        **counters,
        seconds=float(place["seconds"]),
        history=history,
        best_epoch=best_epoch,
        recorded=tuple(float(part) for part in place.get("recorded", ())),
        origin=dict(place["origin"]),
    )


def _scaled(state: dict[str, NDArray], now: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The state for another learning-rate schedule: one by plateaus begins with its first rate."""
    if SCALE not in now:
        return {name: array for name, array in state.items() if name != SCALE}
    return {SCALE: np.ones((), np.float64), **state}


def _prefixed(prefix: str, arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
    return {prefix + name: array for name, array in arrays.items()}


def _selected(arrays: Mapping[str, NDArray], prefix: str) -> dict[str, NDArray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
