"""Scalers and feature extractors before a network, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

from onnx.helper import make_node

from netwright.onnx import import_model
from netwright.onnx.errors import OnnxError

from .compared import built, compare

RNG = np.random.default_rng(3)
DOMAIN = "ai.onnx.ml"


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
@pytest.mark.parametrize("count", [1, 4])
def test_a_scaler_before_a_network(dtype: type, count: int) -> None:
    offset, scale = RNG.normal(size=count).tolist(), RNG.uniform(0.5, 2, count).tolist()
    nodes = [
        make_node("Scaler", ["x"], ["s"], domain=DOMAIN, offset=offset, scale=scale),
        make_node("MatMul", ["s", "w"], ["y"]),
    ]
    found = built(nodes, {"x": (dtype, ["N", 4])}, ["y"], {"w": RNG.normal(size=(4, 2)).astype(np.float32)})
    compare(found, *({"x": (RNG.normal(size=(n, 4)) * 9).astype(dtype)} for n in (2, 5)))


def test_features_by_position() -> None:
    node = make_node("ArrayFeatureExtractor", ["x", "i"], ["y"], domain=DOMAIN)
    found = built([node], {"x": (np.float32, ["N", 4])}, ["y"], {"i": np.array([3, 0, 0])})
    compare(found, {"x": RNG.normal(size=(2, 4)).astype(np.float32)})


def test_others_of_the_domain_are_refused() -> None:
    node = make_node("Binarizer", ["x"], ["y"], domain=DOMAIN)
    with pytest.raises(OnnxError, match=r"ai\.onnx\.ml"):
        import_model(built([node], {"x": (np.float32, ["N", 4])}, ["y"]))
