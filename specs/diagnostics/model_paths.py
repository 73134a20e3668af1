"""Finds the pydantic models at a path inside a model, and their keys as the language spells them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys of a model as the language spells them."""
    return [info.alias or name for name, info in model.model_fields.items()]


def models_at(annotation: Any, loc: Iterable[str | int]) -> Iterator[type[BaseModel]]:
    """The models at a pydantic path below a type."""
    current = [annotation]
    for step in loc:
        below = [inner for outer in current for branch in branches(outer) for inner in _step(branch, step)]
        current = below or current
    for outer in current:
        for branch in branches(outer):
            if isinstance(branch, type) and issubclass(branch, BaseModel):
                yield branch


def branches(annotation: Any) -> Iterator[Any]:
    """The members of a type's unions, without their metadata."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from branches(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for argument in get_args(annotation):
            yield from branches(argument)
    else:
        yield annotation


def _step(annotation: Any, step: str | int) -> Iterator[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is dict and isinstance(step, str):
        yield arguments[1]
    elif origin in (tuple, list) and isinstance(step, int) and arguments:
        yield arguments[0]
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        kind = annotation.model_fields.get("type")
        for name, info in annotation.model_fields.items():
            if step == (info.alias or name):
                yield info.annotation
                return
        if (kind and kind.default == step) or annotation.__name__ == step:
            yield annotation
