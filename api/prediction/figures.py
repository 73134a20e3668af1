"""Numbers as readers, CSV files and JSON get them."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RequestError

#: So many numbers of a sample are shown as they are in a table for readers; so many can be in a cell of a CSV file.
SHOWN, MOST = 8, 4096


def softmax(scores: NDArray) -> NDArray:
    """Probabilities along the last axis."""
    with np.errstate(invalid="ignore"):  # of an infinite score: NaN
        powers = np.exp(scores.astype(np.float64) - scores.max(axis=-1, keepdims=True))
        return (powers / powers.sum(axis=-1, keepdims=True)).astype(scores.dtype)


def sigmoid(logits: NDArray) -> NDArray:
    """1 / (1 + exp(−x))."""
    powers = np.exp(-np.abs(logits.astype(np.float64)))  # never above 1
    return (np.where(logits >= 0, 1.0, powers) / (1 + powers)).astype(logits.dtype)


def summary(value: NDArray) -> str:
    """Few numbers as they are, of many the shape and the range."""
    if value.size <= SHOWN:
        return " ".join(f"{number:.4g}" if value.dtype.kind == "f" else str(number) for number in value.flat)
    sizes = ", ".join(map(str, value.shape))
    value = value.astype(np.int8) if value.dtype.kind == "b" else value
    finite = value[np.isfinite(value)] if value.dtype.kind == "f" else value
    if not finite.size:
        return f"[{sizes}], none of them finite"
    odd = f", {value.size - finite.size} not finite" if finite.size < value.size else ""
    return f"[{sizes}] from {finite.min():.4g} to {finite.max():.4g}{odd}"


def short(score: Any) -> str:
    """A probability or score for readers."""
    return f"{score:.4f}"


def field(number: Any) -> str:
    """A number with the digits that its type needs."""
    return str(number.item()).lower() if number.dtype.kind == "b" else str(number)


def plain_number(number: Any) -> float | int | bool | None:
    """A number for JSON, which has none that are not finite."""
    if number.dtype.kind != "f":
        return number.item()
    shortest = float(str(number))  # float32 has fewer digits than Python's floats
    return shortest if isfinite(shortest) else None


def plain(value: NDArray) -> Any:
    """An array as nested lists for JSON."""
    return [plain(part) for part in value] if value.ndim else plain_number(value[()])


def mapped(value: Any, name: Callable[[int], str]) -> Any:
    """Nested lists of numbers of classes as their names."""
    return [mapped(part, name) for part in value] if isinstance(value, list) else name(value)


def dumped(value: Any) -> str:
    """A cell of a CSV file: text as it is, lists as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def check_cell(output: str, value: NDArray) -> None:
    """Raises RequestError for a value that is too large for a cell of a CSV file."""
    if value.size > MOST:
        raise RequestError(
            f"{output} has {value.size:,} values per sample; a cell of a CSV file holds {MOST:,}. A .npz or .jsonl "
            "file holds them all"
        )
