"""A slice of the zoo, and what its tables say."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from onnx import helper
from onnx.helper import make_node

from ..onnx.compared import built
from ..onnx.example import weight_codes
from ..onnx.models import model
from ..slices import sliced
from . import golden
from .arrays import answers, session
from .catalog import ENTRIES
from .entries import EXPORTERS, chosen
from .expected import refusals
from .judging import Judge
from .running import run
from .stages import in_stages, is_quantized
from .widening import exact_answers

#: Quick ones: a recurrence, transposed convolutions, one that timm wrote.
SLICE = ("torch/LstmWithStates/legacy/open", "torch/Autoencoder/legacy/open", "timm/test_resnet/legacy/open")
#: Those of them that run by default.
SHORT = ("torch/LstmWithStates/legacy/open", "timm/test_resnet/legacy/open")


@pytest.mark.parametrize("name", sliced(SLICE, SHORT.__contains__))
def test_an_exported_network_gives_the_answers_of_onnxruntime(name: str, tmp_path: Path) -> None:
    (entry,) = [one for one in ENTRIES if one.name == name]
    missing = [one for one in entry.requires if importlib.util.find_spec(one) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed (pip install {' '.join(missing)})")
    report = run(entry, tmp_path)
    assert report["verdict"] == "pass", report
    assert name in golden.KEPT
    assert golden.changed(name, report) == ""


def test_quantized_networks_are_judged_stage_by_stage() -> None:
    random = np.random.default_rng(2)
    constants = {f"w{i}": weight_codes(np.int8, 8, 8) for i in range(2)}
    nodes, value = [], "x"
    for i in range(2):
        codes, scale, zero, total = (f"{name}{i}" for name in ("codes", "scale", "zero", "total"))
        nodes += [
            make_node("DynamicQuantizeLinear", [value], [codes, scale, zero]),
            make_node("MatMulInteger", [codes, f"w{i}", zero], [total]),
            make_node("Cast", [total], [f"floats{i}"], to=1),
            make_node("Mul", [f"floats{i}", scale], [f"y{i}"]),
        ]
        value = f"y{i}"
    model = built(nodes, {"x": (np.float32, ["N", 8])}, ["y1"], constants)
    found = in_stages(model, {"x": random.standard_normal((3, 8)).astype(np.float32)})
    assert is_quantized(model)
    assert found.keys() == {"y0", "y1"}
    assert max(found.values()) < 1e-6


def test_golden_outputs_are_compared() -> None:
    known = json.loads(golden.GOLDEN.read_text(encoding="utf-8"))
    assert set(known) == set(golden.KEPT)
    name = golden.KEPT[0]
    assert golden.changed(name, {"samples": known[name]}) == ""
    for key, other in (("shape", [1]), ("rms", 1.0), ("values", [0.0] * 6)):
        found = {output: {**was, key: other} for output, was in known[name].items()}
        assert key in golden.changed(name, {"samples": found}) or key == "shape"
        assert golden.changed(name, {"samples": found})


def test_answers_in_float64() -> None:
    """Of the statistics that are given, in old opsets too."""
    generator = np.random.default_rng(0)
    scale, bias, mean = generator.normal(size=(3, 4)).astype(np.float32)
    variance = generator.uniform(0.5, 2, 4).astype(np.float32)
    constants = {"s": scale, "b": bias, "m": mean, "v": variance}
    x = generator.normal(size=(2, 4, 3)).astype(np.float32)
    for opset in (9, 13, 15):
        made = model(
            [helper.make_node("BatchNormalization", ["x", *constants], ["y"], epsilon=0.5)],
            {"x": [2, 4, 3]},
            ["y"],
            constants,
            opset=opset,
        )
        s, b, m, v = (array.astype(np.float64)[:, None] for array in constants.values())
        found = exact_answers(made, {"x": x})["y"]
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, (x - m) / np.sqrt(v + 0.5) * s + b, rtol=1e-14)


def test_where_the_runtime_rounds_an_answer_may_be_as_far_off(tmp_path: Path) -> None:
    """(x + 4096) − 4096 has lost what is below 2⁻¹¹."""
    nodes = [helper.make_node("Add", ["x", "c"], ["a"]), helper.make_node("Sub", ["a", "c"], ["y"])]
    made = model(nodes, {"x": [1000]}, ["y"], {"c": np.full(1, 4096, np.float32)})
    path = tmp_path / "m.onnx"
    onnx.save(made, path)
    given = {"x": np.random.default_rng(0).normal(size=1000).astype(np.float32)}
    wanted = answers(session(path.read_bytes()), given)["y"]
    exact = given["x"]
    for found, right in ((exact, True), (2 * exact - wanted, True), (exact + 1e-3, False)):
        report: dict[str, float] = {}
        error, allowed = Judge(made, path, 1e-4).distance("y", found, wanted, given, report)
        assert (error <= allowed) == right
        assert 1e-4 < report["runtime"] < 1e-3
    assert Judge(made, path, 1e-4).distance("y", wanted, wanted, given, report) == (0.0, 1e-4)


def test_there_are_enough_entries_and_each_has_a_name() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(names) == len(set(names)) >= 150
    assert {entry.exporter for entry in ENTRIES} == set(EXPORTERS)


def test_patterns_choose_entries() -> None:
    found = chosen(ENTRIES, ["resnet1*/legacy", "silero"], ("legacy", "package"))
    assert {entry.source for entry in found} >= {"torchvision", "timm", "silero-vad"}
    assert all(entry.exporter in ("legacy", "package") for entry in found)


def test_each_refusal_that_is_expected_is_of_an_entry() -> None:
    for line in refusals():
        assert chosen(ENTRIES, [line.pattern.strip("*")], EXPORTERS), line.pattern
