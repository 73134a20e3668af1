"""A spec given as Python values: what JSON can hold, and its text, which diagnostics point into."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from netwright.specs.reading.json import DEPTH_LIMIT

from .errors import RequestError

#: What diagnostics call the text of a spec that is a dict. The suffix says that it is JSON.
DICT_FILE = "<dict>.json"

#: Values that fit into a line of this length are not broken into several.
_WIDTH = 88


def spec_text(values: Mapping[str, Any]) -> str:
    """A spec's values as JSON text, with a line per layer where it fits. Raises RequestError as `plain` does."""
    return _written(plain(values), 0) + "\n"


def plain(value: Any, path: str = "") -> Any:
    """The same value of dicts, lists, texts, numbers, truth values and None.

    NumPy's scalars and arrays, tuples, paths and numbers of other classes are converted, as that loses nothing. Raises
    RequestError, which names the path, for any other value.
    """
    return _plain(value, path, 0)


def _plain(value: Any, path: str, depth: int) -> Any:
    if depth > DEPTH_LIMIT:
        raise RequestError(f"{_shortened(path)} is nested more than {DEPTH_LIMIT} deep, or contains itself")
    match value:
        case None | bool():
            return value
        case str():
            return str.__str__(value)
        case int():
            return int(value)
        case float() | np.floating():
            return _finite(value, path)
        case np.bool_() | np.integer():
            return value.item()
        case Mapping():
            return {
                _key(key, path): _plain(item, _below(path, key), depth + 1) for key, item in value.items()
            }
        case list() | tuple():
            return [_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
        case np.ndarray():
            return _plain(value.tolist() if value.ndim == 0 else list(value), path, depth)
        case os.PathLike() if isinstance(os.fspath(value), str):
            return os.fspath(value)
    raise RequestError(
        f"{_where(path)} is of the type {type(value).__name__}, which a spec can't hold: it takes numbers, texts, "
        "true and false, None, lists and dicts"
    )


def _finite(value: float | np.floating, path: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise RequestError(f"{_where(path)} is {value}: a number of a spec is finite")
    if number != value:
        raise RequestError(f"{_where(path)} is {value}, which no 64-bit float is")
    return number


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise RequestError(f"{_where(path)} has the key {key!r}: keys of a spec are texts")
    return str.__str__(key)


def _below(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _where(path: str) -> str:
    return path or "the spec"


def _shortened(path: str) -> str:
    return path if len(path) <= 60 else f"{path[:60]}…"


def _written(value: Any, indent: int) -> str:
    """JSON in which what is short is on one line. The spec itself has a line per key."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not value or not isinstance(value, dict | list) or (indent and indent + len(line) <= _WIDTH):
        return line
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(key, ensure_ascii=False)}: {_written(item, indent + 2)}"
            for key, item in value.items()
        ]
        opening, closing = "{", "}"
    else:
        parts = [_written(item, indent + 2) for item in value]
        opening, closing = "[", "]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(parts) + f"\n{' ' * indent}{closing}"
