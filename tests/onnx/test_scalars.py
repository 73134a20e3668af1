"""Inputs and outputs without axes stay so: in Python, in an executable, and on the way back to ONNX."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from onnx import helper

import netwright
from netwright.onnx import export_model, import_model
from netwright.onnx.files import check

from .models import agrees, model, onnxruntime_outputs

node = helper.make_node
INT = {
    "zero": np.asarray([0]),
    "ones": np.asarray([1, 1, 1]),
    "wide": np.asarray([2, 3]),
    "first": np.asarray(1),
    "two": np.asarray(2, np.float32),
    "yes": np.asarray(True),
}


@pytest.mark.parametrize(
    ("nodes", "inputs"),
    [
        ([node("Mul", ["x", "s"], ["y"])], {"x": [2, 3], "s": []}),
        ([node("Add", ["s", "t"], ["y"])], {"s": [], "t": []}),
        ([node("Tanh", ["s"], ["y"])], {"s": []}),
        ([node("Identity", ["s"], ["y"])], {"s": []}),
        ([node("ReduceMean", ["x"], ["y"], keepdims=0)], {"x": [2, 3]}),
        ([node("Squeeze", ["x"], ["y"])], {"x": [1, 1]}),
        ([node("Unsqueeze", ["s", "zero"], ["y"])], {"s": []}),
        ([node("Reshape", ["s", "ones"], ["y"])], {"s": []}),
        ([node("Expand", ["s", "wide"], ["y"])], {"s": []}),
        ([node("Gather", ["x", "first"], ["y"])], {"x": [3]}),
        ([node("Clip", ["x", "s"], ["y"])], {"x": [2, 3], "s": []}),
        ([node("MatMul", ["x", "s"], ["y"])], {"x": [3], "s": [3]}),
        ([node("Flatten", ["s"], ["y"], axis=0)], {"s": []}),
        ([node("Mul", ["s", "s"], ["p"]), node("Add", ["p", "two"], ["y"])], {"s": []}),
        ([node("Exp", ["s"], ["p"]), node("Mul", ["p", "two"], ["y"])], {"s": []}),
        ([node("Selu", ["s"], ["p"]), node("Mul", ["two", "p"], ["y"])], {"s": []}),
        (
            [
                node("Less", ["s", "two"], ["l"]),
                node("And", ["l", "yes"], ["b"]),
                node("Where", ["b", "s", "two"], ["y"]),
            ],
            {"s": []},
        ),
    ],
)
def test_values_without_axes(nodes: list[onnx.NodeProto], inputs: dict[str, list[int]]) -> None:
    imported = agrees(model(nodes, inputs, ["y"], INT), inputs)
    again = check(imported.spec)
    assert [list(type.shape) for type in again.network.inputs.values()] == list(inputs.values())


def test_an_executable_reads_and_writes_values_without_axes(tmp_path: Path) -> None:
    """Files of shape (): one of [1] is refused."""
    nodes = [node("Mul", ["x", "s"], ["p"]), node("ReduceSum", ["p"], ["y"], keepdims=0)]
    imported = import_model(model(nodes, {"x": ["N", 3], "s": []}, ["y"]), name="m")
    imported.save(tmp_path / "m.yaml", tmp_path / "m.safetensors")
    loaded = netwright.load(tmp_path / "m.yaml")
    loaded.compile(tmp_path / "m.safetensors", entries=["predict"]).save(tmp_path / "m")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.save(tmp_path / "x.npy", x)
    for name, array in (("s", np.float32(2)), ("one", np.ones(1, np.float32))):
        np.save(tmp_path / f"{name}.npy", array)
    command = [tmp_path / "m", "-i", "x=x.npy", "-o", "y.npy"]
    subprocess.run([*command, "-i", "s=s.npy"], cwd=tmp_path, check=True, timeout=60)
    answer = np.load(tmp_path / "y.npy")
    assert answer.shape == ()
    assert answer == 2 * x.sum()
    refused = subprocess.run(
        [*command, "-i", "s=one.npy"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert refused.returncode
    assert "expected 0 axes" in refused.stderr


def test_values_without_axes_go_out_again() -> None:
    nodes = [node("Mul", ["x", "s"], ["p"]), node("ReduceSum", ["p"], ["y"], keepdims=0)]
    imported = import_model(model(nodes, {"x": ["N", 3], "s": []}, ["y"]), name="m")
    proto = export_model(check(imported.spec), dict(imported.weights)).proto
    given = {"x": np.ones((2, 3), np.float32), "s": np.asarray(3, np.float32)}
    (answer,) = onnxruntime_outputs(proto, given)
    assert answer.shape == ()
    assert answer == 18
