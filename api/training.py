"""Training by the spec: its `train` section as a plan, fitted layers first, then the loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.pipeline import optimize
from netwright.runtime.batches import Batches
from netwright.runtime.data import Dataset
from netwright.runtime.plan import EarlyStopping, TrainingPlan, TrainingResult
from netwright.runtime.progress import Observer
from netwright.runtime.session import Session
from netwright.runtime.training import train
from netwright.specs.load import LoadResult

from .build import reference
from .data import time_dim
from .errors import RequestError


def training_plan(load: LoadResult, network: Network, *, epochs: int | None = None) -> TrainingPlan:
    """The plan that the spec's `train` section stands for. Raises RequestError where there is none."""
    assert load.model is not None
    spec = load.model.train
    if spec is None:
        raise RequestError(f"{network.model} can't be trained: the spec has no train section")
    stopping = spec.early_stopping
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
        lengths=tuple(one.lengths for one in load.model.inputs.values() if one.lengths is not None),
    )


def run_training(
    load: LoadResult,
    network: Network,
    session: Session,
    data: Dataset,
    valid: Dataset | None,
    *,
    epochs: int | None = None,
    checkpoint: str | Path | None = None,
    resume: str | Path | None = None,
    observer: Observer | None = None,
) -> TrainingResult:
    """Fits what is fitted, then trains ``session`` (see ``runtime.training.train``, also for what it raises)."""
    plan = training_plan(load, network, epochs=epochs)
    if resume is None:
        fit(network, session, data, plan.batch_size)
    return train(session, plan, data, valid, checkpoint=checkpoint, resume=resume, observer=observer)


def fit(network: Network, session: Session, data: Dataset, batch_size: int) -> None:
    """Sets the mean and deviation of each fitted `standardize` layer to those of its input over ``data``.

    Layer by layer, since one may stand above another; two rounds each, first the mean, then the deviation around
    it. A deviation of 0 counts as 1. Raises DataError.
    """
    for layer in network.fitted:
        engine = reference(network, {"fit": _fit_graph(network, layer)})
        inputs = [info for info in engine.manifest.buffers if info.role == "input"]
        known = {info.name for info in engine.manifest.buffers}
        data.require(inputs, engine.manifest.dims)
        batches = Batches(data, inputs, batch_size)
        weights = session.weights
        fitting = Session(engine, {name: value for name, value in weights.items() if name in known})
        mean = _mean(fitting, batches, layer, "sum")
        weights[f"{layer}.mean"][...] = mean
        fitting.assign({name: value for name, value in weights.items() if name in known})
        deviation = np.sqrt(_mean(fitting, batches, layer, "squares"))
        weights[f"{layer}.stddev"][...] = np.where(deviation == 0, 1, deviation)
        session.assign(weights)


def _fit_graph(network: Network, layer: str) -> Graph:
    """What of the entry `fit` concerns one layer."""
    graph = network.graphs["fit"].copy()
    for name in list(graph.outputs):
        if not name.startswith(f"fit.{layer}."):
            graph.drop_output(name)
    return optimize(graph)


def _mean(session: Session, batches: Batches, layer: str, name: str) -> NDArray[np.float64]:
    """Over all batches, the sum called ``name`` divided by the count, in float64."""
    total, count = np.zeros(()), np.zeros(())
    for batch in batches.epoch(0):
        outputs = session.run("fit", batch.arrays)
        total = total + outputs[f"fit.{layer}.{name}"].astype(np.float64)
        count = count + outputs[f"fit.{layer}.count"].astype(np.float64)
    return total / np.maximum(count, 1)
