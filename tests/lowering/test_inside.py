"""Values that lie inside a concat: dense blocks predict and train as they do in the interpreter, in less memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import netwright
from netwright.analysis.resources import Resources

from ..built_once import built_once

CLASSES = 3


def dense_block(count: int, growth: int) -> dict[str, Any]:
    """Convolutions that each read what all before have computed (Huang et al., 2017)."""
    layers: list[dict[str, Any]] = [
        {"name": "stem", "type": "conv2d", "filters": 16, "kernel_size": 3, "padding": "same"}
    ]
    last = "stem"
    for number in range(count):
        layers += [
            {"name": f"active{number}", "type": "relu", "inputs": [last]},
            {
                "name": f"conv{number}",
                "type": "conv2d",
                "filters": growth,
                "kernel_size": 3,
                "padding": "same",
                "inputs": [f"active{number}"],
            },
            {"name": f"join{number}", "type": "concat", "inputs": [last, f"conv{number}"]},
        ]
        last = f"join{number}"
    layers += [
        {"name": "pool", "type": "global_mean_pool", "inputs": [last]},
        {"name": "scores", "type": "dense", "units": CLASSES},
    ]
    return {
        "netwright": 1,
        "model": "dense_block",
        "dims": {"N": "batch"},
        "inputs": {"image": {"shape": ["N", 6, 6, 3]}},
        "layers": layers,
        "outputs": {"scores": "scores"},
        "train": {
            "loss": {"type": "softmax_cross_entropy", "output": "scores", "target": "label"},
            "optimizer": {"type": "sgd", "learning_rate": 0.1},
        },
    }


def scratch(model: netwright.Model) -> int:
    """The bytes of scratch memory for a prediction."""
    return Resources(model.load, model.network, ["predict"]).memory("predict", {"N": 1}).arena


@pytest.mark.parametrize("threads", [1, 2])
def test_a_dense_block_computes_what_the_reference_does(threads: int) -> None:
    random = np.random.default_rng(0)
    image = random.standard_normal((3, 6, 6, 3), np.float32)
    batch = {"image": image, "label": random.integers(0, CLASSES, 3)}
    model = netwright.load(dense_block(2, 16))
    with built_once():
        program = model.compile(threads=threads, entries=["predict", "train_step"])
    reference = model.compile(engine="reference", entries=["predict", "train_step"])
    for _ in range(3):
        np.testing.assert_allclose(
            program.predict(image=image)["scores"],
            reference.predict(image=image)["scores"],
            rtol=1e-4,
            atol=1e-5,
        )
        assert program.train_step(**batch)["loss"] == pytest.approx(
            reference.train_step(**batch)["loss"], rel=1e-5
        )
    for name, array in program.weights.items():
        np.testing.assert_allclose(array, reference.weights[name], rtol=1e-4, atol=1e-5)


def test_memory_grows_with_the_block_and_not_with_its_square() -> None:
    sizes = {count: scratch(netwright.load(dense_block(count, 16))) for count in (3, 6)}
    assert sizes[6] < 2.2 * sizes[3]
