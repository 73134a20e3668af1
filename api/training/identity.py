"""What a training's numbers depend on in its spec: the parts that must not change when it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from netwright.specs.load import LoadResult
from netwright.specs.models.train import TrainSpec

#: Keys of `train` that may change when a training is resumed.
MAY_CHANGE = frozenset(
    ("data", "epochs", "batch_size", "clip_norm", "parameter_groups", "early_stopping", "checkpoint")
)
#: Keys of `train` that the training loop compares itself (``TrainingPlan``).
_IN_PLAN = frozenset(("seed", "shuffle", "bptt", "group_by_length", "augment", "balance", "parts"))
#: Keys of the optimizer that may change: its states do not depend on them.
_RATES = frozenset(("learning_rate", "weight_decay"))
_OF_LAYERS = frozenset(("name", "inputs", "expect", "repeat"))


def spec_identity(load: LoadResult) -> dict[str, Any]:
    """The parts of a valid spec, as nested mappings of plain values, without keys that have their defaults.

    Layers are those that blocks and repetitions expand to, with the layers that they read, so that it does not matter
    how a network is written.
    """
    model = load.model
    assert model is not None
    layers: dict[str, Any] = {}
    for layer in model.layers:
        keys = _keys(layer, _OF_LAYERS)
        if load.entries[layer.name].placement.frozen:
            keys["trainable"] = False
        layers[layer.name] = keys | {"inputs": [str(ref) for ref in load.wiring.inputs.get(layer.name, ())]}
    return {
        "dtype": model.dtype,
        "inputs": {name: _keys(input) for name, input in model.inputs.items()},
        "cells": {name: _keys(cell) for name, cell in model.cells.items()},
        "layers": layers,
        "outputs": {name: str(ref) for name, ref in load.wiring.outputs.items()},
        **({} if model.train is None else {"train": _training(model.train)}),
    }


def _training(train: TrainSpec) -> dict[str, Any]:
    return _keys(train, MAY_CHANGE | _IN_PLAN) | {"optimizer": _keys(train.optimizer, _RATES)}


def _keys(model: BaseModel, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The type of a part of the spec, and its keys that do not have their defaults."""
    kind = getattr(model, "type", None)
    values = {} if kind is None else {"type": kind}
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        if name not in without and name != "type" and value != info.get_default(call_default_factory=True):
            values[info.alias or name] = _plain(value)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _keys(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
