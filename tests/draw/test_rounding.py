"""What roundings decide is no fault of the compiler: which of equal numbers is the largest, but not the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ..engines.harness import Model
from .check import Finding, Sensitive, agree

WIDEN = {"name": "w", "type": "broadcast_to", "shape": ["N", 3, 4]}
DENSE = {"name": "d", "type": "dense", "units": 5}


def results_of(*layers: dict[str, Any]) -> tuple[Model, dict[str, Any], dict[str, Any]]:
    """A network of layers over three equal rows, what it reads, and its results."""
    inputs = {"x": {"shape": ["N", 1, 4]}}
    spec = {"netwright": 1, "model": "m", "dims": {"N": "batch"}, "inputs": inputs}
    spec |= {"layers": [WIDEN, *layers], "outputs": {"y": layers[-1]["name"]}}
    model = Model(spec)
    table = {**model.weights(), **model.batch({"N": 2}, 0, targets=False)}
    return model, table, model.interpret("predict", table, {"N": 2})


def test_the_largest_of_equal_numbers_is_anyone() -> None:
    model, table, expected = results_of(DENSE, {"name": "a", "type": "argmax", "axis": 1})
    found = {"y": 2 - expected["y"]}
    with pytest.raises(Sensitive):
        agree(model, "predict", table, {"N": 2}, found, expected)


def test_a_wrong_number_is_found() -> None:
    model, table, expected = results_of(DENSE)
    found = {"y": expected["y"] + np.float32(1e-3)}
    with pytest.raises(Finding):
        agree(model, "predict", table, {"N": 2}, found, expected)
