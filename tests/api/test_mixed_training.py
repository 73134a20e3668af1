"""Whole trainings with `precision: mixed_bfloat16`: checkpoints, parts, `bptt`, and what resources say.

That executables train to the same bits is in ``test_trainer.py``, whose network trains so.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import netwright
from netwright.analysis.resources import Resources
from netwright.program import Program

SPEC: dict[str, Any] = {
    "netwright": 1,
    "model": "m",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 12, 3]}},
    "layers": [
        {"name": "read", "type": "lstm", "units": 8, "return_sequences": True},
        {"name": "norm", "type": "layer_norm"},
        {"name": "head", "type": "dense", "units": 2},
    ],
    "outputs": {"y": "head"},
    "train": {
        "loss": {"type": "mse", "output": "y", "target": "t"},
        "optimizer": {"type": "adam", "learning_rate": 0.01},
        "precision": "mixed_bfloat16",
        "epochs": 2,
        "batch_size": 8,
    },
}


def samples(count: int = 24) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, 12, 3)).astype(np.float32)
    return {"x": x, "t": x[..., :2] * np.float32(0.5)}


@cache
def made(settings: tuple[str, ...] = ()) -> netwright.Model:
    return netwright.load(SPEC, settings)


def program(*settings: str, engine: Any = "native", threads: int = 1) -> Program:
    return made(settings).compile(engine=engine, threads=threads, entries=["train_step"])


def close(a: Program, b: Program, atol: float) -> None:
    for name, array in b.weights.items():
        np.testing.assert_allclose(a.weights[name], array, atol=atol)


def test_resuming_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    whole, first, second = program(), program(), program(threads=2)
    whole.train(samples(), epochs=2)
    first.train(samples(), epochs=1, checkpoint=tmp_path / "c.checkpoint")
    second.train(samples(), epochs=2, resume=tmp_path / "c.checkpoint")
    for name, array in whole.weights.items():
        np.testing.assert_array_equal(second.weights[name], array)


def test_parts_train_as_the_whole_does() -> None:
    whole, parts = program(), program("train.parts=2")
    for trained in (whole, parts):
        trained.train(samples(), epochs=1)
    close(parts, whole, 2e-3)


def test_gradients_from_states_kept_now_and_then() -> None:
    settings = ("train.optimizer={type: sgd, learning_rate: 1.0}", "train.bptt={checkpoint: 5}")
    native, reference, plain = (
        program(*settings),
        program(*settings, engine="reference"),
        program(*settings, "train.precision=float32", engine="reference"),
    )
    for trained in (native, reference, plain):
        trained.train_step(**samples(8))
    close(native, reference, 2e-3)
    close(native, plain, 2e-2)


def test_resources_are_what_the_engine_takes() -> None:
    model, trained = made(), program()
    trained.train_step(**samples(8))
    memory = Resources(model.load, model.network, ["train_step"]).memory("train_step", {"N": 64})
    native = trained._native  # pyright: ignore[reportPrivateUsage]
    assert native is not None
    assert memory.arena == native.arena_bytes("train_step", {"N": 64})
    plain = made(("train.precision=float32",))
    assert (
        memory.tape
        < Resources(plain.load, plain.network, ["train_step"]).memory("train_step", {"N": 64}).tape
    )
