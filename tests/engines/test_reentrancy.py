"""One compiled program, used from several Python threads at once: generated code keeps nothing of its own."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from netwright.runtime.sessions.session import Session

from .harness import Arrays, Model

SPEC: dict[str, Any] = {
    "netwright": 1,
    "model": "shared",
    "dims": {"N": "batch", "T": "time"},
    "inputs": {"x": {"shape": ["N", "T", 4], "dtype": "float64"}},
    "layers": [
        {
            "name": "conv",
            "type": "conv1d",
            "filters": 6,
            "kernel_size": 3,
            "padding": "same",
            "activation": "relu",
        },
        {"name": "memory", "type": "lstm", "units": 8},
        {"name": "drop", "type": "dropout", "rate": 0.3},
        {"name": "head", "type": "dense", "units": 3},
    ],
    "outputs": {"y": "head"},
    "train": {
        "data": {"train": "none.npz"},
        "loss": {"type": "softmax_cross_entropy", "output": "y", "target": "label"},
        "optimizer": {"type": "adam", "learning_rate": 0.01, "epsilon": 0.01},
    },
}
STEPS = 20


def test_two_engines_over_one_program() -> None:
    """Two threads train on different data at once, each as if it were alone."""
    model = Model(SPEC)
    work = [
        ({"N": 3, "T": 40}, 1),
        ({"N": 5, "T": 7}, 2),
    ]
    alone = [train(model, dims, seed) for dims, seed in work]
    together: list[Arrays] = [{}, {}]
    failures: list[BaseException] = []
    barrier = threading.Barrier(2)

    def run(position: int) -> None:
        try:
            barrier.wait()
            together[position] = train(model, *work[position])
        except BaseException as error:  # shown by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(position,)) for position in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for expected, found in zip(alone, together, strict=True):
        assert expected.keys() == found.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array, name)


def test_one_engine_from_two_threads() -> None:
    """Calls of one engine wait for each other, since they share its memory; results are those of one thread."""
    model = Model(SPEC)
    weights = model.weights()
    engine = model.new_engine()
    sessions = [Session(engine, {**weights, **model.states({})}) for _ in range(2)]
    inputs = [model.batch({"N": 2, "T": t}, targets=False) for t in (30, 5)]
    expected = [sessions[0].run("predict", one)["y"] for one in inputs]
    found: list[list[Any]] = [[], []]

    def run(position: int) -> None:
        for _ in range(STEPS):
            found[position].append(sessions[position].run("predict", inputs[position])["y"])

    threads = [threading.Thread(target=run, args=(position,)) for position in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for position in range(2):
        assert len(found[position]) == STEPS
        for array in found[position]:
            np.testing.assert_array_equal(array, expected[position])


def train(model: Model, dims: dict[str, int], seed: int) -> Arrays:
    """Weights, states and outputs after some steps, by an engine of its own."""
    values = {**model.weights(seed), **model.states(dims)}
    session = Session(model.new_engine(), values)
    batch = model.batch(dims, seed)
    outputs: Arrays = {}
    for _ in range(STEPS):
        outputs = session.run("train_step", batch)
    return {**session.weights, **session.state, **outputs}
