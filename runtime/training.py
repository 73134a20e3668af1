"""The training loop: epochs of steps, validation, the best weights, early stopping, checkpoints, and stopping on
signals.

It computes nothing numerical: a step is one call of the entry ``train_step``. Everything it needs to resume is in
``Progress`` and the session, so that a resumed training continues bit for bit.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.models.augmentation import AnyAugmentation

from .augmentation import Augmenter
from .batches import Batch, Batches, read_ahead
from .batches.trimming import Trimming
from .causes import NETWORK, UPDATES, cause_of, not_finite
from .checkpoint import load_checkpoint, save_checkpoint
from .data.samples import Samples
from .errors import DataError, TrainingError
from .interrupt import InterruptRequest
from .monitor import Monitor
from .plan import Ending, EpochRecord, Progress, TrainingPlan, TrainingResult
from .progress import Observer, Silent
from .recording import Recorder, Sink, current_rate
from .saving import Saver
from .session import Session
from .totals import Totals, infinite_loss

OnEpoch = Callable[[EpochRecord], object]
"""Called with the numbers of each finished epoch; True ends the training."""


class DivergedError(TrainingError):
    """The loss became infinite or NaN. ``result`` has the history and the last good weights."""

    def __init__(self, message: str, result: TrainingResult):
        super().__init__(message)
        self.result = result


def train(
    session: Session,
    plan: TrainingPlan,
    data: Samples,
    valid: Samples | None = None,
    *,
    checkpoint: str | Path | None = None,
    resume: str | Path | None = None,
    observer: Observer | None = None,
    on_epoch: OnEpoch | None = None,
    identity: Mapping[str, Any] | None = None,
    origin: Mapping[str, Any] | None = None,
    sink: Sink | None = None,
) -> TrainingResult:
    """Trains ``session`` by ``plan``; afterwards it holds ``result.weights``.

    A ``checkpoint`` is written at every interval ``plan.checkpoint_every``, on Ctrl-C or SIGTERM (after the current
    step; a second Ctrl-C aborts with KeyboardInterrupt) and at the end. After SIGTERM the process then ends, unless it
    has its own handler. ``resume`` continues from such a file: with the same bits, unless the plan has another
    ``early_stopping`` or ``batch_size`` (which in the middle of an epoch holds from the next one on). ``identity`` has
    more that must not change, as plain values by key; ``origin`` is kept in checkpoints for the caller. ``on_epoch`` is
    called after every epoch, when its checkpoint is written; if it returns True, the training stops early. ``sink``
    takes records of steps and epochs, each before a checkpoint that has them.

    Raises DataError (data that don't fit the model), CheckpointError, TrainingError (a plan that can't be followed),
    DivergedError (a loss that is infinite or NaN; the session then holds the last good weights), and what the session's
    entries raise. After an OSError (a full disk) or a DataError the checkpoint is written if that is possible.
    """
    training = _Training(
        session, plan, data, valid, checkpoint, observer or Silent(), identity or {}, on_epoch, sink
    )
    return training.run(resume, origin)


def evaluate(
    session: Session, data: Samples, batch_size: int = 32, *, group_by_length: bool = False
) -> dict[str, float]:
    """The mean loss and metrics over a whole data set, exact also if the last batch is partial. Raises DataError."""
    data.require(session.input_info("loss"), session.manifest.dims)
    totals = Totals(session.manifest.scores)
    made = plain_batches(session, data, batch_size, group_by_length)
    with read_ahead(made.epoch(0), made.ahead) as batches:
        for batch in batches:
            totals.add(session.run("loss", batch.arrays))
    return totals.means()


def plain_batches(
    session: Session, data: Samples, batch_size: int, group_by_length: bool, *, entry: str = "loss"
) -> Batches:
    """Batches of samples as they are, to measure the loss, or for another ``entry``."""
    inputs = session.input_info(entry)
    trimming = Trimming(inputs, session.manifest.dims) if group_by_length else None
    return Batches(data, inputs, batch_size, trimming=trimming)


def training_batches(session: Session, plan: TrainingPlan, data: Samples, size: int) -> Batches:
    """The batches of the training data as ``plan`` says, of ``size`` samples."""
    inputs = session.input_info("train_step")
    return Batches(
        data,
        inputs,
        size,
        seed=plan.seed,
        shuffle=plan.shuffle,
        windows=plan.windows,
        trimming=Trimming(inputs, session.manifest.dims) if plan.group_by_length else None,
        augmenter=Augmenter(plan.augment, plan.seed, inputs, plan.lengths_of) if plan.augment else None,
        balance=plan.balance,
    )


def _written(augment: Mapping[str, tuple[AnyAugmentation, ...]]) -> str:
    """Augmentations as text, to compare them."""
    return json.dumps(
        {name: [change.model_dump() for change in changes] for name, changes in augment.items()}
    )


class _Training:
    def __init__(
        self,
        session: Session,
        plan: TrainingPlan,
        data: Samples,
        valid: Samples | None,
        checkpoint: str | Path | None,
        observer: Observer,
        identity: Mapping[str, Any],
        on_epoch: OnEpoch | None,
        sink: Sink | None,
    ):
        self.session = session
        self.plan = plan
        self.saver = Saver(checkpoint, plan.checkpoint_every, self._save)
        self.observer = observer
        self.on_epoch = on_epoch
        self.recorder = Recorder(sink, plan, session) if sink is not None else None
        self.interrupt = InterruptRequest()
        self.scores = session.manifest.scores
        self.progress = Progress(totals=Totals(self.scores), batch_size=plan.batch_size)
        data.require(session.input_info("train_step"), session.manifest.dims, plan.windows)
        self.data, self.valid_data = data, valid
        self.batches = self._batches_of(plan.batch_size)
        self.valid: Batches | None = None
        if valid is not None:
            valid.require(session.input_info("loss"), session.manifest.dims)
            self.valid = plain_batches(session, valid, plan.batch_size, plan.group_by_length)
        name = plan.monitor or ("valid_loss" if valid is not None else None)
        if plan.early_stopping is not None and name is None:
            raise TrainingError("early stopping needs validation data, or a monitor such as train_loss")
        validated = valid is not None
        self.monitor = None if name is None else Monitor.of(name, self.scores, validated=validated)
        watched = (plan.plateau and plan.plateau.monitor) or name or "train_loss"
        self.plateau_monitor = Monitor.of(watched, self.scores, validated=validated)
        self.good_weights = session.weights
        # Left out is what doesn't change the updates made so far, nor what they go on with.
        self.identity = {
            "samples": self.batches.samples,
            "seed": plan.seed,
            "shuffle": plan.shuffle,
            "window": plan.window,
            "carry_state": plan.carry_state,
            "monitor": name,
            **({"group_by_length": True} if plan.group_by_length else {}),
            **({"augment": _written(plan.augment)} if plan.augment else {}),
            **({"balance": plan.balance} if plan.balance else {}),
            **identity,
        }

    def _batches_of(self, size: int) -> Batches:
        return training_batches(self.session, self.plan, self.data, size)

    def run(self, resume: str | Path | None, origin: Mapping[str, Any] | None) -> TrainingResult:
        if resume is not None:
            self.progress = load_checkpoint(
                resume, self.session, self.identity, self.data.vocabularies, self.data.classes
            )
            self.good_weights = self._kept()
            self._adopt_batch_size()
        progress = self.progress
        progress.origin = progress.origin if origin is None else origin
        if self.recorder is not None:
            margin = self._margin
            best = self.monitor.best_epochs(progress.history, margin) if self.monitor is not None else []
            self.recorder.begin(progress, best, len(self.batches))
        self.observer.start(self.plan, len(self.batches), progress.epoch + 1, progress.batch)
        result: TrainingResult | None = None
        try:
            with self.interrupt:
                ending = self._epochs()
                self.saver.now(progress)
            result = self._result(ending)
            return result
        except DivergedError as error:
            result = error.result
            raise
        except (
            DataError,
            OSError,
        ):  # a file that can't be read or written: the training can go on when it is mended
            with suppress(OSError):
                self.saver.now(progress)
            raise
        finally:
            self.observer.end(result)

    def _adopt_batch_size(self) -> None:
        """Finishes an epoch that was begun with batches of another size with such batches."""
        progress, size = self.progress, self.plan.batch_size
        if progress.batch_size == size:
            return
        if progress.batch == 0:
            progress.batch_size = size
            return
        self.batches = self._batches_of(progress.batch_size)
        self.observer.notice(
            f"epoch {progress.epoch + 1} goes on with batches of {progress.batch_size}, the next ones have {size}"
        )

    def _epochs(self) -> Ending:
        progress = self.progress
        while progress.epoch < self.plan.epochs:
            if self._ran_out_of_patience():
                return "stopped early"
            self._steps()
            with self._averaged() as weights:
                valid = None if self.interrupt.requested else self._validate()
            if self.interrupt.requested:
                where = f"epoch {progress.epoch + 1}, batch {progress.batch} of {len(self.batches)}"
                self.observer.notice(f"interrupted in {where}")
                return "interrupted"
            self._finish_epoch(weights, valid)
            self.saver.after_epoch(progress)
            if self._is_told_to_stop():
                return "stopped early"
        return "finished"

    def _is_told_to_stop(self) -> bool:
        if self.on_epoch is None:
            return False
        # Only a truth value counts: a function may return something else by the way, as a `lambda` always does.
        told = self.on_epoch(self.progress.history[-1])
        return isinstance(told, bool | np.bool_) and bool(told)

    def _steps(self) -> None:
        progress = self.progress
        began, before = time.perf_counter(), progress.seconds
        upcoming = self.batches.epoch(progress.epoch, progress.batch)
        with read_ahead(upcoming, self.batches.ahead) as batches:
            for batch in batches:
                if self.interrupt.requested:
                    break
                self._step(batch)
                progress.seconds = before + time.perf_counter() - began
                if self.recorder is not None:
                    self.recorder.step(progress, len(self.batches))
                self.saver.after_step(progress)
                self.observer.step(progress.epoch + 1, progress.batch, progress.samples, progress.totals)

    def _step(self, batch: Batch) -> None:
        progress, plan = self.progress, self.plan
        if batch.starts_sequence or not plan.carry_state:
            self.session.reset_carry()
        if batch.index == len(self.batches) - 1:
            self.session.end_group()
        outputs = self.session.run("train_step", batch.arrays)
        progress.step += 1
        progress.batch = batch.index + 1
        if (bad := infinite_loss(self.scores, outputs)) is not None:
            name, value = bad
            self._diverged(
                f"the loss is {value}" if name == "loss" else f"{name} is {value}",
                cause_of(self.session, self.good_weights, batch.arrays, self.data, batch.rows, plan.mask),
            )
        progress.totals.add(outputs)
        progress.samples += batch.samples

    def _kept(self) -> dict[str, NDArray]:
        """The weights to keep: averages over the training, if there are such."""
        averages = self.session.averages
        return self.session.weights if averages is None else averages

    @contextmanager
    def _averaged(self) -> Iterator[dict[str, NDArray]]:
        """Inside, the session has the weights to validate and keep. Training goes on with those from before."""
        trained, kept = self.session.weights, self.session.averages
        if kept is None:
            yield trained
            return
        self.session.assign(kept)
        try:
            yield kept
        finally:
            self.session.assign(trained)

    def _validate(self) -> dict[str, float] | None:
        if self.valid is None:
            return None
        totals = Totals(self.scores)
        with read_ahead(self.valid.epoch(0), self.valid.ahead) as batches:
            for batch in batches:
                if self.interrupt.requested:
                    break
                totals.add(self.session.run("loss", batch.arrays))
        return totals.means()

    def _finish_epoch(self, weights: dict[str, NDArray], valid: dict[str, float] | None) -> None:
        progress = self.progress
        if valid is not None and not math.isfinite(valid["loss"]):
            self._diverged(f"the validation loss is {valid['loss']}", self._cause_of_validation(weights))
        if bad := [name for name, array in weights.items() if not np.isfinite(array).all()]:
            self._diverged(f"{bad[0]} is not finite", UPDATES)
        self.good_weights = weights
        record = EpochRecord(
            progress.epoch + 1,
            progress.step,
            progress.totals.means(),
            valid,
            seconds=progress.seconds,
            samples=progress.samples,
            learning_rate=current_rate(self.plan, self.session),
        )
        progress.history.append(record)
        if (plateau := self.plan.plateau) is not None:
            values = [past.value(self.plateau_monitor.name) for past in progress.history]
            self.session.scale_rate(plateau.scale(values, self.plateau_monitor.rises))
        best = self.monitor is not None and self._is_better(record)
        if best:
            progress.best_epoch, progress.best_weights = record.epoch, weights
        progress.epoch, progress.batch, progress.samples = progress.epoch + 1, 0, 0
        progress.seconds, progress.totals, progress.recorded = 0.0, Totals(self.scores), ()
        if progress.batch_size != self.plan.batch_size:
            progress.batch_size = self.plan.batch_size
            self.batches = self._batches_of(progress.batch_size)
        if self.recorder is not None:
            self.recorder.epoch(record, best)
        self.observer.epoch(record, best)

    def _is_better(self, record: EpochRecord) -> bool:
        progress, monitor = self.progress, self.monitor
        assert monitor is not None
        if progress.best_epoch is None:
            return True
        return monitor.is_better(record, progress.history[progress.best_epoch - 1], self._margin)

    @property
    def _margin(self) -> float:
        return self.plan.early_stopping.min_delta if self.plan.early_stopping else 0.0

    def _ran_out_of_patience(self) -> bool:
        stopping, best = self.plan.early_stopping, self.progress.best_epoch
        return stopping is not None and best is not None and self.progress.epoch - best >= stopping.patience

    def _save(self, path: str | Path) -> None:
        data = self.data
        save_checkpoint(path, self.session, self.identity, self.progress, data.vocabularies, data.classes)

    def _result(self, ending: Ending) -> TrainingResult:
        progress = self.progress
        weights = progress.best_weights
        if weights is None:
            weights = self.good_weights if ending == "diverged" else self._kept()
        self.session.assign(weights)
        return TrainingResult(
            ending,
            tuple(progress.history),
            weights,
            progress.best_epoch,
            progress.step,
            self.interrupt.signal,
        )

    def _cause_of_validation(self, weights: dict[str, NDArray]) -> str:
        if any(not np.isfinite(array).all() for array in weights.values()):
            return UPDATES
        assert self.valid_data is not None
        return not_finite(self.session.input_info("loss"), self.valid_data, mask=self.plan.mask) or NETWORK

    def _diverged(self, what: str, cause: str) -> None:
        progress = self.progress
        kept = progress.best_epoch or len(progress.history)
        weights = (
            f"the weights after epoch {kept} are kept" if kept else "the weights are those it began with"
        )
        raise DivergedError(
            f"{what} at step {progress.step} (epoch {progress.epoch + 1}, batch {progress.batch}); {weights}. {cause}",
            self._result("diverged"),
        )
