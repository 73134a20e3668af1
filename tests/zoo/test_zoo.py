"""A slice of the zoo, and what its tables say."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

from . import golden
from .catalog import ENTRIES
from .entries import EXPORTERS, chosen
from .expected import refusals
from .running import run

#: Quick ones: a recurrence, transposed convolutions, one that timm wrote.
SLICE = ("torch/LstmWithStates/legacy/open", "torch/Autoencoder/legacy/open", "timm/test_resnet/legacy/open")


@pytest.mark.parametrize("name", SLICE)
def test_an_exported_network_gives_the_answers_of_onnxruntime(name: str, tmp_path: Path) -> None:
    (entry,) = [one for one in ENTRIES if one.name == name]
    missing = [one for one in entry.requires if importlib.util.find_spec(one) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed (pip install {' '.join(missing)})")
    report = run(entry, tmp_path)
    assert report["verdict"] == "pass", report
    assert name in golden.KEPT
    assert golden.changed(name, report) == ""


def test_golden_outputs_are_compared() -> None:
    known = json.loads(golden.GOLDEN.read_text(encoding="utf-8"))
    assert set(known) == set(golden.KEPT)
    name = golden.KEPT[0]
    assert golden.changed(name, {"samples": known[name]}) == ""
    for key, other in (("shape", [1]), ("rms", 1.0), ("values", [0.0] * 6)):
        found = {output: {**was, key: other} for output, was in known[name].items()}
        assert key in golden.changed(name, {"samples": found}) or key == "shape"
        assert golden.changed(name, {"samples": found})


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
