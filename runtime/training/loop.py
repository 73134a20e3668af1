"""The training loop: epochs of steps, validation, the best weights, early stopping, checkpoints, and stopping on
signals.

It computes nothing numerical: ``steps`` do, with one call of the entry ``train_step`` each, or divided among processes.
Everything it needs to resume is in ``Progress`` and the session, so that a resumed training continues bit for bit. All
processes decide alike, since they have the same sums.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..batches import Batch, Batches, read_ahead
from ..data.samples import Samples
from ..errors import DataError, TrainingError
from ..sessions.session import Session
from ..totals import Totals, infinite_loss
from .causes import NETWORK, UPDATES, not_finite
from .checkpoint import load_checkpoint, save_checkpoint
from .distributed.agreement import check_equal, digest, fingerprint, is_known, known, together
from .distributed.communicator import Alone, Communicator
from .distributed.steps import DividedSteps
from .feeding import data_inputs, plain_batches, training_batches
from .interrupt import InterruptRequest
from .monitor import Monitor
from .plan import DivergedError, Ending, EpochRecord, Progress, TrainingPlan, TrainingResult
from .progress import Observer, Silent
from .recording import Recorder, Sink, current_rate
from .saving import Saver
from .steps import Steps, WholeSteps
from .suspects import Suspects, cause_of_loss, cause_of_update

OnEpoch = Callable[[EpochRecord], object]
"""Called with the numbers of each finished epoch; True ends the training."""


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
    communicator: Communicator | None = None,
) -> TrainingResult:
    """Trains ``session`` by ``plan``; afterwards it holds ``result.weights``.

    A ``checkpoint`` is written at every interval ``plan.checkpoint_every``, on Ctrl-C or SIGTERM (after the current
    step; a second Ctrl-C aborts with KeyboardInterrupt) and at the end. After SIGTERM the process then ends, unless it
    has its own handler. ``resume`` continues from such a file: with the same bits, unless the plan has another
    ``early_stopping`` or ``batch_size`` (which in the middle of an epoch holds from the next one on). ``identity`` has
    more that must not change, as plain values by key; ``origin`` is kept in checkpoints for the caller. ``on_epoch`` is
    called after every epoch, when its checkpoint is written; if it returns True, the training stops early. ``sink``
    takes records of steps and epochs, each before a checkpoint that has them.

    With a ``communicator`` its processes, the ranks, share each batch; all of them call this with the same arguments.
    Only rank 0 writes and shows something. With one, or if ``plan`` has ``parts``, the session needs the entries
    `counts`, `gradients` and `update` in place of `train_step`.

    Raises DataError (data that don't fit the model), CheckpointError, TrainingError (a plan that can't be followed),
    DivergedError (a loss that is infinite or NaN; the session then holds the last good weights), and what the session's
    entries raise; on the other ranks RankError in place of what one of them raises. After an OSError (a full disk) or a
    DataError the checkpoint is written if that is possible.
    """
    ranks = communicator or Alone()
    with together(ranks):
        training = _Training(
            session,
            plan,
            data,
            valid,
            checkpoint,
            observer or Silent(),
            identity or {},
            on_epoch,
            sink,
            communicator,
        )
    try:
        return training.run(resume, origin)
    except Exception as error:
        if ranks.size > 1 and not is_known(error):  # the others wait for this process
            ranks.abort(f"rank {ranks.rank} ended with {type(error).__name__}: {error}")
        raise


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
        communicator: Communicator | None,
    ):
        self.session = session
        self.plan = plan
        self.interrupt = InterruptRequest()
        self.ranks = communicator or Alone()
        self.steps: Steps = WholeSteps(session, self.interrupt)
        if communicator is not None or plan.parts is not None:
            self.steps = DividedSteps(session, self.interrupt, self.ranks, plan.parts)
        self.saver = Saver(checkpoint, plan.checkpoint_every, self._save, self.steps.clock)
        self.observer = observer if self.steps.writes else Silent()
        self.recorder = Recorder(sink, plan, session) if sink is not None and self.steps.writes else None
        self.on_epoch = on_epoch
        self.scores = session.manifest.scores
        self.progress = Progress(totals=Totals(self.scores), batch_size=plan.batch_size)
        data.require(data_inputs(session, self.steps.entry), session.manifest.dims, plan.windows)
        self.data, self.valid_data = data, valid
        self.batches = self._batches_of(plan.batch_size)
        self.valid: Batches | None = None
        if valid is not None:
            valid.require(session.input_info("loss"), session.manifest.dims)
            division = self.steps.division
            self.valid = plain_batches(
                session, valid, plan.batch_size, plan.group_by_length, division=division
            )
        name = plan.monitor or ("valid_loss" if valid is not None else None)
        if plan.early_stopping is not None and name is None:
            raise TrainingError("early stopping needs validation data, or a monitor such as train_loss")
        validated = valid is not None
        self.monitor = None if name is None else Monitor.of(name, self.scores, validated=validated)
        watched = (plan.plateau and plan.plateau.monitor) or name or "train_loss"
        self.plateau_monitor = Monitor.of(watched, self.scores, validated=validated)
        self.good_weights: dict[str, NDArray] = {}
        self.identity = {**plan.identity(self.batches.samples, name), **identity}

    def _batches_of(self, size: int) -> Batches:
        steps = self.steps
        return training_batches(
            self.session, self.plan, self.data, size, entry=steps.entry, division=steps.division
        )

    def run(self, resume: str | Path | None, origin: Mapping[str, Any] | None) -> TrainingResult:
        with together(self.ranks):
            if resume is not None:
                self.progress = load_checkpoint(
                    resume, self.session, self.identity, self.data.vocabularies, self.data.classes
                )
                self.steps.restored()
                self._adopt_batch_size()
            self.good_weights = self.session.weights if resume is None else self._kept()
        progress = self.progress
        if self.ranks.size > 1:
            check_equal(self.ranks, self._facts())
        self.steps.settle()
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
        except (DataError, OSError):  # of a file; when that is mended the training can go on
            with suppress(OSError):
                self.saver.now(progress)
            raise
        finally:
            self.observer.end(result)

    def _facts(self) -> dict[str, Any]:
        """What has to be the same in all processes."""
        progress, plan, sets = self.progress, self.plan, {"train": self.data, "valid": self.valid_data}
        return {
            "version": self.session.manifest.netwright,
            "model": self.session.manifest.model,
            "training": {**self.identity, "epochs": plan.epochs, "batch_size": plan.batch_size},
            "place": f"epoch {progress.epoch + 1}, batch {progress.batch}",
            "order of gradients": digest(self.session.gradient_names),
            "data": {name: fingerprint(samples) for name, samples in sets.items() if samples is not None},
        }

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
            self._run_steps()
            with self._averaged() as weights:
                valid = None if self.steps.signal else self._validate()
            if self.steps.signal:
                where = f"epoch {progress.epoch + 1}, batch {progress.batch} of {len(self.batches)}"
                self.observer.notice(f"interrupted in {where}")
                return "interrupted"
            self._finish_epoch(weights, valid)
            self.saver.after_epoch(progress)
            if self._is_told_to_stop():
                return "stopped early"
        return "finished"

    def _is_told_to_stop(self) -> bool:
        told: object = False
        error: Exception | None = None
        try:
            told = self.on_epoch(self.progress.history[-1]) if self.on_epoch else False
        except Exception as raised:
            error = raised
        # Only a truth value counts: a function may return something else by the way, as a `lambda` always does.
        return self.steps.agreed(isinstance(told, bool | np.bool_) and bool(told), error)

    def _run_steps(self) -> None:
        progress = self.progress
        began, before = time.perf_counter(), progress.seconds
        upcoming = self.batches.epoch(progress.epoch, progress.batch)
        self.suspects = Suspects(self.steps, self.batches)
        with read_ahead(upcoming, self.batches.ahead) as batches:
            for batch in self.steps.ready(batches):
                self._step(batch)
                progress.seconds = before + time.perf_counter() - began
                if self.recorder is not None:
                    self.recorder.step(progress, len(self.batches))
                self.saver.after_step(progress)
                self.observer.step(progress.epoch + 1, progress.batch, progress.samples, progress.totals)
        if problem := self.steps.settle():
            self.observer.notice(problem)

    def _step(self, batch: Batch) -> None:
        progress, plan = self.progress, self.plan
        if batch.starts_sequence or not plan.carry_state:
            self.steps.reset_carry()
        if batch.index == len(self.batches) - 1:
            self.session.end_group()
        before = self.suspects.before(batch)
        outputs = self.steps.run(batch)
        progress.step += 1
        progress.batch = batch.index + 1
        if (bad := infinite_loss(self.scores, outputs)) is not None:
            name, value = bad
            what = f"the loss is {value}" if name == "loss" else f"{name} is {value}"
            self._diverged(what, cause_of_loss(self.steps, self.good_weights, batch, self.data, plan.mask))
        if before is not None and self.suspects.spoiled(before):
            self._diverged(
                "the update is not finite", cause_of_update(self.steps, batch, self.data, plan.mask)
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
        return self.steps.evaluate(self.valid).means()

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
        data, state = self.data, self.steps.state()
        with together(self.ranks):
            if self.steps.writes:
                save_checkpoint(
                    path,
                    self.session,
                    self.identity,
                    self.progress,
                    data.vocabularies,
                    data.classes,
                    state=state,
                )

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
            self.steps.signal or self.interrupt.signal,
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
        raise known(
            DivergedError(
                f"{what} at step {progress.step} (epoch {progress.epoch + 1}, batch {progress.batch}); {weights}. "
                f"{cause}",
                self._result("diverged"),
            )
        )
