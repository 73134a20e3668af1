"""Reads a spec as a JAX function: `lax.conv_general_dilated` on images with features last, `lax.scan` for recurrences.

JAX has our layouts, so weights are ours as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import Unsupported
from .jax_recurrent import recurrence, user_cell

Keys = Mapping[str, Any]
Array = jax.Array
Own = Mapping[str, Array]

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
}
_SPATIAL = {1: "W", 2: "HW", 3: "DHW"}


def forward(
    spec: Keys, weights: Mapping[str, Array], inputs: Mapping[str, Array], training: bool
) -> tuple[Array, dict]:
    """The only output, and the running statistics after this batch (those given if it is not training)."""
    values, statistics = dict(inputs), {}
    for keys in spec["layers"]:
        name, given = keys["name"], [values[each] for each in keys["inputs"]]
        own = {
            key.removeprefix(f"{name}."): array
            for key, array in weights.items()
            if key.startswith(f"{name}.")
        }
        if keys["type"] == "batch_norm":
            values[name], moved = _normalization(given[0], own, keys, training)
            statistics |= {f"{name}.{key}": array for key, array in moved.items()}
        elif keys["type"] in _LAYERS:
            values[name] = _LAYERS[keys["type"]](keys, own, *given)
        else:
            raise Unsupported(f"layer type {keys['type']}")
    (output,) = spec["outputs"].values()
    return values[output], statistics


def _activated(x: Array, keys: Keys) -> Array:
    name = keys.get("activation", "linear")
    if name not in _ACTIVATIONS:
        raise Unsupported(f"activation: {name}")
    return _ACTIVATIONS[name](x)


def _per_axis(value: Any, rank: int) -> list[int]:
    return list(value) if isinstance(value, list | tuple) else [value] * rank


def _padding(keys: Keys, rank: int, size: Any) -> list[tuple[int, int]]:
    padding = keys.get("padding", "valid")
    if padding == "valid":
        return [(0, 0)] * rank
    if padding == "same":
        sizes, rates = _per_axis(size, rank), _per_axis(keys.get("dilation", 1), rank)
        spans = [(each - 1) * rate for each, rate in zip(sizes, rates, strict=True)]
        return [(span // 2, span - span // 2) for span in spans]
    if isinstance(padding, str):
        raise Unsupported(f"padding: {padding}")
    return [(low, high) for low, high in padding]


def _convolution(keys: Keys, own: Own, x: Array) -> Array:
    rank, kernel = x.ndim - 2, own["kernel"]
    groups = keys.get("groups", 1)
    if keys["type"].startswith("depthwise"):
        groups = x.shape[-1]
        kernel = kernel.reshape(*kernel.shape[:rank], 1, -1)
    axes = _SPATIAL[rank]
    y = lax.conv_general_dilated(
        x,
        kernel,
        _per_axis(keys.get("stride", 1), rank),
        _padding(keys, rank, keys["kernel_size"]),
        rhs_dilation=_per_axis(keys.get("dilation", 1), rank),
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        feature_group_count=groups,
    )
    return _activated(y + own["bias"] if "bias" in own else y, keys)


def _transposed(keys: Keys, own: Own, x: Array) -> Array:
    stride = keys.get("stride", 1)
    kernel = own["kernel"][::-1, ::-1]
    if kernel.shape[2] != x.shape[-1]:
        kernel = kernel.swapaxes(2, 3)
    size = keys["kernel_size"]
    y = lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        [(size - 1, size - 1)] * 2,
        lhs_dilation=(stride, stride),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return _activated(y + own["bias"], keys)


def _dense(keys: Keys, own: Own, x: Array) -> Array:
    y = x @ own["kernel"]
    return _activated(y + own["bias"] if "bias" in own else y, keys)


def _normalization(x: Array, own: Own, keys: Keys, training: bool) -> tuple[Array, dict[str, Array]]:
    mean, variance = own["mean"], own["variance"]
    moved = {"mean": mean, "variance": variance}
    if training:
        axes = tuple(range(x.ndim - 1))
        mean = x.mean(axes)
        variance = jnp.square(x - mean).mean(axes)
        keep = keys.get("momentum", 0.9)
        moved = {
            key: keep * own[key] + (1 - keep) * new for key, new in (("mean", mean), ("variance", variance))
        }
    scale = own["gamma"] * lax.rsqrt(variance + keys.get("epsilon", 1e-5))
    return (x - mean) * scale + own["beta"], moved


def _pool(keys: Keys, own: Own, x: Array) -> Array:
    rank, size = x.ndim - 2, keys["pool_size"]
    window = (1, *_per_axis(size, rank), 1)
    strides = (1, *_per_axis(keys.get("stride") or size, rank), 1)
    padding = [(0, 0), *_padding(keys, rank, size), (0, 0)]
    if keys["type"].startswith("max"):
        return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, padding)
    total = lax.reduce_window(x, 0.0, lax.add, window, strides, padding)
    return total / lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, window, strides, padding)


def _upsampling(keys: Keys, own: Own, x: Array) -> Array:
    size = keys.get("size", 2)
    method = {"nearest": "nearest", "bilinear": "linear"}[keys.get("interpolation", "nearest")]
    return jax.image.resize(x, (x.shape[0], x.shape[1] * size, x.shape[2] * size, x.shape[3]), method)


def _attention(keys: Keys, own: Own, query: Array, value: Array) -> Array:
    scores = jnp.einsum("ntd,nsd->nts", query, value) / query.shape[-1] ** 0.5
    return jnp.einsum("nts,nsd->ntd", jax.nn.softmax(scores), value)


def _scan(keys: Keys, own: Own, x: Array) -> Array:
    dense = [layer for layer in keys["layers"] if layer["type"] == "dense"]
    for number, layer in enumerate(dense):
        window = keys["window"] if number == 0 else 1
        kernel = own[f"{layer['name']}.kernel"]
        part = {
            "kernel": kernel.reshape(window, kernel.shape[0] // window, -1),
            "bias": own[f"{layer['name']}.bias"],
        }
        x = _convolution({**layer, "type": "conv1d", "kernel_size": window}, part, x)
    return x.max(1)


_LAYERS: dict[str, Callable[..., Array]] = {
    **{f"conv{rank}d": _convolution for rank in (1, 2, 3)},
    "depthwise_conv2d": _convolution,
    "conv_transpose2d": _transposed,
    **{f"{kind}_pool{rank}d": _pool for kind in ("max", "mean") for rank in (1, 2, 3)},
    "global_mean_pool": lambda keys, own, x: x.mean(tuple(range(1, x.ndim - 1))),
    "up_sampling2d": _upsampling,
    "flatten": lambda keys, own, x: x.reshape(x.shape[0], -1),
    "scan_window": _scan,
    "dense": _dense,
    **dict.fromkeys(("rnn", "lstm", "gru"), recurrence),
    "recurrent": user_cell,
    "attention": _attention,
    **{name: lambda keys, own, x: _ACTIVATIONS[keys["type"]](x) for name in _ACTIVATIONS if name != "linear"},
    "add": lambda keys, own, a, b: a + b,
    "concat": lambda keys, own, *given: jnp.concatenate(given, -1),
}
