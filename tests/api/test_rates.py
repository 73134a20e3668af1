"""`netwright rate`: what the test computes, against NumPy; every kind of training; what is printed and written."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright import Model, RequestError
from netwright.inspection.rates import advice, find_rates
from netwright.runtime.errors import DataError, TrainingError
from netwright.runtime.training.rates import rising_rates
from netwright.specs.load import load_spec_text

from .conftest import samples

Cli = Callable[..., Result]

LINE = """netwright: 1
model: line
dims: {N: batch}
inputs: {x: {shape: [N, 3], dtype: float64}}
layers: [{name: w, type: dense, units: 1, use_bias: false}]
outputs: {y: w}
train:
  loss: {type: mse, output: y, target: t}
  optimizer: {type: sgd, learning_rate: 5}
  batch_size: 8
  shuffle: false
"""
WINDOWS = """netwright: 1
model: windows
dims: {N: batch, T: time}
inputs: {x: {shape: [N, T, 2]}}
layers:
  - {name: cell, type: gru, units: 4}
  - {name: kind, type: dense, units: 3}
  - {name: size, type: dense, units: 1, inputs: [cell]}
outputs: {kind: kind, size: size}
train:
  targets: {label: {shape: [N, T], dtype: int64}, height: {shape: [N, T, 1], dtype: float32}}
  loss:
    - {type: softmax_cross_entropy, output: kind, target: label}
    - {type: mse, output: size, target: height, weight: 0.5}
  bptt: {window: 5}
  clip_norm: 1
  ema: {decay: 0.9}
  batch_size: 4
"""


def line_data(count: int) -> dict[str, np.ndarray]:
    x = np.random.default_rng(3).normal(size=(count, 3))
    return {"x": x, "t": x @ np.array([[1.0], [-2.0], [0.5]]) + 0.1}


def model(text: str, *settings: str) -> Model:
    return Model(load_spec_text(text, "spec.yaml", settings))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_losses_are_those_of_gradient_descent_by_hand(accumulate: int) -> None:
    """20 samples make batches of 8, 8 and 4: of two batches per update, the second update of an epoch has 4 samples."""
    line, data = model(LINE, f"train.accumulate={accumulate}"), line_data(20)
    rates = rising_rates(1e-3, 0.1, 12)
    curve = find_rates(line, {"train": data}, first=1e-3, last=0.1, steps=12)
    w = line.compile(entries=["predict"]).weights["w.kernel"]
    parts = [slice(0, 8), slice(8, 16), slice(16, 20)] if accumulate == 1 else [slice(0, 16), slice(16, 20)]
    expected = []
    for number, rate in enumerate(rates):
        x, t = (data[name][parts[number % len(parts)]] for name in ("x", "t"))
        error = x @ w - t
        expected.append(float((error**2).mean()))
        w = w - rate * 2 * x.T @ error / len(x)
    np.testing.assert_allclose(curve.rates, rates)
    np.testing.assert_allclose(curve.losses, expected, rtol=1e-10)
    assert not curve.diverged


def test_it_ends_when_the_loss_diverges() -> None:
    curve = find_rates(model(LINE), {"train": line_data(64)}, first=1e-3, last=1e3)
    assert curve.diverged
    assert len(curve.losses) < 100
    assert curve.steepest is not None
    assert curve.tenth is not None
    assert 1e-3 < curve.steepest < 1
    assert np.isfinite(curve.losses).all()
    assert advice(curve) == []


def test_a_range_that_begins_too_high_or_ends_too_low() -> None:
    high = find_rates(model(LINE), {"train": line_data(64)}, first=10, last=1e3)
    assert high.diverged
    assert high.steepest is None
    assert "begin lower, such as --from 0.01" in advice(high)[0]
    low = find_rates(model(LINE), {"train": line_data(8)}, first=1e-4, last=1e-2)
    assert "go on higher, such as --to 1" in advice(low)[0]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("schedule", ["3", "{type: cosine, initial: 3, steps: 5, warm_up: 4}"])
def test_the_rate_of_the_spec_does_not_matter(tiny: Path, optimizer: str, schedule: str) -> None:
    """The same bits again, whatever the spec's rate is; another seed gives another curve."""
    data = {"train": samples(40, 0)}

    def losses(*settings: str) -> tuple[float, ...]:
        spec = netwright.load(tiny, [f"train.optimizer.type={optimizer}", *settings])
        return tuple(find_rates(spec, data, last=1e-1, steps=15, engine="reference").losses)

    first = losses()
    assert len(set(first)) == 15
    assert losses(f"train.optimizer.learning_rate={schedule}") == first
    assert losses("train.seed=1") != first


def test_windows_several_losses_and_averages() -> None:
    rng = np.random.default_rng(0)
    data = {
        "x": rng.normal(size=(6, 12, 2)).astype(np.float32),
        "label": rng.integers(0, 3, (6, 12)),
        "height": rng.normal(size=(6, 12, 1)).astype(np.float32),
    }
    curves = [
        find_rates(model(WINDOWS), {"train": data}, last=0.1, steps=20, engine=engine)
        for engine in ("native", "reference")
    ]
    assert [(len(curve.losses), curve.windows) for curve in curves] == [(20, 3), (20, 3)]
    np.testing.assert_allclose(curves[0].losses, curves[1].losses, rtol=1e-4)


def test_data_that_are_not_finite_are_not_the_rates_fault() -> None:
    data = line_data(8)
    data["x"][2, 1] = np.nan
    with pytest.raises(TrainingError, match=r"not finite before the first update.*sample 2"):
        find_rates(model(LINE), {"train": data})


def test_requests_that_can_not_be_met() -> None:
    with pytest.raises(RequestError, match="rates rise from a number above 0"):
        find_rates(model(LINE), {"train": line_data(8)}, first=1, last=0.1)
    with pytest.raises(RequestError, match="no train section"):
        find_rates(model(LINE[: LINE.index("train:")]), {"train": line_data(8)})
    with pytest.raises(DataError, match="does not fit"):
        find_rates(model(LINE), {"train": {"x": np.zeros((8, 4)), "t": np.zeros((8, 1))}})


def test_the_command_prints_a_plot_and_writes_nothing(tiny: Path, cli: Cli) -> None:
    before = sorted(tiny.parent.iterdir())
    result = cli("rate", tiny, "--to", "10", "--steps", "60")
    assert result.exit_code == 0
    assert sorted(tiny.parent.iterdir()) == before
    lines = result.stdout.splitlines()
    assert sum("│" in line for line in lines) == 14
    assert lines[14].count("▲") == 1
    assert lines[15].split() == ["1e-06", "learning", "rate", "10"] or "diverged" in result.stdout
    assert max(map(len, lines)) <= 100
    suggested = next(line for line in lines if line.startswith("to train with")).split()[-1]
    assert cli("validate", tiny, "--set", suggested).exit_code == 0


def test_the_curve_is_written(tiny: Path, cli: Cli, tmp_path: Path) -> None:
    for ending in ("json", "svg", "html"):
        result = cli("rate", tiny, "--steps", "20", "-o", f"curve.{ending}")
        assert f"wrote curve.{ending}" in result.stdout
    written = json.loads((tmp_path / "curve.json").read_text())
    assert len(written["rates"]) == len(written["losses"]) == len(written["smoothed"]) == 20
    assert written["rates"][0] == pytest.approx(1e-6)
    chart = ET.fromstring((tmp_path / "curve.svg").read_text())
    assert len(chart.findall(".//{http://www.w3.org/2000/svg}polyline")) == 1
    assert "<svg" in (tmp_path / "curve.html").read_text()


def test_the_curve_on_standard_output(tiny: Path, cli: Cli) -> None:
    result = cli("rate", tiny, "--steps", "20", "-o", "-")
    assert json.loads(result.stdout)["model"] == "tiny"
    assert "learning rate" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--from", "1", "--to", "0.1"],
            "rates rise from a number above 0 to a larger one, not from 1 to 0.1",
        ),
        (["--from", "nan"], "rates rise"),
        (["--steps", "5"], "not in the range"),
        (["-o", "curve.txt"], "has to end in .svg, .html or .json"),
        (["-o", "train.npz", "--format", "svg"], "is the input"),
    ],
)
def test_wrong_usage(tiny: Path, cli: Cli, arguments: list[str], message: str) -> None:
    before = (tiny.parent / "train.npz").read_bytes()
    result = cli("rate", tiny, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert (tiny.parent / "train.npz").read_bytes() == before
