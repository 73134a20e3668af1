"""ONNX Runtime, given our own ONNX export with all sizes fixed (``bare``) and NumPy arrays with channels first."""

from __future__ import annotations

import numpy as np
import onnxruntime

from ..problem import Problem
from . import Runner, Unsupported
from .bare import bare_model, turned, turned_back


def runner(problem: Problem, threads: int, name: str) -> Runner:
    """All of its optimizations, on this many threads. A model of 2 GB does not fit its format."""
    if problem.case.kind == "step":
        raise Unsupported("steps of a stream")
    proto, given, answered = bare_model(problem)
    session = _session(proto.SerializeToString(), threads)
    names = [output.name for output in session.get_outputs()]
    inputs = turned(problem.inputs, given)

    def answers() -> dict[str, np.ndarray]:
        return turned_back(dict(zip(names, session.run(names, inputs), strict=True)), answered)  # type: ignore[arg-type]

    return Runner(lambda: session.run(names, inputs), answers)


def _session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
