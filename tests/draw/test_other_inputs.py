"""Drawn networks whose inputs get other shapes and dtypes: a network or diagnostics, never an exception."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

import pytest

from netwright.compiler.frontend.build import build_network
from netwright.specs.load import load_spec_text

from ..slices import sliced
from .networks import draw

NETWORKS = 40
EACH = 6
DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool")


def with_other_inputs(spec: dict[str, Any], random: Random) -> dict[str, Any]:
    """The spec with some inputs of any rank from 0 to 6, of any sizes and dtypes, without their lengths."""
    spec = copy.deepcopy(spec)
    for declared in spec["inputs"].values():
        if random.random() < 0.5:
            sizes = (1, 2, 3, *spec.get("dims", {}))
            rank = random.choice((0, 0, 1, 1, 2, 3, 4, 5, 6))
            declared["shape"] = [random.choice(sizes) for _ in range(rank)]
        if random.random() < 0.15:
            declared["dtype"] = random.choice(DTYPES)
        if random.random() < 0.2:
            declared.pop("lengths", None)
    return spec


@pytest.mark.alike(2)
@pytest.mark.parametrize("number", sliced(range(NETWORKS), lambda number: number % 2 == 0))
def test_inputs_of_other_shapes(number: int) -> None:
    spec, random = draw(number, 77).spec, Random(number)
    for _ in range(EACH):
        text = json.dumps(with_other_inputs(dict(spec), random))
        network, diagnostics = build_network(load_spec_text(text, "spec.json"))
        assert (network is None) == diagnostics.has_errors, text
