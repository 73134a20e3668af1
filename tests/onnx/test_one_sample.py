"""Loops over a batch that is known to be of one sample, whose axis is like any other of size 1."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")

from ..draw.networks import Case
from ..draw.onnx import check_round_trip


def test_one_sample_is_not_taken_for_an_axis_before_the_samples() -> None:
    cell = {
        "input": {"x": ["F"]},
        "states": {"h": {"shape": [1]}, "m": {"shape": [1, 2], "init": "ones"}},
        "params": {"B": {"shape": ["F", 1]}},
        "update": [{"m": "transpose(transpose(prev(m)) * (x @ B))"}, {"h": "sum(m, axis=-1)"}],
        "output": "concat(h, where(h < prev(h), prev(h), 0.25 * h))",
    }
    spec = {
        "netwright": 1,
        "model": "m",
        "dims": {"T": "time"},
        "inputs": {"x": {"shape": [1, "T", 3], "dtype": "float32"}},
        "cells": {"c": cell},
        "layers": [{"name": "y", "type": "recurrent", "cell": "c"}],
        "outputs": {"y": "y"},
    }
    check_round_trip(Case(spec, seed=1, bindings=[{"T": 4}]))
