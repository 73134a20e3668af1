"""Fills the frame of docs/language.md: replaces its marks by tables of keys, layer types and functions.

Meanings are the docstrings of the models; values are what the JSON Schema allows for a key.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, get_args

from pydantic import BaseModel

from ..equations.expressions import FUNCTIONS
from ..models.activations import AnyActivation
from ..models.augmentation import AnyAugmentation
from ..models.blocks import ArgumentSpec, BlockSpec, BlockUse
from ..models.budget import BudgetSpec
from ..models.cells import CellOutputSpec, CellSpec, InnerCellSpec, ParameterSpec, StateSpec
from ..models.data import (
    AnySource,
    FolderData,
    SequenceData,
    SplitData,
    TableData,
    TextColumnSpec,
    TranscriptsSpec,
    VocabularySpec,
)
from ..models.documentation import field_docs
from ..models.initializers import AnyInitializer
from ..models.layers import LAYERS
from ..models.layers.base import LayerSpec
from ..models.losses import AnyLoss, LossSpec
from ..models.metrics import AnyMetric, MetricSpec
from ..models.spec import DimSpec, InputSpec, ModelSpec, OutputSpec
from ..models.train import (
    AnyOptimizer,
    AnyRate,
    BpttSpec,
    CheckpointSpec,
    EarlyStoppingSpec,
    EmaSpec,
    IntervalSpec,
    ParameterGroupSpec,
    ScheduleSpec,
    TargetSpec,
    TrainSpec,
)
from ..schema.generate import json_schema
from . import layer_sections, read
from .index import contents, index

MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model
    for model in (
        *(
            ModelSpec,
            DimSpec,
            InputSpec,
            OutputSpec,
            LayerSpec,
            BlockUse,
            BlockSpec,
            ArgumentSpec,
            BudgetSpec,
        ),
        *(CellSpec, InnerCellSpec, StateSpec, ParameterSpec, CellOutputSpec),
        *(TableData, TextColumnSpec, FolderData, TranscriptsSpec, SequenceData, VocabularySpec, SplitData),
        *(TrainSpec, TargetSpec, LossSpec, MetricSpec, ScheduleSpec, BpttSpec, EarlyStoppingSpec),
        *(CheckpointSpec, IntervalSpec, EmaSpec, ParameterGroupSpec),
    )
}
KINDS: dict[str, Any] = {
    "Activation": AnyActivation,
    "Initializer": AnyInitializer,
    "Loss": AnyLoss,
    "Metric": AnyMetric,
    "Data": AnySource,
    "Augmentation": AnyAugmentation,
    "Optimizer": AnyOptimizer,
    "LearningRate": AnyRate,
}

_MARK = re.compile(r"^<!-- (keys|kinds|layers|functions)(?:: (\w+))? -->$", re.MULTILINE)
_BREAK = re.compile(r"\s*\n\s*")
#: The unions of the schema in words, by their first member.
_UNIONS = {"dense": "layer", "linear": "[activation](#activations)", "relu": "[activation](#activations)"}
_UNIONS |= {"zeros": "[initializer](#initializers)", "constant": "[schedule](#learning-rates)"}
_UNIONS |= {"softmax_cross_entropy": "[loss](#losses)", "sgd": "[optimizer](#optimizers)"}
_UNIONS |= {"arrays": "[data set](#data)", "shift": "[change](#augmentation)"}
_UNIONS |= {"accuracy": "[metric](#metrics)"}


def document() -> str:
    """The page as Markdown."""
    page = _MARK.sub(lambda mark: "\n".join(_part(mark[1], mark[2])), read("language.md"))
    for mark, made in (("<!-- contents -->", contents(page)), ("<!-- index -->", index(page))):
        page = page.replace(mark, made)
    return page


def _part(kind: str, name: str) -> Iterator[str]:
    if kind == "keys":
        yield from keys(MODELS[name])
    elif kind == "kinds":
        yield from kinds(KINDS[name])
    elif kind == "layers":
        yield from layers()
    else:
        yield "| function | gives |"
        yield "|---|---|"
        yield from (f"| `{name}` | {_cell(function.summary)} |" for name, function in FUNCTIONS.items())


def keys(model: type[BaseModel], without: type[BaseModel] | None = None) -> Iterator[str]:
    """A table of the keys of a model, except `type` and those in `without`."""
    known = set(without.model_fields) if without else set()
    fields = {name: info for name, info in model.model_fields.items() if name not in known and name != "type"}
    if not fields:
        return
    docs, properties = field_docs(model), _properties(model)
    yield "| key | meaning | values | left out |"
    yield "|---|---|---|---|"
    for name, info in fields.items():
        key = info.alias or name
        left_out = "·" if info.is_required() else _shown(info.get_default(call_default_factory=True))
        values = _cell(values_of(properties.get(key, {})))
        yield f"| `{key}` | {_cell(docs[name])} | {values} | {left_out} |"


def kinds(union: Any) -> Iterator[str]:
    """A table of the members of a union, which are distinguished by `type`."""
    yield "| type | meaning | keys |"
    yield "|---|---|---|"
    for model in get_args(union):
        base = model.__mro__[1]
        own = [name for name in model.model_fields if name != "type" and name not in base.model_fields]
        docs = field_docs(model)
        told = []
        for name in own:
            info = model.model_fields[name]
            shown = "" if info.is_required() else _shown(info.default)
            left_out = f" ({shown})" if shown else ""
            told.append(f"`{info.alias or name}`{left_out}: {docs[name]}")
        meaning = _cell(inspect.getdoc(model) or "")
        yield f"| `{model.model_fields['type'].default}` | {meaning} | {_cell(' '.join(told))} |"


def layers() -> Iterator[str]:
    """A section for each layer type: what it does, its keys, and its examples."""
    told: dict[tuple[str, ...], str] = {}
    for kind, model in LAYERS.items():
        yield f"### {kind}"
        yield ""
        yield inspect.getdoc(model) or ""
        yield ""
        table = tuple(keys(model, LayerSpec))
        same = told.setdefault(table, kind)
        if table and same != kind:
            yield f"Its keys are those of [{same}](#{same})."
            yield ""
        elif table:
            yield from table
            yield ""
        yield layer_sections()[kind]
        yield ""


# Values in words.


@lru_cache(maxsize=1)
def _definitions() -> Mapping[str, Any]:
    return json_schema()["definitions"]


@lru_cache
def _properties(model: type[BaseModel]) -> Mapping[str, Any]:
    if model is ModelSpec:
        return json_schema()["properties"]
    definition = _definitions().get(model.__name__)
    if definition is None:  # a base class: one of its subclasses
        own = set(model.model_json_schema()["properties"])
        definition = next(
            schema for schema in _definitions().values() if own <= set(schema.get("properties", ()))
        )
    return definition["properties"]


def values_of(schema: Mapping[str, Any]) -> str:
    """The values of a key in words."""
    values = list(dict.fromkeys(_values(schema)))
    linked = any(word.startswith("[") for word in values)
    # A union already mentions those of its members that need no keys.
    words = [word for word in values if not (linked and word.startswith("`") and "," in word)]
    single = [word for word in words if not word.startswith("list")]
    lists = ["list of these" if word == f"list of {' or '.join(single)}" else word for word in words]
    return " or ".join([*single, *(word for word in lists if word.startswith("list"))])


def _values(schema: Mapping[str, Any]) -> Iterator[str]:
    if "anyOf" in schema:
        for branch in schema["anyOf"]:
            yield from _values(branch)
    elif "allOf" in schema:
        for branch in schema["allOf"]:
            yield from _values(branch)
    elif "$ref" in schema:
        yield from _named(schema["$ref"].rsplit("/", 1)[-1])
    elif "const" in schema or "enum" in schema:
        words = [schema["const"]] if "const" in schema else schema["enum"]
        yield ", ".join(f"`{_plain(word)}`" for word in words)
    elif schema.get("type") == "array":
        inner = schema.get("items")
        of = values_of(inner) if isinstance(inner, dict) else ""
        yield f"list of {of}" if of else "list"
    elif schema.get("type") in _WORDS:
        yield _WORDS[schema["type"]] + _limits(schema)


_WORDS = {"integer": "whole number", "number": "number", "boolean": "true or false"}
_WORDS |= {"string": "text", "object": "mapping"}


def _named(name: str) -> Iterator[str]:
    if name == "computed":
        return
    definition = _definitions()[name]
    if name.startswith("any_"):
        first = definition["properties"]["type"]["anyOf"][0]["const"]
        yield _UNIONS.get(first, "mapping")
    elif "properties" in definition:
        yield "mapping"
    else:
        yield from _values(definition)


def _limits(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    words = []
    if low is not None:
        words.append(f"≥ {low}")
    if "exclusiveMinimum" in schema:
        words.append(f"> {schema['exclusiveMinimum']}")
    if high is not None and abs(high) < 2**31 - 1:
        words.append(f"≤ {high}")
    if "exclusiveMaximum" in schema:
        words.append(f"< {schema['exclusiveMaximum']}")
    return f" {', '.join(words)}" if words else ""


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)


def _shown(value: Any) -> str:
    """A default as users would write it; empty if there is none."""
    if value is None or value in ((), {}):
        return ""
    return f"`{_written(value)}`"


def _written(value: Any) -> str:
    if isinstance(value, BaseModel):
        more = {key: entry for key, entry in value.model_dump(exclude_unset=True).items() if key != "type"}
        # Some models can be written as the value of a key alone: of `type`, or else of the first one.
        kind = getattr(value, "type", next(iter(value.model_dump().values())))
        if not more or kind is None:
            return str(kind)
        if set(more) == {"initial"}:
            return _written(more["initial"])
        inner = ", ".join(f"{key}: {_written(entry)}" for key, entry in more.items())
        return f"{{type: {kind}, {inner}}}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_written(item) for item in value)}]" if len(value) != 1 else _written(value[0])
    return f"{value:.6g}" if isinstance(value, float) else _plain(value).replace("\t", '"\\t"')


def _cell(text: str) -> str:
    return _BREAK.sub(" ", text).replace("|", "\\|")
