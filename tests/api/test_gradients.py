"""The prognosis of gradients is what backpropagation through time gives."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import Result

from netwright.compiler.frontend.network import initial_values
from netwright.errors import RequestError
from netwright.inspection.gradients import GradientFlow, gradient_flow
from netwright.inspection.measure import random_inputs
from netwright.model import Model
from netwright.specs.load import load_spec_text

CELL = {
    "args": {"H": "int"},
    "input": {"x": ["F"]},
    "states": {"h": {"shape": ["H"]}, "m": {"shape": ["H", 2]}},
    "params": {
        "A": {"shape": ["H", "H"], "init": "orthogonal"},
        "B": {"shape": ["F", "H"], "init": "normal"},
    },
    "update": {"h": "tanh(prev(h) @ A + x @ B)", "m": "prev(m) * 0.5"},
    "output": "h",
}


def model(*layers: dict[str, Any], dtype: str = "float64", **dims: Any) -> Model:
    spec = {
        "netwright": 1,
        "model": "m",
        "dims": {"N": "batch", "T": {"role": "time", **dims}},
        "inputs": {"x": {"shape": ["N", "T", 3], "dtype": dtype}},
        "cells": {"cell": CELL},
        "layers": [{"name": f"l{i}", **layer} for i, layer in enumerate(layers)],
        "outputs": {"y": f"l{len(layers) - 1}"},
    }
    return Model(load_spec_text(json.dumps(spec), "m.json"))


def flow(*layers: dict[str, Any], steps: int = 20, **options: Any) -> GradientFlow:
    one = model(*layers, **options)
    assert one.is_valid, one.diagnostics.to_text()
    return gradient_flow(one, dims={"T": steps})


@pytest.mark.parametrize(("gain", "verdict"), [(0.4, "vanishes"), (1.0, "flows"), (2.0, "explodes")])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_rotation_keeps_what_it_is_given(gain: float, verdict: str, reverse: bool) -> None:
    layer = {"type": "rnn", "units": 8, "activation": "linear", "reverse": reverse}
    (one,) = flow({**layer, "recurrent_init": {"type": "orthogonal", "gain": gain}}).flows
    np.testing.assert_allclose(one.norms, gain ** np.arange(20, -1, -1.0), rtol=1e-9)
    assert one.gain == pytest.approx(gain)
    assert one.radius == pytest.approx(gain)
    assert (one.verdict, one.states) == (verdict, 8)


def test_it_is_backpropagation_through_time() -> None:
    one = model({"type": "rnn", "units": 5})
    (found,) = gradient_flow(one, dims={"T": 12}, seed=4).flows
    weights = initial_values(one.network)
    kernel, matrix = weights["l0.kernel"], weights["l0.recurrent_kernel"]
    x = random_inputs(one.network, {"N": 4, "T": 12}, 4)["x"]
    states = [np.zeros((4, 5))]
    for t in range(12):
        states.append(np.tanh(x[:, t] @ kernel + states[-1] @ matrix + weights["l0.bias"]))
    slope = np.random.default_rng(4).standard_normal((4, 5))
    norms = [np.linalg.norm(slope)]
    for state in reversed(states[1:]):
        slope = (slope * (1 - state**2)) @ matrix.T
        norms.append(np.linalg.norm(slope))
    np.testing.assert_allclose(found.norms, np.array(norms[::-1]) / norms[0], rtol=1e-9)
    first = np.diag(1 - states[1][0] ** 2) @ matrix.T
    assert found.radius == pytest.approx(np.abs(np.linalg.eigvals(first)).max())


def test_every_recurrence_has_its_line() -> None:
    found = flow(
        {"type": "lstm", "units": 4, "bidirectional": True},
        {"type": "gru", "units": 4, "layers": 2},
        {"type": "recurrent", "cell": "cell", "with": {"H": 3}},
        dtype="float32",
    )
    assert [one.layer for one in found.flows] == ["l0.forward", "l0.backward", "l1.0", "l1.1", "l2"]
    assert [one.states for one in found.flows] == [8, 8, 4, 4, 9]
    assert all(len(one.norms) == 21 and one.radius is not None for one in found.flows)
    assert "l0.backward" in found.to_text()


def test_what_underflows_is_not_lost() -> None:
    layer = {"type": "rnn", "units": 4, "activation": "sigmoid"}
    (one,) = flow(layer, steps=400, dtype="float32").flows
    assert one.left < 1e-200
    assert 0.1 < one.gain < 0.3
    assert one.halving is not None
    assert one.halving < 1
    assert len(one.sparkline()) == 24


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, None),
        ({"activation": "sigmoid"}, "vanishes by construction: × 0.25 a step"),
        ({"recurrent_init": "zeros"}, "vanishes by construction: × 0 a step"),
        ({"recurrent_init": {"type": "normal", "stddev": 0.01}}, "vanishes by construction"),
        ({"recurrent_init": {"type": "orthogonal", "gain": 0.9}}, "× 0.9 a step, 3e-05 after 100 steps"),
        (
            {"activation": "linear", "recurrent_init": {"type": "identity", "gain": 1.3}},
            "explodes by construction",
        ),
        ({"recurrent_init": {"type": "identity", "gain": 1.3}}, None),  # tanh bounds it
        ({"recurrent_init": "glorot_uniform", "units": 200}, None),
    ],
)
def test_a_warning_by_construction(keys: dict[str, Any], said: str | None) -> None:
    found = model({"type": "rnn", "units": 16, **keys}).diagnostics
    messages = [item.message for item in found if item.code == "NW0609"]
    if said is None or "0.9 a step" in said:
        assert messages == []
    else:
        (message,) = messages
        assert said in message
    if said and "0.9" in said:  # a longer sequence decides it
        (item,) = model({"type": "rnn", "units": 16, **keys}, max=1000).diagnostics
        assert "× 0.9 a step, 2e-46 after 1000 steps" in item.message


def test_given_inputs_are_what_the_model_reads() -> None:
    gru = model({"type": "gru", "units": 4})
    x = np.random.default_rng(1).random((3, 17, 3))
    (on_data,) = gradient_flow(gru, inputs={"x": x, "more": x}).flows
    assert len(on_data.norms) == 18
    assert on_data.norms == gradient_flow(gru, inputs={"x": x}, dims={"T": 17}).flows[0].norms
    assert on_data.norms != gradient_flow(gru, dims={"T": 17}).flows[0].norms
    for inputs, message in (
        ({}, "m needs the input x"),
        ({"x": x[:, :, :2]}, "a size of 'x' is 2, not 3"),
        ({"x": x.astype("float32")}, "'x' is float64, not float32"),
    ):
        with pytest.raises(RequestError, match=message):
            gradient_flow(gru, inputs=inputs)
    with pytest.raises(RequestError, match="a size of 'x' is 17, but T is 9"):
        gradient_flow(gru, inputs={"x": x}, dims={"T": 9})


def test_a_chart_has_a_line_for_each_flow(cli: Callable[..., Result], tmp_path: Path) -> None:
    path, data, chart = tmp_path / "m.json", tmp_path / "data.npz", tmp_path / "flow.svg"
    layers = [{"type": "rnn", "units": 4}, {"type": "gru", "units": 4, "chrono_init": 30}]
    path.write_text(model(*layers).diagnostics.sources["m.json"].text, encoding="utf-8")
    np.savez(data, x=np.random.default_rng(1).random((50, 30, 3)))
    printed = cli("gradients", path, "--data", data, "-o", chart).stdout
    assert f"wrote {chart}" in printed
    svg = ElementTree.fromstring(chart.read_text(encoding="utf-8"))
    lines = svg.findall("{http://www.w3.org/2000/svg}polyline")
    curves = [line.get("points", "").split() for line in lines]
    assert [len(points) for points in curves] == [31, 31, 2, 2]  # the last two are those of the legend
    heights = [[float(point.split(",")[1]) for point in points] for points in curves[:2]]
    assert (
        heights[0][0] > heights[1][0] > heights[1][-1] == heights[0][-1]
    )  # the gru keeps more, of 1 at the end
    assert cli("gradients", path, "-o", "-").stdout.startswith("<svg ")
    assert "has to end in .svg" in cli("gradients", path, "-o", tmp_path / "flow.png").output
    lenet = Path(__file__).parents[2] / "examples" / "lenet" / "lenet.yaml"
    assert "no recurrence to draw" in cli("gradients", lenet, "-o", tmp_path / "none.svg").output
    assert not (tmp_path / "none.svg").exists()
    page = tmp_path / "report.html"
    cli("report", path, "--dim", "T=7", "-o", page)
    assert "6.0,7.0]" in page.read_text(encoding="utf-8").replace(" ", "")


def test_command(cli: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(model({"type": "gru", "units": 4}).diagnostics.sources["m.json"].text, encoding="utf-8")
    assert " l0 " in cli("gradients", path, "--dim", "T=9").stdout
    found = json.loads(cli("gradients", path, "--dim", "T=9", "--format", "json").stdout)
    assert found["flows"][0]["steps"] == 9
    assert cli("gradients", path, "--dim", "X=9").exit_code == 2
    assert cli("gradients", path, "--dim", "T=1..9").exit_code == 2
    assert "no recurrence" in cli("gradients", Path(__file__).parents[2] / "examples/lenet/lenet.yaml").stdout
