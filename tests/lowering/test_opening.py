"""Training steps whose kernels take sizes from their callers: fewer kernels, the same bits."""

from __future__ import annotations

from typing import Any

import pytest

from netwright.compiler import driver

from ..engines.harness import Arrays, Model

DIMS = {"N": 3}
CONV = {"type": "conv2d", "kernel_size": 3, "padding": "same"}
SPEC: dict[str, Any] = {
    "netwright": 1,
    "model": "m",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 8, 8, 16]}},
    "layers": [
        {"name": "a", **CONV, "filters": 32},
        {"name": "an", "type": "batch_norm"},
        {"name": "ar", "type": "relu"},
        {"name": "b", **CONV, "filters": 64, "stride": 2},
        {"name": "bn", "type": "batch_norm"},
        {"name": "br", "type": "relu"},
        {"name": "c", **CONV, "filters": 64},
        {"name": "cn", "type": "batch_norm"},
        {"name": "cs", "type": "add", "inputs": ["cn", "br"]},
        {"name": "p", "type": "global_mean_pool"},
        {"name": "y", "type": "dense", "units": 10},
    ],
    "outputs": {"y": "y"},
    "train": {
        "loss": {"type": "mse", "output": "y", "target": "t"},
        "optimizer": {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    },
}


def step(model: Model, threads: int) -> Arrays:
    weights = {**model.weights(), **model.states(DIMS)}
    session = model.session(weights, threads)
    results = model.run_native(session, "train_step", model.batch(DIMS))
    return {**results, **session.weights, **session.state}


@pytest.fixture(scope="module")
def models() -> tuple[Model, Model]:
    """With open sizes, and without."""
    model, closed = (Model(SPEC, entries=("train_step",)) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "_OPENING", ())
        assert closed.lowered
    return model, closed


def test_there_are_fewer_kernels(models: tuple[Model, Model]) -> None:
    model, closed = (len(each.lowered.program.kernels) for each in models)
    assert model <= closed - 8


@pytest.mark.parametrize("threads", [1, 2])
def test_steps_have_the_same_bits(models: tuple[Model, Model], threads: int) -> None:
    results, expected = (step(model, threads) for model in models)
    assert results.keys() == expected.keys()
    for name, array in expected.items():
        assert results[name].tobytes() == array.tobytes(), name


def test_updates_of_all_parameters_are_one_kernel(models: tuple[Model, Model]) -> None:
    program = models[0].lowered.program
    updates = [
        kernel
        for kernel in program.kernels.values()
        if [(buffer.access, len(buffer.shape)) for buffer in kernel.buffers]
        == [("readwrite", 1), ("read", 1), ("readwrite", 1)]
    ]
    # The bias of ten elements is no whole vector.
    assert len(updates) == 2
    assert sorted(len(kernel.dims) for kernel in updates) == [0, 1]


def test_margins_of_all_sizes_are_filled_by_one_kernel(models: tuple[Model, Model]) -> None:
    for model, kernels in zip(models, (1, 3), strict=True):
        filled = [
            kernel
            for kernel in model.lowered.program.kernels.values()
            if [(buffer.access, len(buffer.shape)) for buffer in kernel.buffers] == [("write", 3)]
        ]
        assert len(filled) == kernels
