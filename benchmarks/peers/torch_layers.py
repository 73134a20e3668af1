"""Layers as a PyTorch user would write them: `nn.Conv2d`, `nn.LSTM`, …, with our weights in PyTorch's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from . import Unsupported
from .torch_recurrent import recurrence, user_cell

Keys = Mapping[str, Any]
Weights = Mapping[str, NDArray]
#: Builds a layer: its keys, the weights whose names begin with its own, and the number of axes of its input.
Builder = Callable[[Keys, Weights, int], nn.Module]

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_NORMS = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
_POOLS = {
    "max": {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d},
    "mean": {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d},
}


def tensor(array: NDArray) -> Tensor:
    """A copy of its own: what is trained is not the caller's."""
    return torch.from_numpy(np.array(array))


def pairs(keys: Keys, rank: int) -> list[tuple[int, int]]:
    """The padding of each axis. Raises Unsupported for words other than `same` and `valid`."""
    padding = keys.get("padding", "valid")
    sizes, rates = (per_axis(keys.get(key, 1), rank) for key in ("kernel_size", "dilation"))
    if padding == "valid":
        return [(0, 0)] * rank
    if padding == "same":
        spans = [(size - 1) * rate for size, rate in zip(sizes, rates, strict=True)]
        return [(span // 2, span - span // 2) for span in spans]
    if isinstance(padding, str):
        raise Unsupported(f"padding: {padding}")
    return [(low, high) for low, high in padding]


def per_axis(value: Any, rank: int) -> list[int]:
    """A number for each axis."""
    return list(value) if isinstance(value, list | tuple) else [value] * rank


def _padded(module: Callable[..., nn.Module], padding: list[tuple[int, int]]) -> nn.Module:
    if all(low == high for low, high in padding):
        return module(padding=tuple(low for low, _ in padding))
    flat = [side for pair in reversed(padding) for side in pair]
    return nn.Sequential(_Pad(flat), module(padding=0))


class _Pad(nn.Module):
    def __init__(self, sides: list[int]):
        super().__init__()
        self.sides = sides

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x, self.sides)


def _convolution(keys: Keys, weights: Weights, axes: int) -> nn.Module:
    rank, kernel = axes - 2, weights["kernel"]
    depthwise = keys["type"].startswith("depthwise")
    filters = kernel.shape[-1] * (kernel.shape[-2] if depthwise else 1)
    channels = kernel.shape[-2] if depthwise else kernel.shape[-2] * keys.get("groups", 1)
    groups = channels if depthwise else keys.get("groups", 1)
    made: list[nn.Module] = []

    def module(padding: Any) -> nn.Module:
        convolution = _CONVOLUTIONS[rank](
            channels,
            filters,
            tuple(kernel.shape[:rank]),
            stride=tuple(per_axis(keys.get("stride", 1), rank)),
            padding=padding,
            dilation=tuple(per_axis(keys.get("dilation", 1), rank)),
            groups=groups,
            bias="bias" in weights,
        )
        ordered = np.moveaxis(kernel, (-1, -2), (0, 1))
        if depthwise:
            ordered = kernel.reshape(*kernel.shape[:rank], 1, filters)
            ordered = np.moveaxis(ordered, (-1, -2), (0, 1))
        convolution.weight.data = tensor(np.ascontiguousarray(ordered))
        if "bias" in weights:
            convolution.bias.data = tensor(weights["bias"])
        made.append(convolution)
        return convolution

    return _activated(_padded(module, pairs(keys, rank)), keys)


def _transposed(keys: Keys, weights: Weights, axes: int) -> nn.Module:
    kernel = weights["kernel"]
    size, (inner, outer) = keys["kernel_size"], _transposed_channels(kernel, keys)
    module = nn.ConvTranspose2d(inner, outer, size, stride=keys.get("stride", 1))
    order = (2, 3, 0, 1) if kernel.shape[2] == inner else (3, 2, 0, 1)
    module.weight.data = tensor(np.ascontiguousarray(kernel.transpose(order)))
    assert module.bias is not None
    module.bias.data = tensor(weights["bias"])
    return _activated(module, keys)


def _transposed_channels(kernel: NDArray, keys: Keys) -> tuple[int, int]:
    outer = keys["filters"]
    return (kernel.shape[2], outer) if kernel.shape[3] == outer else (kernel.shape[3], outer)


def _dense(keys: Keys, weights: Weights, axes: int) -> nn.Module:
    features, units = weights["kernel"].shape
    module = nn.Linear(features, units, bias="bias" in weights)
    module.weight.data = tensor(np.ascontiguousarray(weights["kernel"].T))
    if "bias" in weights:
        module.bias.data = tensor(weights["bias"])
    return _activated(module, keys)


def _normalization(keys: Keys, weights: Weights, axes: int) -> nn.Module:
    module = _NORMS[axes](weights["gamma"].size, eps=keys.get("epsilon", 1e-5))
    module.weight.data, module.bias.data = tensor(weights["gamma"]), tensor(weights["beta"])
    assert module.running_mean is not None
    assert module.running_var is not None
    module.running_mean.copy_(tensor(weights["mean"]))
    module.running_var.copy_(tensor(weights["variance"]))
    return module


def _pool(keys: Keys, weights: Weights, axes: int) -> nn.Module:
    kind, rank = keys["type"].split("_")[0], axes - 2
    size, stride = keys["pool_size"], keys.get("stride") or keys["pool_size"]
    more = {} if kind == "max" else {"count_include_pad": False}
    padding = pairs({**keys, "kernel_size": size}, rank)
    if any(low != high for low, high in padding) or keys.get("rounding") != "floor":
        raise Unsupported("a pool that is padded on one side or cut at the border")
    return _POOLS[kind][rank](size, stride, padding=tuple(low for low, _ in padding), **more)


class _GlobalMean(nn.Module):
    def __init__(self, axes: int):
        super().__init__()
        self.axes = tuple(range(2, axes))

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(self.axes)


class Concat(nn.Module):
    def __init__(self, axis: int):
        super().__init__()
        self.axis = axis

    def forward(self, *given: Tensor) -> Tensor:
        return torch.cat(given, self.axis)


class _Add(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b


class _Attention(nn.Module):
    def forward(self, query: Tensor, value: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(query, value, value)


class _Scan(nn.Module):
    """A small network on every window of a signal: a convolution, then dense layers at each position, and the
    maximum."""

    def __init__(self, keys: Keys, weights: Weights):
        super().__init__()
        dense = [layer for layer in keys["layers"] if layer["type"] == "dense"]
        layers: list[nn.Module] = []
        for number, layer in enumerate(dense):
            kernel, bias = (weights[f"{layer['name']}.{part}"] for part in ("kernel", "bias"))
            window = keys["window"] if number == 0 else 1
            channels = kernel.shape[0] // window
            convolution = nn.Conv1d(
                channels, kernel.shape[1], window, stride=keys["stride"] if number == 0 else 1
            )
            ordered = kernel.reshape(window, channels, -1).transpose(2, 1, 0)
            convolution.weight.data = tensor(np.ascontiguousarray(ordered))
            assert convolution.bias is not None
            convolution.bias.data = tensor(bias)
            layers.append(_activated(convolution, layer))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).amax(-1)


def _upsampling(keys: Keys, weights: Weights, axes: int) -> nn.Module:
    mode = keys.get("interpolation", "nearest")
    more = {"align_corners": False} if mode == "bilinear" else {}
    return nn.Upsample(scale_factor=keys.get("size", 2), mode=mode, **more)


def _activated(module: nn.Module, keys: Keys) -> nn.Module:
    name = keys.get("activation", "linear")
    if name == "linear":
        return module
    if name not in _ACTIVATIONS:
        raise Unsupported(f"activation: {name}")
    return nn.Sequential(module, _ACTIVATIONS[name]())


#: Layers that read channels first.
FIRST: dict[str, Builder] = {
    **{f"conv{rank}d": _convolution for rank in (1, 2, 3)},
    "depthwise_conv2d": _convolution,
    "conv_transpose2d": _transposed,
    **{f"{kind}_pool{rank}d": _pool for kind in ("max", "mean") for rank in (1, 2, 3)},
    "global_mean_pool": lambda keys, weights, axes: _GlobalMean(axes),
    "batch_norm": _normalization,
    "up_sampling2d": _upsampling,
    "flatten": lambda keys, weights, axes: nn.Flatten(),
    "scan_window": lambda keys, weights, axes: _Scan(keys, weights),
}
#: Layers that read features last.
LAST: dict[str, Builder] = {
    "dense": _dense,
    **dict.fromkeys(("rnn", "lstm", "gru"), recurrence),
    "recurrent": user_cell,
    "attention": lambda keys, weights, axes: _Attention(),
}
#: Layers that read either; the result is like the first input.
EITHER: dict[str, Builder] = {
    **{name: lambda keys, weights, axes: _ACTIVATIONS[keys["type"]]() for name in _ACTIVATIONS},
    "add": lambda keys, weights, axes: _Add(),
}
