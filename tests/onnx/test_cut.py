"""A model that ends earlier: `--output NAME`, which the refusal of what has no shape names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from click.testing import CliRunner
from onnx.helper import make_node

from netwright.cli import main
from netwright.onnx import import_model
from netwright.onnx.errors import OnnxError

from .compared import built, run

F = np.float32


def detector() -> onnx.ModelProto:
    nodes = [
        make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3]),
        make_node("Reshape", ["c", "shape"], ["boxes"]),
        make_node("Sigmoid", ["z"], ["scores"]),
        make_node("NonMaxSuppression", ["boxes", "scores", "most"], ["y"]),
    ]
    constants = {"w": np.ones((4, 1, 3, 3), F), "shape": np.array([1, -1, 4]), "most": np.array([3])}
    return built(nodes, {"x": (F, [1, 1, 4, 4]), "z": (F, [1, 1, 4])}, ["y"], constants)


def test_the_refusal_names_where_the_model_can_end() -> None:
    with pytest.raises(OnnxError, match="--output boxes --output scores"):
        import_model(detector())


def test_a_model_ends_there() -> None:
    x = np.arange(16, dtype=F).reshape(1, 1, 4, 4)
    imported = import_model(detector(), outputs=["boxes"])
    assert list(imported.inputs) == ["x"]
    assert run(imported, {"x": x})["boxes"].shape == (1, 4, 4)
    imported = import_model(detector(), outputs=["boxes", "scores"])
    found = run(imported, {"x": x, "z": np.zeros((1, 1, 4), F)})
    np.testing.assert_array_equal(found["scores"], np.full((1, 1, 4), 0.5, F))


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(detector().SerializeToString())
    spec, weights = tmp_path / "m.yaml", tmp_path / "m.safetensors"
    arguments = ["import", str(path), "-o", str(spec), "--weights", str(weights)]
    result = CliRunner().invoke(main, [*arguments, "--output", "box"])
    assert result.exit_code == 1
    assert "nothing gives 'box': there is boxes" in result.stderr
    assert CliRunner().invoke(main, [*arguments, "--output", "boxes"]).exit_code == 0
    assert "outputs:\n  boxes: " in spec.read_text(encoding="utf-8")
