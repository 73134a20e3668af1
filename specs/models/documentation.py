"""The meaning of the language's keys, taken from the docstrings of the models."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import lru_cache

from pydantic import BaseModel


@lru_cache(maxsize=256)
def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The docstring under each field of a model and of its bases, each on one line."""
    docs: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, BaseModel) and cls is not BaseModel:
            docs |= _module_docs(cls.__module__)[cls.__name__]
    return docs


@lru_cache(maxsize=256)
def _module_docs(module: str) -> dict[str, dict[str, str]]:
    """The docstrings of fields by the classes of a module, whose source is parsed once for all of them."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {item.name: _docs(item) for item in tree.body if isinstance(item, ast.ClassDef)}


def _docs(tree: ast.ClassDef) -> dict[str, str]:
    docs = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as words)),
            ):
                docs[name] = " ".join(words.split())
    return docs


def meaning(model: type[BaseModel], key: str) -> str | None:
    """The first sentence about a key of a model."""
    names = {info.alias or name: name for name, info in model.model_fields.items()}
    words = field_docs(model).get(names.get(key, key))
    return words.split(". ")[0].rstrip(".") if words else None
