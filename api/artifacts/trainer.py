"""Executables that train, made from the plan of the training."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.codegen.files.trainer import link_trainer
from netwright.compiler.codegen.files.trainer_tables import Part, SplitTable, TrainerPlan, VariationTable
from netwright.compiler.codegen.llvm.debug import DebugInfo
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import Target
from netwright.compiler.driver import lower
from netwright.compiler.frontend.network import Network, initial_states
from netwright.compiler.frontend.training.around import (
    around_dims,
    around_graphs,
    balance_entry,
    split_entry,
)
from netwright.runtime.batches.trimming import Trimming, time_axes
from netwright.runtime.training.monitor import Monitor
from netwright.runtime.training.plan import TrainingPlan
from netwright.specs.dims import parse_dim
from netwright.specs.load import LoadResult
from netwright.specs.manifest import BATCH, BufferInfo, Manifest
from netwright.specs.models.data import SplitData
from netwright.specs.models.train import TrainSpec

from ..build import Build
from ..errors import RequestError
from ..training.identity import spec_identity
from ..training.run import training_plan
from ..version import VERSION
from ..weights.network import weights_or_first
from .trainer_limits import balanced_classes, refusal, unvaried
from .trainer_variations import NotVaried, variation_table


def save_trainer(
    load: LoadResult,
    network: Network,
    made: Build,
    weights: Mapping[str, NDArray] | None,
    path: Path,
    target: Target,
    debug: DebugInfo | None = None,
) -> None:
    """Writes an executable that trains ``network``, of which ``made`` has `loss` and `train_step`, beginning with
    ``weights`` or with initial values. With ``debug``, its kernels have debug information.

    Raises RequestError, TrainingError for a number that can't be monitored, LinkError, OSError.
    """
    assert load.model is not None
    assert load.model.train is not None
    train = load.model.train
    classes = balanced_classes(train, network)
    around = lower(
        f"{network.model}_around",
        around_graphs(train, classes),
        around_dims(),
        version=VERSION,
        target=made.lowered.manifest.target,
        machine=describe(target),
    )
    manifest = made.lowered.manifest
    _check_sizes(manifest)
    link_trainer(
        Part(made.lowered.program, manifest),
        Part(around.program, around.manifest),
        made.lowered.constants,
        _plan(load, network, manifest, weights, classes, target),
        path,
        target,
        debug=debug,
        formulas=made.lowered.formulas,
    )


def _check_sizes(manifest: Manifest) -> None:
    """Raises RequestError for arrays whose first axis does not count samples, and for a loss that carries states."""
    dims = {dim.name for dim in manifest.dims}
    loss = next(entry for entry in manifest.entries if entry.name == "loss")
    for info in manifest.buffers:
        if (
            info.role == "input"
            and not info.name.startswith(BATCH)
            and (not info.shape or not (info.shape[0] in dims or info.shape[0].isdigit()))
        ):
            raise RequestError(
                f"an executable that trains takes one row per sample, and {info.name} has the shape "
                f"[{', '.join(info.shape)}]"
            )
        if info.role == "state" and info.name in (*loss.reads, *loss.writes):
            raise RequestError(f"an executable that trains can't validate by a loss that keeps {info.name}")


def _plan(
    load: LoadResult,
    network: Network,
    manifest: Manifest,
    weights: Mapping[str, NDArray] | None,
    classes: int,
    target: Target,
) -> TrainerPlan:
    assert load.model is not None
    assert load.model.train is not None
    train = load.model.train
    plan = training_plan(load, network)
    stopping, plateau, every = plan.early_stopping, plan.plateau, plan.checkpoint_every
    for monitor in (plan.monitor, plateau.monitor if plateau else None):
        if monitor is not None:
            Monitor.of(monitor, manifest.scores, validated=True)
    identity: dict[str, Any] = {**plan.identity(0, None), **spec_identity(load)}
    del identity["samples"], identity["monitor"]
    values = weights_or_first(network) if weights is None else weights
    return TrainerPlan(
        identity=json.dumps(identity)[1:-1],
        settings=json.dumps(list(load.settings)),
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        shuffle=plan.shuffle,
        monitor=plan.monitor,
        patience=stopping.patience if stopping else None,
        min_delta=stopping.min_delta if stopping else 0.0,
        drop=(plateau.patience, plateau.factor, plateau.min_delta, plateau.monitor) if plateau else None,
        every_epochs=every.epochs,
        every_steps=every.steps,
        every_minutes=every.minutes,
        weights={name: np.ascontiguousarray(values[name]) for name in network.parameters},
        states=_states(network, manifest),
        splits=list(_splits(train)),
        window=plan.window,
        time=plan.time,
        carry_state=plan.carry_state,
        grouped=plan.group_by_length,
        lengths=_lengths(plan, manifest),
        balance=train.balance,
        classes=[balance_entry(number) for number in range(classes)],
        variations=list(_variations(load, network, plan, manifest, target)),
        parts=plan.parts,
    )


def _variations(
    load: LoadResult, network: Network, plan: TrainingPlan, manifest: Manifest, target: Target
) -> Iterator[VariationTable]:
    assert load.model is not None
    assert load.model.train is not None
    taken = {info.name for info in manifest.buffers if info.role == "input"}
    for position, (name, changes) in enumerate(plan.augment.items()):
        if not changes or name not in taken:
            continue
        try:
            yield variation_table(network, load.model.train, position, plan.lengths_of.get(name), target)
        except NotVaried:
            raise refusal(load, [unvaried(name)]) from None


def _lengths(plan: TrainingPlan, manifest: Manifest) -> list[tuple[str, str]]:
    """The inputs that hold the lengths of sequences that are cut, each with the dim that counts the steps. Raises
    DataError for an array that can't be cut.
    """
    inputs = [info for info in manifest.buffers if info.role == "input"]
    if plan.window is not None:
        time_axes(inputs, plan.time, "cut into windows")
        return [(name, plan.time) for name in plan.lengths]
    lengths = Trimming(inputs, manifest.dims).lengths if plan.group_by_length else {}
    return [(name, time) for time, names in lengths.items() for name in names]


def _splits(train: TrainSpec) -> Iterator[SplitTable]:
    for name, split in train.data.items():
        if isinstance(split, SplitData) and split.source in ("train", "valid"):
            entry = split_entry(name)
            yield SplitTable(name, split.source, split.share, split.folds, split.fold, split.stratify, entry)


def _states(network: Network, manifest: Manifest) -> dict[str, NDArray]:
    """The states with their first values, as a session has them."""
    initial = initial_states(network)
    return {info.name: _first(info, initial) for info in manifest.buffers if info.role == "state"}


def _first(info: BufferInfo, initial: Mapping[str, NDArray]) -> NDArray:
    if info.name in initial:
        return np.asarray(initial[info.name], info.dtype)
    shape = [size if isinstance(size, int) else 0 for size in map(parse_dim, info.shape)]
    return np.zeros(shape, info.dtype)
