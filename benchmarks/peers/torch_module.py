"""Reads a spec as a PyTorch module.

Images have channels first, sequences time before features. A value's layout is known when the module is built; where
the next layer wants the other one, the axis is moved, as the user would.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ..problem import Problem
from . import Unsupported
from .torch_layers import EITHER, FIRST, LAST, Concat, Keys, Weights


class SpecModule(nn.Module):
    """The network of a problem. Arguments are the inputs in the spec's order, each with channels first where ``first``
    has its name; the result is the output, with channels first if ``answers_first``."""

    def __init__(self, problem: Problem):
        super().__init__()
        self._axes = {name: array.ndim for name, array in problem.inputs.items()}
        self._axes |= {info.name: len(info.outputs[""].shape) for info in problem.model.network.layers}
        self._shapes = {info.name: info.outputs[""].shape for info in problem.model.network.layers}
        self.inputs = list(problem.inputs)
        self._first: dict[str, bool] = {}
        self._rows: dict[str, NDArray] = {}
        self.layers = nn.ModuleDict()
        self._plan: list[tuple[str, nn.Module, list[tuple[str, int]], list[str]]] = []
        for keys in problem.spec["layers"]:
            self._read(keys, problem.weights)
        (output,) = problem.spec["outputs"].values()
        self._forget(output)
        self.output, self.answers_first = output, self._first[output]
        self.first = {name for name in self.inputs if self._first[name]}

    def _read(self, keys: Keys, weights: Weights) -> None:
        name, type = keys["name"], keys["type"]
        given = keys["inputs"]
        own = {
            key.removeprefix(f"{name}."): array
            for key, array in weights.items()
            if key.startswith(f"{name}.")
        }
        if type == "concat":
            wanted = self._first.get(given[0], False)
            module: nn.Module = Concat(1 if wanted else -1)
            first = wanted
        elif type in FIRST:
            wanted, first = True, self._axes.setdefault(name, 2) > 2  # a scan's layer has no shape of its own
            module = FIRST[type](keys, own, self._axes[given[0]])
        elif type in LAST:
            wanted, first = False, False
            if given[0] in self._rows:
                own["kernel"] = own["kernel"][self._rows[given[0]]]
            module = LAST[type](keys, own, self._axes[given[0]])
        elif type in EITHER:
            wanted = first = self._first.get(given[0], False)
            module = EITHER[type](keys, own, self._axes[given[0]])
        else:
            raise Unsupported(f"layer type {type}")
        if type == "flatten":
            shape = self._shapes[given[0]][1:]
            numbers = np.arange(np.prod(np.asarray(shape, np.int64))).reshape(shape)
            self._rows[name] = np.moveaxis(numbers, -1, 0).ravel()
        moves = []
        for each in given:
            here = self._first.setdefault(each, wanted and self._axes[each] > 2)
            move = 0 if self._axes[each] < 3 or here == wanted else (1 if wanted else -1)
            moves.append((each, move))
        self._first[name] = first
        self.layers[name] = module
        self._plan.append((name, module, moves, []))

    def _forget(self, output: str) -> None:
        """Notes which values are read for the last time by each layer, so that their memory is free again, as it is in
        a module whose variables are used again."""
        seen = {output}
        for _, _, moves, last in reversed(self._plan):
            last.extend({each for each, _ in moves} - seen)
            seen.update(last)

    def forward(self, *given: Tensor) -> Tensor:
        values = dict(zip(self.inputs, given, strict=True))
        for name, module, moves, last in self._plan:
            values[name] = module(*[_moved(values[each], move) for each, move in moves])
            for each in last:
                del values[each]
        return values[self.output]


def _moved(x: Tensor, move: int) -> Tensor:
    """Channels to the front (1), to the end (−1), or as they are (0)."""
    return x if move == 0 else x.movedim(-1, 1) if move > 0 else x.movedim(1, -1)
