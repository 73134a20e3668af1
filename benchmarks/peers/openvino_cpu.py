"""OpenVINO on the CPU, given our own ONNX export with all sizes fixed (``bare``) and NumPy arrays with channels first.

It computes in float32 like everybody else: left alone, it takes bfloat16 on CPUs that have instructions for it.
"""

from __future__ import annotations

import numpy as np
import onnx
import openvino

from ..problem import Arrays, Problem
from . import Runner, Unsupported
from .bare import bare_runner
from .stepping import stateful


def runner(problem: Problem, threads: int, name: str) -> Runner:
    """To predict, or to make a step of a stream."""
    if problem.case.kind == "step":
        return _steps(problem, threads)
    return bare_runner(problem, lambda proto, inputs: model_runner(proto, inputs, threads))


def model_runner(proto: onnx.ModelProto, inputs: Arrays, threads: int) -> Runner:
    """A model as one stream for the least latency. Inputs and outputs are not copied."""
    request = _request(proto, threads)
    names = [output.name for output in proto.graph.output]

    def run() -> object:
        return request.infer(inputs, share_inputs=True, share_outputs=True)

    def answers() -> Arrays:
        run()
        return {name: np.array(request.get_tensor(name).data) for name in names}

    return Runner(run, answers)


def _steps(problem: Problem, threads: int) -> Runner:
    """The states go through NumPy arrays from call to call."""
    network = stateful(problem)
    proto = network.proto()
    request, given = _request(proto, threads), network.start()
    outputs = [*problem.spec["outputs"], *network.states.values()]

    def run() -> Arrays:
        request.infer(given, share_inputs=True)
        answers = {name: request.get_tensor(name).data for name in outputs}
        for before, after in network.states.items():
            given[before] = np.array(answers[after])
        return answers

    return Runner(run, lambda: {name: np.array(run()[name]) for name in problem.spec["outputs"]})


def _request(proto: onnx.ModelProto, threads: int) -> openvino.InferRequest:
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
    return compiled.create_infer_request()
