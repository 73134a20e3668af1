"""ONNX Runtime, given our own ONNX export with all sizes fixed (``bare``) and NumPy arrays with channels first."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime

from ..problem import Arrays, Problem
from . import Runner
from .bare import bare_runner
from .stepping import stateful


def runner(problem: Problem, threads: int, name: str) -> Runner:
    """To predict, or to make a step of a stream. A model of more than 2 GB does not fit the format."""
    if problem.case.kind == "step":
        return _steps(problem, threads)
    return bare_runner(problem, lambda proto, inputs: model_runner(proto, inputs, threads))


def model_runner(proto: onnx.ModelProto, inputs: Arrays, threads: int) -> Runner:
    """A model with all optimizations."""
    session = _session(proto.SerializeToString(), threads)
    names = [output.name for output in session.get_outputs()]

    def answers() -> Arrays:
        values = session.run(names, inputs)
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}

    return Runner(lambda: session.run(names, inputs), answers)


def _steps(problem: Problem, threads: int) -> Runner:
    """The states go through NumPy arrays from call to call."""
    network = stateful(problem)
    proto = network.proto()
    session = _session(proto.SerializeToString(), threads)
    outputs = [*problem.spec["outputs"], *network.states.values()]
    given = network.start()

    def run() -> Arrays:
        answers = dict(zip(outputs, session.run(outputs, given), strict=True))
        for before, after in network.states.items():
            given[before] = np.asarray(answers[after])
        return answers  # type: ignore[return-value]

    return Runner(run, lambda: {name: run()[name] for name in problem.spec["outputs"]})


def _session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
