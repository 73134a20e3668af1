"""PyTorch, eager and compiled: a module as a user writes it (``torch_module``), with our weights.

Images are tried both with channels first and with PyTorch's format `channels_last`; the faster one is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..problem import Problem
from . import Runner, Unsupported
from .torch_module import SpecModule
from .torch_recurrent import Outputs

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
_Loss = Callable[[Tensor, Tensor], Tensor]


def runner(problem: Problem, threads: int, name: str) -> Runner:
    """Eager or compiled, to predict or to train."""
    torch.set_num_threads(threads)
    if problem.case.kind == "step":
        return _steps(problem)
    make = _trainer if problem.case.kind == "training" else _predictor
    channels_last = False
    if any(array.ndim in _FORMATS for array in problem.inputs.values()):
        trials = {choice: _seconds(make(problem, choice, False).run) for choice in (False, True)}
        channels_last = min(trials, key=lambda choice: trials[choice])
    return make(problem, channels_last, name == "torch.compile")


def _seconds(run: Callable[[], object]) -> float:
    times = []
    for _ in range(4):
        start = time.thread_time()
        run()
        times.append(time.thread_time() - start)
    return min(times[1:])


def _given(problem: Problem, module: SpecModule, channels_last: bool) -> list[Tensor]:
    tensors = []
    for name, array in problem.inputs.items():
        if name in module.first:
            array = np.ascontiguousarray(np.moveaxis(array, -1, 1))
        value = torch.from_numpy(array)
        tensors.append(
            value.contiguous(memory_format=_FORMATS[array.ndim]) if _turns(array, channels_last) else value
        )
    return tensors


def _turns(array: np.ndarray, channels_last: bool) -> bool:
    return channels_last and array.ndim in _FORMATS


def _module(problem: Problem, channels_last: bool) -> SpecModule:
    module = SpecModule(problem)
    if channels_last:
        rank = max(array.ndim for array in problem.inputs.values())
        module = module.to(memory_format=_FORMATS[rank])  # type: ignore[call-overload]
    return module


def _predictor(problem: Problem, channels_last: bool, compiled: bool) -> Runner:
    module = _module(problem, channels_last).eval()
    given = _given(problem, module, channels_last)
    called: nn.Module | Callable[..., Tensor] = torch.compile(module) if compiled else module
    (output,) = problem.spec["outputs"]

    def predict() -> np.ndarray:
        with torch.inference_mode():
            return called(*given).numpy()

    def answers() -> dict[str, np.ndarray]:
        answer = predict()
        return {output: np.moveaxis(answer, 1, -1) if module.answers_first else answer}

    return Runner(predict, answers)


def _steps(problem: Problem) -> Runner:
    """Modules that keep their states from call to call."""
    module = SpecModule(problem).eval()
    for part in module.modules():
        if isinstance(part, Outputs):
            part.keeps = True
    given = _given(problem, module, channels_last=False)
    (output,) = problem.spec["outputs"]

    def step() -> np.ndarray:
        with torch.inference_mode():
            return module(*given).numpy()

    return Runner(step, lambda: {output: step()})


def _trainer(problem: Problem, channels_last: bool, compiled: bool) -> Runner:
    module = _module(problem, channels_last).train()
    given = _given(problem, module, channels_last)
    (target,) = (torch.from_numpy(array) for array in problem.targets.values())
    train = problem.spec["train"]
    loss_of, optimizer = _loss(train["loss"], module.answers_first), _optimizer(train["optimizer"], module)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]

    def objective(*given: Tensor) -> Tensor:
        return loss_of(module(*given), target)

    called = torch.compile(objective) if compiled else objective

    def step() -> float:
        for parameter in parameters:
            parameter.grad = None
        loss = called(*given)
        loss.backward()
        optimizer.step()
        return loss.item()

    return Runner(step)


def _optimizer(keys: dict, module: nn.Module) -> torch.optim.Optimizer:
    """The fused kinds, which are the fastest."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    rate = keys["learning_rate"]
    if keys["type"] == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=keys.get("momentum", 0.0), fused=True)
    if keys["type"] == "adam":
        return torch.optim.Adam(parameters, lr=rate, fused=True)
    raise Unsupported(f"optimizer {keys['type']}")


def _loss(keys: dict, answers_first: bool) -> _Loss:
    match keys["type"]:
        case "softmax_cross_entropy":
            return lambda answer, target: _cross_entropy(
                answer, target, keys.get("steps", "all"), answers_first
            )
        case "mse":
            return functional.mse_loss
        case "ctc":
            return _ctc
    raise Unsupported(f"loss {keys['type']}")


def _cross_entropy(answer: Tensor, target: Tensor, steps: str, first: bool) -> Tensor:
    if steps == "last" and answer.ndim == 3:
        answer = answer[:, -1]
    if not first and answer.ndim > 2:
        answer, target = answer.flatten(0, -2), target.flatten()
    return functional.cross_entropy(answer, target)


def _ctc(answer: Tensor, target: Tensor) -> Tensor:
    steps = torch.full((answer.shape[0],), answer.shape[1])
    labels = torch.full((target.shape[0],), target.shape[1])
    return functional.ctc_loss(answer.log_softmax(-1).transpose(0, 1), target, steps, labels)
