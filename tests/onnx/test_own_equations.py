"""Each option of rnn, lstm and gru is found in the equations that the language itself has for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")

from netwright.onnx.gates import layers_of
from netwright.specs.dims import evaluate
from netwright.specs.equations.builtin_cells import cell_of
from netwright.specs.models.layers.recurrent import GatedLayer, Gru, Lstm, Rnn

RNG = np.random.default_rng(5)
F, H = 3, 4
KEYS: dict[type[GatedLayer], dict[str, Sequence[Any]]] = {
    Rnn: {"activation": ["tanh", "linear", {"type": "leaky_relu", "negative_slope": 0.3}]},
    Lstm: {
        "activation": ["tanh", "sigmoid"],
        "recurrent_activation": ["sigmoid", {"type": "hard_sigmoid", "alpha": 0.25}],
        "output_activation": ["tanh", "linear"],
        "peepholes": [False, True],
        "input_forget": [False, True],
    },
    Gru: {
        "activation": ["tanh", "gelu", {"type": "gelu", "approximate": "tanh"}],
        "recurrent_activation": ["sigmoid", "tanh"],
        "reset_after": [True, False],
    },
}
EVERY = {"use_bias": [True, False], "clip": [None, 1.5]}


def spelled() -> Iterator[tuple[type[GatedLayer], dict[str, Any]]]:
    for model, options in KEYS.items():
        options = {**options, **EVERY}
        for values in product(*options.values()):
            given = dict(zip(options, values, strict=True))
            usual = {name: one.default for name, one in model.model_fields.items()}
            yield model, {n: v for n, v in given.items() if v is not None and v not in (usual[n], ())}


def test_each_layer_is_found_in_its_own_equations() -> None:
    """All options of all layers, with their weights."""
    count = 0
    for model, keys in spelled():
        dtype = ("float32", "float64")[count % 2]
        layer = model.model_validate({"name": "layer", "units": H, **keys})
        cell, _ = cell_of(layer, {})
        sizes = {"F": F, "H": H}
        shapes = {
            name: [one if isinstance(one, int) else evaluate(one, sizes) for one in param.shape]
            for name, param in cell.params.items()
        }
        states = {n: replace(one, shape=(H,)) for n, one in cell.states.items()}
        cell = replace(cell, inputs={"x": (F,)}, states=states)
        weights = {name: RNG.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
        plan = layers_of(cell, weights, dtype, ["h"], list(states))
        assert plan is not None, keys
        (found,) = plan.layers
        made = model.model_validate({"name": "layer", **found.keys})
        assert (found.kind, made) == (layer.type, layer)
        assert found.states == {name: name for name in states}
        if keys.get("input_forget"):  # the forget gate has no equations, so its weights are nothing
            for name in ("kernel", "recurrent_kernel", "bias"):
                if name in weights:
                    weights[name][..., H : 2 * H] = 0
            if "peephole" in weights:
                weights["peephole"][H : 2 * H] = 0
        for name, array in weights.items():
            np.testing.assert_array_equal(found.weights[name], array, err_msg=f"{keys}: {name}")
        count += 1
    assert count == 12 + 128 + 48
