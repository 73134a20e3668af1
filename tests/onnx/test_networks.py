"""The networks that the `onnx` package comes with, with random weights: native code agrees with ONNX Runtime.

Two of them by default, all with `pytest tests/onnx --conformance`.
"""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

from netwright.onnx import import_model
from netwright.onnx.files import check

from .models import NETWORKS, light, onnxruntime_outputs, ports

SMALL = ("shufflenet", "squeezenet")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a network."""
    if "network" in metafunc.fixturenames:
        every = metafunc.config.getoption("--conformance")
        metafunc.parametrize("network", NETWORKS if every else SMALL)


def test_random_weights_agree_with_onnxruntime(network: str) -> None:
    found = light(network, scores=True)
    ((port, shape),) = ports(found)
    image = np.random.default_rng(1).standard_normal(shape, np.float32)
    (expected,) = onnxruntime_outputs(found, {port: image})
    imported = import_model(found, name=network)
    program = check(imported.spec).compile(dict(imported.weights), entries=["predict"])
    (answer,) = program.predict(**{imported.inputs[port]: image}).values()
    assert np.ptp(expected) > 0.01  # there is something to compare
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_there_are_nine_networks() -> None:
    assert len(NETWORKS) == 9
