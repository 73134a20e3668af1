"""`compile --quantize` as users call it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from netwright import load
from netwright.cli import main
from netwright.errors import RequestError
from netwright.quantization import Quantization, quantize
from netwright.weights.network import read_weights

from .helpers import drawn, prepared, spec

SPEC = {
    **spec(
        ["N", 6, 6, 2],
        {"type": "conv2d", "filters": 5, "kernel_size": 3, "activation": "relu"},
        {"type": "flatten"},
        {"type": "dense", "units": 3},
    ),
    "train": {
        "data": {"train": "data.npz"},
        "targets": {"t": {"shape": ["N"], "dtype": "int64"}},
        "loss": {"type": "softmax_cross_entropy", "output": "y", "target": "t"},
        "metrics": ["accuracy"],
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quantized")
    network, weights = prepared(SPEC)
    x = drawn(network, 8)
    (path / "spec.json").write_text(json.dumps(SPEC))
    np.savez(path / "data.npz", x=x, t=np.arange(8) % 3)
    np.savez(path / "inputs.npz", x=x)
    np.save(path / "x.npy", x)
    load(path / "spec.json").compile(weights, engine="reference").save_weights(path / "w.safetensors")
    return path


def run(folder: Path, *arguments: str) -> Result:
    given = ["compile", f"{folder}/spec.json", "--weights", f"{folder}/w.safetensors", *arguments]
    return CliRunner().invoke(main, given)


def made(folder: Path, data: str = "data.npz", percentile: float = 100) -> Quantization:
    model = load(folder / "spec.json")
    weights = read_weights(model.network, folder / "w.safetensors")
    samples = model.data({"calibration": folder / data})["calibration"]
    return quantize(model.network, weights, samples, percentile=percentile)


def test_the_executable_computes_what_the_table_says(folder: Path) -> None:
    done = run(folder, "--quantize", f"{folder}/data.npz", "-o", f"{folder}/program")
    assert done.exit_code == 0, done.output
    assert "conv" not in done.stdout
    lines = [line.split() for line in done.stderr.splitlines()]
    assert ["l1", "int8", "360", "bytes", "120", "bytes"] in [line[:6] for line in lines]
    assert any(line[:1] == ["accuracy:"] and line[2:4] == ["in", "floats,"] for line in lines)
    answer = subprocess.run(
        [folder / "program"], input=(folder / "x.npy").read_bytes(), capture_output=True, check=True
    )
    (folder / "y.npy").write_bytes(answer.stdout)
    result = made(folder)
    program = np.load(folder / "y.npy")
    exact = load(folder / "spec.json").compile(folder / "w.safetensors", entries=("predict",))
    expected = exact.predict(x=np.load(folder / "x.npy"))["y"]
    difference, most = result.differences["y"]
    assert np.abs(program - expected).max() == pytest.approx(difference)
    assert 0 < difference < 0.05 * most


def test_recurrences_as_programs(tmp_path: Path) -> None:
    """Of whole sequences and of steps, whose machine code is verified, and which test themselves."""
    written = spec(["N", "T", 3], {"type": "gru", "units": 12}, {"type": "dense", "units": 2})
    network, weights = prepared(written)
    x = drawn(network, 8, 11)
    (tmp_path / "spec.json").write_text(json.dumps(written))
    np.savez(tmp_path / "data.npz", x=x)
    load(tmp_path / "spec.json").compile(weights, engine="reference").save_weights(tmp_path / "w.safetensors")
    done = run(tmp_path, "--quantize", f"{tmp_path}/data.npz", "--verify", "-o", f"{tmp_path}/whole")
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stderr.splitlines()]
    assert ["l1", "(2)", "int8,", "in", "each", "step"] in [line[:6] for line in lines]
    assert "y: differs by up to" in done.stderr
    whole = tmp_path / "whole"
    tested = subprocess.run([whole, "--selftest"], capture_output=True, text=True, check=True)
    assert "passes" in tested.stdout
    np.save(tmp_path / "x.npy", x[:1])
    answer = subprocess.run([whole], input=(tmp_path / "x.npy").read_bytes(), capture_output=True, check=True)
    (tmp_path / "y.npy").write_bytes(answer.stdout)
    done = run(tmp_path, "--quantize", f"{tmp_path}/data.npz", "--entry", "step", "-o", f"{tmp_path}/steps")
    assert done.exit_code == 0, done.output
    stepped = subprocess.run(
        [tmp_path / "steps", "--raw"], input=x[0].tobytes(), capture_output=True, check=True
    ).stdout
    np.testing.assert_array_equal(
        np.frombuffer(stepped, np.float32).reshape(-1, 2), np.load(tmp_path / "y.npy")[0]
    )


def test_data_without_targets_show_differences(folder: Path) -> None:
    result = made(folder, "inputs.npz")
    assert not result.scores
    assert result.lines() == [
        f"y: differs by up to {result.differences['y'][0]:.3g} where values reach "
        f"{result.differences['y'][1]:.3g}, of 8 samples"
    ]


def test_a_percentile_narrows_ranges(folder: Path) -> None:
    whole, narrow = (made(folder, percentile=percentile).to_json()["layers"][0] for percentile in (100, 90))
    assert narrow["scale"] < whole["scale"]
    with pytest.raises(RequestError, match="from 50 to 100"):
        made(folder, percentile=20)


def test_weights_of_16_bits(folder: Path) -> None:
    done = run(folder, "--weights-dtype", "bfloat16", "--emit", "graph", "-o", f"{folder}/half.graph")
    assert done.exit_code == 0, done.output
    assert "692 bytes with bfloat16" in done.stderr
    assert "widen" in (folder / "half.graph").read_text()
    both = run(folder, "--weights-dtype", "float16", "--quantize", "x.npz", "-o", f"{folder}/no")
    assert both.exit_code == 2


def test_requests_that_can_not_be(folder: Path) -> None:
    done = CliRunner().invoke(
        main, ["compile", f"{folder}/spec.json", "--quantize", "x.npz", "-o", f"{folder}/no"]
    )
    assert done.exit_code == 2
    assert "needs --weights" in done.output
    result = made(folder)
    with pytest.raises(RequestError, match="quantized already"):
        quantize(result.network, result.weights, load(folder / "spec.json").data()["train"])


def test_states_that_leave_all_bounds_have_no_range(tmp_path: Path) -> None:
    written = spec(["N", "T", 2], {"type": "rnn", "units": 2, "activation": "relu"})
    network, weights = prepared(written)
    weights["l1.kernel"][:] = weights["l1.recurrent_kernel"][:] = 9
    model = load(written)
    np.savez(tmp_path / "data.npz", x=np.ones((2, 60, 2), np.float32))
    samples = model.data({"calibration": tmp_path / "data.npz"})["calibration"]
    with pytest.raises(RequestError, match=r"l1 \(2\) gets numbers that are not finite"):
        quantize(network, weights, samples)
    np.savez(tmp_path / "data.npz", x=np.full((2, 3, 2), np.nan, np.float32))
    samples = model.data({"calibration": tmp_path / "data.npz"})["calibration"]
    with pytest.raises(RequestError, match="l1 gets numbers that are not finite"):
        quantize(network, weights, samples)
