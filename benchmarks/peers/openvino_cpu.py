"""OpenVINO on the CPU, given our own ONNX export with all sizes fixed (``bare``) and NumPy arrays with channels first.

It computes in float32 like everybody else: left alone, it takes bfloat16 on CPUs that have instructions for it.
"""

from __future__ import annotations

import numpy as np
import openvino

from ..problem import Arrays, Problem
from . import Runner, Unsupported
from .bare import bare_model, turned, turned_back


def runner(problem: Problem, threads: int, name: str) -> Runner:
    """One stream for the least latency, on this many threads. Inputs and outputs are not copied."""
    if problem.case.kind == "step":
        raise Unsupported("steps of a stream")
    proto, given, answered = bare_model(problem)
    core = openvino.Core()
    options = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
    }
    try:
        compiled = core.compile_model(core.read_model(proto.SerializeToString()), "CPU", options)
    except RuntimeError as error:
        raise Unsupported(str(error).strip().splitlines()[-1][:100]) from None
    request, inputs = compiled.create_infer_request(), turned(problem.inputs, given)
    names = list(problem.spec["outputs"])

    def run() -> object:
        return request.infer(inputs, share_inputs=True, share_outputs=True)

    def answers() -> Arrays:
        run()
        values = [np.array(request.get_output_tensor(number).data) for number in range(len(names))]
        return turned_back(dict(zip(names, values, strict=True)), answered)

    return Runner(run, answers)
