"""ncnn, given the PyTorch module (``torch_module``) through its own converter pnnx, in float32. It takes one sample at
a time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ncnn
import numpy as np
import pnnx
import torch

from ..problem import Problem
from . import Runner, Unsupported
from .torch_module import SpecModule


def runner(problem: Problem, threads: int, name: str) -> Runner:
    """To predict one sample."""
    if problem.case.batch > 1:
        raise Unsupported("takes one sample at a time")
    if len(problem.inputs) > 1:
        raise Unsupported("several inputs")
    module = SpecModule(problem).eval()
    ((given, array),) = problem.inputs.items()
    array = np.ascontiguousarray(np.moveaxis(array, -1, 1)) if given in module.first else array
    net = ncnn.Net()
    net.opt.num_threads = threads
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, option, False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.pt")
        with _silence():
            pnnx.export(module, str(path), (torch.from_numpy(array),), fp16=False)
        if net.load_param(f"{folder}/network.ncnn.param") or net.load_model(f"{folder}/network.ncnn.bin"):
            raise Unsupported("an operator that it does not know")
    sample = array[0]
    (output,) = problem.spec["outputs"]

    def run() -> np.ndarray:
        with net.create_extractor() as extractor:
            extractor.input("in0", ncnn.Mat(sample))
            failed, answer = extractor.extract("out0")
        if failed:
            raise Unsupported("an operator that it cannot run")
        return np.array(answer)

    def answers() -> dict[str, np.ndarray]:
        answer = run()[np.newaxis]
        return {output: np.moveaxis(answer, 1, -1) if module.answers_first else answer}

    return Runner(run, answers)


@contextmanager
def _silence() -> Iterator[None]:
    """What the converter prints, from C++, goes nowhere."""
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)
