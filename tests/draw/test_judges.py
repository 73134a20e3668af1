"""Networks that ONNX Runtime can't judge, or judges by rules of its own: the second judge knows them."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

from .networks import Case
from .onnx import check_round_trip

WINDOWS_OF_PADDING = [
    {
        "name": "p",
        "type": "pool3d",
        "pool_size": 2,
        "dilation": [1, 2, 1],
        "padding": "same",
        "expression": "log(sum(exp(x)))",
    },
    {"name": "y", "type": "global_max_pool"},
]
EVEN_NUMBER = [{"name": "y", "type": "lrn", "size": 2, "alpha": 2.0}]

QUANTIZED = [
    {"name": "q", "type": "fake_quantize", "scale": 0.3},
    {"name": "y", "type": "lrn", "size": 1},
]

SCALED_THREE_TIMES = [
    {"name": "s", "type": "standardize", "mean": 0.5, "stddev": 2},
    {"name": "y", "type": "attention", "inputs": ["s", "s", "s"]},
]

OTHER_ACTIVATIONS = [
    {"name": "r", "type": "gru", "units": 1, "recurrent_activation": "softplus"},
    {"name": "y", "type": "lrn", "size": 1},
]

LARGEST_OF_STEPS = [{"name": "l", "type": "lrn", "size": 2}, {"name": "y", "type": "global_max_pool"}]


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        pytest.param(WINDOWS_OF_PADDING, ["N", "T", 1, 1, 1], id="the largest of no numbers"),
        pytest.param(EVEN_NUMBER, ["N", 4, 3, 2], id="fewer samples than channels"),
        pytest.param(EVEN_NUMBER, ["N", 2, 3, 1], id="more samples than channels"),
        pytest.param(EVEN_NUMBER, ["N", 4, 3], id="no image"),
        pytest.param(QUANTIZED, ["N", 1], id="an operator that the evaluator has only since opset 19"),
        pytest.param(SCALED_THREE_TIMES, ["N", "T", 2], id="a scale that ONNX Runtime moves but others read"),
        pytest.param(OTHER_ACTIVATIONS, ["N", "T", 2], id="activations that the evaluator does not read"),
        pytest.param(LARGEST_OF_STEPS, ["N", "T", 2], id="a maximum over one axis"),
    ],
)
def test_the_second_judge(layers: list[dict[str, Any]], shape: list[Any]) -> None:
    dims = {"N": "batch", "T": {"min": 1}} if "T" in shape else {"N": "batch"}
    inputs = {"x": {"shape": shape, "dtype": "float32"}}
    spec = {
        "netwright": 1,
        "model": "m",
        "dims": dims,
        "inputs": inputs,
        "layers": layers,
        "outputs": {"y": "y"},
    }
    sizes = {"N": 3, "T": 2} if "T" in shape else {"N": 3}
    case = Case(spec, 1, "avx2", [sizes])
    check_round_trip(case)
