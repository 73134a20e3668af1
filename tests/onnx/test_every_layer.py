"""Every layer of the language goes out to ONNX, where ONNX Runtime gives the same numbers, and comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

from numpy.typing import NDArray

import netwright
from netwright.onnx import export_model, import_model
from netwright.onnx.files import check
from netwright.onnx.ops import OPS
from netwright.specs.reference import examples

from .models import onnxruntime_outputs

PARTS = {one.file: one.text for one in examples() if one.file}
SPECS = {f"{one.title}{i}": one.spec for i, one in enumerate(one for one in examples() if one.file is None)}


def arrays(model: netwright.Model) -> dict[str, NDArray]:
    """Random inputs; whole numbers are 0 and 1, which are positions everywhere."""
    generator, found = np.random.default_rng(0), {}
    sizes = {}
    for name, one in model.network.dims.items():
        unit = one.multiple_of
        sizes[name] = -(-max(one.min or 1, {"N": 3, "T": 7}.get(name, 5)) // unit) * unit
    for name, type in model.network.inputs.items():
        shape = [size if isinstance(size, int) else sizes[str(size)] for size in type.shape]
        floats = type.dtype in ("float32", "float64")
        values = generator.normal(size=shape) if floats else generator.integers(0, 2, shape)
        found[name] = values.astype(type.dtype)
    return found


@pytest.mark.alike(2)
@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS.keys())
def test_layers_go_out_and_come_back(text: str, tmp_path: Path) -> None:
    for name, part in PARTS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(part, encoding="utf-8")
    (tmp_path / "m.yaml").write_text(text, encoding="utf-8")
    model = netwright.load(tmp_path / "m.yaml")
    program = model.compile(engine="reference", entries=["predict"], seed=1)
    proto, given = export_model(model, program.weights).proto, arrays(model)
    expected = program.predict(**given)
    answers = onnxruntime_outputs(proto, given)
    names = [one.name for one in proto.graph.output]
    for name, answer in zip(names, answers, strict=True):
        assert answer.shape == expected[name].shape
        np.testing.assert_allclose(answer, expected[name], rtol=2e-4, atol=2e-5)
    unknown = {node.op_type for node in proto.graph.node} - OPS.keys()
    if unknown == {"ScatterND"}:
        pytest.skip("ScatterND is not imported")
    assert not unknown
    # A beam counts in integers, which no cell does: its loop is unrolled over a known number of steps.
    steps = {"T": given["x"].shape[1]} if "beam:" in text else {}
    imported = import_model(proto, dims=steps)
    again = check(imported.spec).compile(dict(imported.weights), engine="reference", entries=["predict"])
    results = again.predict(**{imported.inputs[name]: given[name] for name in imported.inputs})
    for name in names:
        np.testing.assert_allclose(results[imported.outputs[name]], expected[name], rtol=2e-4, atol=2e-5)
