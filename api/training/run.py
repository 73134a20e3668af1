"""Trains as the spec says: makes a plan from its `train` section, fits layers first, then runs the loop."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.frontend.network import Network
from netwright.compiler.frontend.training.fitting import fit_statistics
from netwright.runtime.batches import Batches
from netwright.runtime.data.samples import Samples
from netwright.runtime.sessions.session import Session
from netwright.runtime.training.distributed.agreement import together
from netwright.runtime.training.distributed.communicator import Alone, Communicator
from netwright.runtime.training.loop import OnEpoch, train
from netwright.runtime.training.plan import EarlyStopping, Interval, TrainingPlan, TrainingResult
from netwright.runtime.training.plateau import Plateau
from netwright.runtime.training.progress import Observer
from netwright.runtime.training.recording import Sink
from netwright.specs.load import LoadResult
from netwright.specs.manifest import ScoreInfo
from netwright.specs.models.train import PlateauRate, TrainSpec

from ..data.needs import expected_arrays, time_dim
from ..errors import RequestError
from .identity import spec_identity
from .variations import variation_compiler


def training_plan(load: LoadResult, network: Network, *, epochs: int | None = None) -> TrainingPlan:
    """The plan for the spec's `train` section. Raises RequestError if there is none."""
    assert load.model is not None
    spec = load.model.train
    if spec is None:
        raise RequestError(f"{network.model} can't be trained: the spec has no train section")
    stopping = spec.early_stopping
    lengths = {name: input.lengths for name, input in load.model.inputs.items() if input.lengths is not None}
    return TrainingPlan(
        epochs=spec.epochs if epochs is None else epochs,
        batch_size=spec.batch_size,
        seed=spec.seed,
        shuffle=spec.shuffle,
        monitor=stopping.monitor if stopping else None,
        early_stopping=EarlyStopping(stopping.patience, stopping.min_delta) if stopping else None,
        window=spec.bptt.window if spec.bptt else None,
        carry_state=spec.bptt.carry_state if spec.bptt else True,
        time=time_dim(network) or "T",
        mask=_common_mask(spec),
        lengths=tuple(lengths.values()),
        lengths_of=lengths,
        group_by_length=spec.group_by_length,
        augment=spec.augment,
        plateau=_plateau(spec),
        balance=spec.balance,
        parts=spec.parts,
        checkpoint_every=Interval(**spec.checkpoint.every.model_dump())
        if spec.checkpoint
        else Interval(epochs=1),
        schedule=spec.optimizer.learning_rate,
    )


def monitor_of(plan: TrainingPlan, scores: Sequence[ScoreInfo], *, validated: bool) -> dict[str, Any] | None:
    """The number that decides which epoch is best, and whether it should rise; None if the last epoch's weights are
    kept.
    """
    name = plan.monitor or ("valid_loss" if validated else None)
    rises = {score.name: score.rises for score in scores}
    return None if name is None else {"name": name, "rises": rises.get(name.partition("_")[2], False)}


def _plateau(spec: TrainSpec) -> Plateau | None:
    rate = spec.optimizer.learning_rate
    if not isinstance(rate, PlateauRate):
        return None
    return Plateau(rate.factor, rate.patience, rate.min_delta, rate.monitor)


def _common_mask(spec: TrainSpec) -> str | None:
    """The mask of all losses, if they have the same."""
    masks = {loss.mask for loss in spec.losses}
    return masks.pop() if len(masks) == 1 else None


def run_training(
    load: LoadResult,
    network: Network,
    session: Session,
    data: Samples,
    valid: Samples | None,
    *,
    epochs: int | None = None,
    checkpoint: str | Path | None = None,
    resume: str | Path | None = None,
    observer: Observer | None = None,
    on_epoch: OnEpoch | None = None,
    taken: Collection[str] = (),
    origin: Mapping[str, Any] | None = None,
    sink: Sink | None = None,
    communicator: Communicator | None = None,
    cpu: str | None = None,
) -> TrainingResult:
    """Fits statistics from the data, but for those that were ``taken`` from other weights, then trains ``session`` (see
    ``runtime.training.train``, also for the errors raised). Samples are varied by code for this ``cpu``, or in NumPy.
    """
    plan = replace(training_plan(load, network, epochs=epochs), compile=variation_compiler(cpu))
    if resume is None:
        fitted = tuple(layer for layer in network.fitted if f"{layer}.mean" not in taken)
        ranks = communicator or Alone()
        with together(ranks):
            if ranks.rank == 0:  # the others get its weights
                fit(replace(network, fitted=fitted), session, data, plan)
    return train(
        session,
        plan,
        data,
        valid,
        checkpoint=checkpoint,
        resume=resume,
        observer=observer,
        on_epoch=on_epoch,
        identity=spec_identity(load),
        origin=origin,
        sink=sink,
        communicator=communicator,
    )


def fit(network: Network, session: Session, data: Samples, plan: TrainingPlan) -> None:
    """Sets the mean and deviation of each fitted `standardize` layer to those of its input over ``data``.

    Raises DataError.
    """
    if not network.fitted:
        return
    inputs = [info for info in expected_arrays(network) if info.name in network.inputs]
    data.require(inputs, list(network.dims.values()), plan.windows)
    batches = Batches(data, inputs, plan.batch_size)
    types = {info.name: np.dtype(info.dtype) for info in inputs}

    def arrays() -> Iterator[dict[str, NDArray]]:
        for batch in batches.epoch(0):
            yield {name: array.astype(types[name], copy=False) for name, array in batch.arrays.items()}

    session.assign({**session.weights, **fit_statistics(network, session.weights, arrays)})
