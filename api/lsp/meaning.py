"""What may stand at a place of a spec: the models of the language there, their keys, and the values a key takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from netwright.specs.checks.typed_layers import OWN_KEYS
from netwright.specs.diagnostics.model_paths import branches, keys_of
from netwright.specs.models.blocks import BlockSpec, BlockUse
from netwright.specs.models.documentation import field_docs
from netwright.specs.models.layers import LAYERS
from netwright.specs.models.layers.scan_window import ScanWindow
from netwright.specs.models.layers.time_distributed import TimeDistributed
from netwright.specs.models.spec import ModelSpec
from netwright.specs.source.tree import SourceNode

#: What the words at a key name, by the key.
NAMED = {
    "inputs": "signals",
    "initial_state": "signals",
    "from": "signals",
    "outputs": "signals",
    "share": "layers",
    "cell": "cells",
    "use": "blocks",
    "output": "outputs",
    "target": "targets",
    "mask": "targets",
    "lengths": "inputs",
    "shape": "dims",
    "expect": "dims",
}


@dataclass(frozen=True, slots=True)
class Option:
    """A value that a key takes, with its documentation."""

    word: str
    documentation: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """The models a mapping may be: all of them, and those that its `type` leaves."""

    possible: tuple[type[BaseModel], ...]
    models: tuple[type[BaseModel], ...]
    without: frozenset[str] = frozenset()

    def keys(self) -> dict[str, str]:
        """Keys with their documentation."""
        keys: dict[str, str] = {}
        for model in self.models:
            docs = field_docs(model)
            names = {info.alias or name: name for name, info in model.model_fields.items()}
            for key in keys_of(model):
                if key not in self.without:
                    keys.setdefault(key, docs.get(names[key], ""))
        return keys

    def required(self) -> set[str]:
        """Keys that have no default."""
        return {
            info.alias or name
            for model in self.models
            for name, info in model.model_fields.items()
            if info.is_required()
        }

    def options(self, key: str) -> list[Option]:
        """The words a key takes, where they are few."""
        if key == "type":
            return [Option(kind, documentation(model)) for model in self.possible if (kind := type_of(model))]
        options: dict[str, Option] = {}
        for model in self.models:
            for info in (i for name, i in model.model_fields.items() if (i.alias or name) == key):
                for option in _options(info.annotation):
                    options.setdefault(option.word, option)
        return list(options.values())


def place_at(path: Iterable[str | int], root: SourceNode) -> Place | None:
    """What a mapping at a path may be; None where the language has no mapping."""
    annotations: list[Any] = [ModelSpec]
    node: SourceNode | None = root
    without: frozenset[str] = frozenset()
    place = _narrowed(annotations, root)
    for step in path:
        node = node.child(step) if node else None
        annotations = [below for annotation in annotations for below in _below(annotation, step)]
        without = frozenset()
        if step == "defaults":
            annotations = ["defaults"]
        elif annotations == ["defaults"]:
            annotations, without = ([LAYERS[step]] if step in LAYERS else []), OWN_KEYS
        place = _narrowed(annotations, node)
        if place.models:  # what is below depends on the type that was chosen
            annotations = list(place.models)
    return Place(place.possible, place.models, without) if place.models else None


def type_of(model: type[BaseModel]) -> str | None:
    """The `type` by which a model is chosen."""
    info = model.model_fields.get("type")
    return info.default if info and isinstance(info.default, str) else None


def documentation(model: type[BaseModel]) -> str:
    """A model's docstring."""
    return inspect.cleandoc(model.__doc__ or "")


def _narrowed(annotations: Iterable[Any], node: SourceNode | None) -> Place:
    models = tuple(
        dict.fromkeys(
            branch
            for annotation in annotations
            for branch in branches(annotation)
            if isinstance(branch, type) and issubclass(branch, BaseModel)
        )
    )
    entries = node.entries if node else {}
    kind = entries["type"].node.value if "type" in entries else None
    chosen = tuple(model for model in models if kind is not None and type_of(model) == kind)
    if not chosen and "use" in entries:
        chosen = tuple(model for model in models if model is BlockUse)
    return Place(models, chosen or models)


def _below(annotation: Any, step: str | int) -> Iterator[Any]:
    if annotation == "defaults":
        yield annotation
        return
    for branch in branches(annotation):
        arguments = get_args(branch)
        if isinstance(branch, type) and issubclass(branch, BaseModel):
            if step == "layers" and branch in (ModelSpec, BlockSpec, ScanWindow, TimeDistributed):
                yield tuple[Union[(*LAYERS.values(), BlockUse)], ...]
                continue
            if step == "layer" and branch is TimeDistributed:
                yield from LAYERS.values()
                continue
            for name, info in branch.model_fields.items():
                if (info.alias or name) == step:
                    yield info.annotation
        elif get_origin(branch) is dict and isinstance(step, str):
            yield arguments[1]
        elif get_origin(branch) in (tuple, list) and isinstance(step, int):
            yield arguments[0]


def _options(annotation: Any) -> Iterator[Option]:
    for branch in branches(annotation):
        origin = get_origin(branch)
        if branch is bool:
            yield from (Option("true"), Option("false"))
        elif origin is Literal:
            yield from (Option(str(word)) for word in get_args(branch))
        elif origin in (tuple, list):
            yield from _options(get_args(branch)[0])
        elif isinstance(branch, type) and issubclass(branch, BaseModel) and (kind := type_of(branch)):
            yield Option(kind, documentation(branch))
