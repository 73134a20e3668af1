"""What a call from Python costs: networks so small that their kernels take some 100 ns.

    python benchmarks/calls.py [--seconds 2]

`before` is the usual way, which the first call with arrays of some shapes takes, and any call whose arrays have to be
converted. Where PyTorch and ONNX Runtime are installed, theirs are measured in turns with ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

import netwright

ROUND = 200  # calls between two looks at the clock, which takes 200 ns itself
SHAPES = {"w": (16, 16), "b": (16,)}

DENSE = {
    "netwright": 1,
    "model": "small",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 16]}},
    "layers": [{"name": "y", "type": "dense", "units": 16, "activation": "relu"}],
    "outputs": {"y": "y"},
    "train": {
        "loss": {"type": "mse", "output": "y", "target": "t"},
        "optimizer": {"type": "sgd", "learning_rate": 0.01},
    },
}
RECURRENT = {
    "netwright": 1,
    "model": "steps",
    "dims": {"N": "batch", "T": "time"},
    "inputs": {"x": {"shape": ["N", "T", 4]}},
    "layers": [{"name": "y", "type": "gru", "units": 8}],
    "outputs": {"y": "y"},
}


def repeated(call: Callable[[], object]) -> Callable[[], None]:
    """Many calls."""

    def calls() -> None:
        for _ in range(ROUND):
            call()

    return calls


def ours() -> dict[str, Callable[[], object]]:
    """Our calls by name."""
    x, out = np.ones((1, 16), np.float32), np.empty((1, 16), np.float32)
    program = netwright.load(DENSE).compile(threads=1)
    stream = netwright.load(RECURRENT).compile(entries=["predict"], threads=1).stream()
    numbers = x.tolist()
    step = np.ones((1, 1, 4), np.float32)
    session = program.session
    session.predict(x=x)
    call, given = session._calls["predict"], {"x": x}

    def before() -> None:
        call._latest = None
        bound, binding = call._bound(given, {})
        (bound["y"],) = (np.empty(shape, dtype) for _, shape, dtype in binding.outputs)
        session.engine.run("predict", binding.known, bound)

    return {
        "predict, before": before,
        "predict": lambda: program.predict(x=x),
        "predict, out=": lambda: program.predict(x=x, out=out),
        "predict of a list": lambda: program.predict(x=numbers),
        "train_step": lambda: program.train_step(x=x, t=out),
        "push of a step": lambda: stream.push(x=step),
    }


def theirs() -> dict[str, Callable[[], object]]:
    """Calls of the same layer in other frameworks that are installed."""
    calls: dict[str, Callable[[], object]] = {}
    for name, make in {"PyTorch": eager, "ONNX Runtime": runtime}.items():
        with suppress(ImportError):
            calls[name] = make(np.ones((1, 16), np.float32))
    return calls


def eager(x: Any) -> Callable[[], object]:
    """The layer in PyTorch."""
    import torch

    torch.set_num_threads(1)
    layer, given = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.ReLU()), torch.from_numpy(x)

    def call() -> object:
        with torch.inference_mode():
            return layer(given)

    return call


def runtime(x: Any) -> Callable[[], object]:
    """The layer in ONNX Runtime."""
    import onnxruntime
    from onnx import helper, numpy_helper

    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    sides = [[helper.make_tensor_value_info(name, 1, ["N", 16])] for name in "xy"]
    weights = [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in SHAPES.items()]
    graph = helper.make_graph(nodes, "small", *sides, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})


def main() -> None:
    """Prints a table: microseconds of a call, by the thread's CPU time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for all measurements together")
    seconds = parser.parse_args().seconds
    calls = {name: repeated(call) for name, call in {**ours(), **theirs()}.items()}
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < 5:
        for name, call in calls.items():
            start = time.thread_time()
            call()
            times[name].append((time.thread_time() - start) / ROUND)
    for name, own in times.items():
        print(f"{name:<18} {np.median(own) * 1e6:6.2f} µs")


if __name__ == "__main__":
    main()
