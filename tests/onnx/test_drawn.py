"""Networks drawn at random (those of `tests/engines`): exported, they pass ONNX's checker and agree with ONNX Runtime;
imported again, they still give the same numbers.

A few of each family here, many with `--hypothesis-profile=deep`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from hypothesis import given, note, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import netwright
from netwright.onnx import OnnxError, export_model, import_model
from netwright.specs.load import load_spec_text

from ..engines.catalogs import feature_catalog, recurrent_catalog, window_catalog
from ..engines.harness import Model as Drawn
from ..engines.specs import Grow, features, frames, recurrences, specs, windows
from ..engines.test_networks import sizes
from .models import onnxruntime_outputs

#: Networks of a family: 4 in ci, 200 in deep.
EXAMPLES = settings.default.max_examples // 5 if settings.default else 4
#: Why one may not be imported again: windows with gaps between them, over open sizes.
UNPROVED = re.compile(
    r"\bdo not broadcast\b|\bdo not fit the shape\b|\bthe padding depends on an open size\b"
)


def model_of(text: str, name: str) -> netwright.Model:
    return netwright.Model(load_spec_text(text, name))


def close(found: NDArray, expected: NDArray, name: str) -> None:
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    scale = max(1.0, float(np.abs(expected).max())) if expected.size else 1.0
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4 * scale, err_msg=name)


def check(spec: dict[str, Any], numbers: st.DataObject, seed: int) -> None:
    text = json.dumps(spec)
    note(text)
    drawn = Drawn(spec)
    dims = sizes(drawn, numbers)
    inputs = drawn.batch(dims, seed, targets=False)
    for name in inputs:
        if any(one.get("lengths") == name for one in spec["inputs"].values()):
            inputs[name] = np.maximum(inputs[name], 1)  # ONNX Runtime has no empty sequences
    weights = drawn.weights(seed)
    expected = drawn.interpret("predict", {**weights, **inputs}, dims)
    proto = export_model(model_of(text, "spec.json"), weights).proto
    onnx.checker.check_model(proto, full_check=True)
    used = {value.name for value in proto.graph.input}
    answers = onnxruntime_outputs(proto, {name: value for name, value in inputs.items() if name in used})
    for output, answer in zip(proto.graph.output, answers, strict=True):
        close(answer, expected[output.name], output.name)
    try:
        imported = import_model(proto, name="again")
    except OnnxError as error:
        if UNPROVED.search(str(error)):
            return
        raise
    note(imported.spec)
    again = model_of(imported.spec, "again.yaml").compile(
        dict(imported.weights), engine="reference", entries=["predict"]
    )
    read = {name for entry in again.manifest.entries for name in entry.reads}
    results = again.predict(**{here: inputs[own] for own, here in imported.inputs.items() if here in read})
    for own, here in imported.outputs.items():
        close(results[here], expected[own], own)


def family(grow: Grow, examples: int = EXAMPLES) -> Any:
    """A test of drawn networks of a family."""

    @settings(max_examples=examples)
    @given(specs(grow, "float32"), st.data(), st.integers(0, 99))
    def test(spec: dict[str, Any], numbers: st.DataObject, seed: int) -> None:
        check(spec, numbers, seed)

    return test


test_features = family(features)
test_windows = family(windows)
test_recurrences = family(recurrences)
test_frames = family(frames)
test_catalog_of_features = family(feature_catalog, EXAMPLES // 2)
test_catalog_of_windows = family(window_catalog, EXAMPLES // 2)
test_catalog_of_recurrences = family(recurrent_catalog, EXAMPLES // 2)
