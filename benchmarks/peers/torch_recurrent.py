"""Recurrences for PyTorch: its own modules with our weights, and cells of the spec as loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from . import Unsupported

_MODULES = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
#: Where PyTorch has our gates: ours are z, r, n, PyTorch's r, z, n.
_ORDER = {"rnn": (0,), "lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}


class Outputs(nn.Module):
    """A recurrence without its last states; with ``keeps`` it starts from those of the last call."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module
        self.keeps, self.state = False, None

    def forward(self, x: Tensor) -> Tensor:
        outputs, state = self.module(x, self.state)
        if self.keeps:
            self.state = state
        return outputs


def recurrence(keys: Mapping[str, Any], weights: Mapping[str, NDArray], axes: int) -> nn.Module:
    """`nn.RNN`, `nn.LSTM` or `nn.GRU`. PyTorch adds two biases, of which we have one in `rnn` and `lstm`: the second is
    zero and is not trained, so that both learn the same."""
    kind, layers = keys["type"], keys.get("layers", 1)
    both = keys.get("bidirectional", False)
    prefixes = [
        ".".join(part for part in (str(number) if layers > 1 else "", direction) if part)
        for number in range(layers)
        for direction in (("forward", "backward") if both else ("",))
    ]
    features = weights[_named(prefixes[0], "kernel")].shape[0]
    module = _MODULES[kind](features, keys["units"], num_layers=layers, bidirectional=both, batch_first=True)
    for number, prefix in enumerate(prefixes):
        ending = f"l{number // 2}{'_reverse' * (number % 2)}" if both else f"l{number}"
        own = {
            part: _gates(weights[_named(prefix, part)], kind)
            for part in ("kernel", "recurrent_kernel", "bias")
        }
        second = np.zeros_like(own["bias"])
        if kind == "gru":
            second = _gates(weights[_named(prefix, "recurrent_bias")], kind)
        for name, array in (
            ("weight_ih", own["kernel"].T),
            ("weight_hh", own["recurrent_kernel"].T),
            ("bias_ih", own["bias"]),
            ("bias_hh", second),
        ):
            getattr(module, f"{name}_{ending}").data.copy_(torch.from_numpy(np.array(array)))
        getattr(module, f"bias_hh_{ending}").requires_grad_(kind == "gru")
    return Outputs(module)


def _named(prefix: str, part: str) -> str:
    return f"{prefix}.{part}" if prefix else part


def _gates(array: NDArray, kind: str) -> NDArray:
    order = _ORDER[kind]
    parts = np.split(array, len(order), axis=-1)
    return np.concatenate([parts[gate] for gate in order], axis=-1)


class _Cell(nn.Module):
    """A cell of the spec, with its parameters by their names there."""

    def __init__(self, weights: Mapping[str, NDArray]):
        super().__init__()
        self.weights = nn.ParameterDict(
            {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
        )


class MinimalGated(_Cell):
    """The minimal gated unit as a loop over steps. What reads the input alone is computed before."""

    def forward(self, x: Tensor) -> Tensor:
        w = self.weights
        forget, candidate = x @ w["Wf"] + w["bf"], x @ w["Wh"] + w["bh"]
        h, outputs = x.new_zeros(x.shape[0], w["Uf"].shape[0]), []
        for step in range(x.shape[1]):
            f = torch.sigmoid(forget[:, step] + h @ w["Uf"])
            c = torch.tanh(candidate[:, step] + (f * h) @ w["Uh"])
            h = (1.0 - f) * h + f * c
            outputs.append(h)
        return torch.stack(outputs, 1)


class GatewiseLstm(_Cell):
    """An LSTM with a matrix for each gate, as a loop over steps."""

    def forward(self, x: Tensor) -> Tensor:
        w = self.weights
        read = {gate: x @ w[f"W{gate}"] + w[f"b{gate}"] for gate in "ifgo"}
        h = c = x.new_zeros(x.shape[0], w["Ui"].shape[0])
        outputs = []
        for step in range(x.shape[1]):
            i, f, g, o = (read[gate][:, step] + h @ w[f"U{gate}"] for gate in "ifgo")
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, 1)


_CELLS = {"minimal_gated": MinimalGated, "gatewise_lstm": GatewiseLstm}


def user_cell(keys: Mapping[str, Any], weights: Mapping[str, NDArray], axes: int) -> nn.Module:
    """A cell that a PyTorch user writes as a loop."""
    if keys["cell"] not in _CELLS:
        raise Unsupported(f"cell {keys['cell']}")
    return _CELLS[keys["cell"]](weights)
