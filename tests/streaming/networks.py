"""Draws networks that can be computed step by step: recurrences, causal convolutions and pools, windows, and what is
computed within a step."""

from __future__ import annotations

from random import Random
from typing import Any

Layer = dict[str, Any]


def drawn(number: int) -> dict[str, Any]:
    """The spec of a number, in float64."""
    random = Random(number)
    layers: list[Layer] = []
    channels = random.choice((1, 2, 3))
    x = {"shape": ["N", "T", channels], "dtype": "float64"}
    for position in range(random.randint(2, 6)):
        layers += _block(random, f"l{position}")
    last = layers[-1]["name"]
    if random.random() < 0.3:
        kind = random.choice(("rnn", "lstm", "gru"))
        layers.append({"name": "answer", "type": kind, "units": 3, "return_sequences": False})
        last = "answer"
    return {
        "netwright": 1,
        "model": "stream",
        "dims": {"N": "batch", "T": {"role": "time", "min": 400}},
        "inputs": {"x": x},
        "layers": layers,
        "outputs": {"y": last},
    }


def _block(random: Random, name: str) -> list[Layer]:
    kind = random.choice(_BLOCKS)
    return kind(random, name)


def _recurrence(random: Random, name: str) -> list[Layer]:
    layer: Layer = {
        "name": name,
        "type": random.choice(("rnn", "lstm", "gru")),
        "units": random.choice((1, 3, 4)),
    }
    if random.random() < 0.3:
        layer["layers"] = 2
    if random.random() < 0.3:
        layer["initial_state"] = "learned"
    return [layer]


def _causal(random: Random, name: str) -> list[Layer]:
    layer: Layer = {
        "name": name,
        "type": "conv1d",
        "filters": random.choice((2, 3, 4)),
        "kernel_size": random.choice((1, 2, 3, 5)),
        "padding": random.choice(("causal", "causal", "valid")),
        "activation": random.choice(("relu", "tanh", "linear")),
    }
    layer[random.choice(("dilation", "stride"))] = random.choice((1, 1, 2, 3))
    return [layer]


def _pool(random: Random, name: str) -> list[Layer]:
    size = random.choice((2, 3))
    layer: Layer = {"name": name, "type": random.choice(("max_pool1d", "mean_pool1d")), "pool_size": size}
    if random.random() < 0.5:
        return [{**layer, "stride": 1, "padding": "causal"}]
    return [{**layer, "rounding": "floor", "padding": random.choice(("valid", "causal"))}]


def _window(random: Random, name: str) -> list[Layer]:
    inside = [
        {"name": "f", "type": "flatten"},
        {"name": "d", "type": "dense", "units": 3, "activation": "tanh"},
    ]
    window, stride = random.choice(((3, 1), (4, 2), (5, 1))), None
    return [
        {
            "name": name,
            "type": "scan_window",
            "window": window[0],
            "stride": stride or window[1],
            "layers": inside,
        }
    ]


def _within(random: Random, name: str) -> list[Layer]:
    return [
        {
            "name": name,
            **random.choice(
                (
                    {"type": "dense", "units": 4, "activation": "sigmoid"},
                    {"type": "layer_norm"},
                    {"type": "softmax"},
                    {"type": "batch_norm"},
                    {"type": "expression", "value": "x * abs(x) + 0.5"},
                    {"type": "cumulative_sum"},
                    {"type": "up_sampling1d", "size": 2},
                )
            ),
        }
    ]


def _residual(random: Random, name: str) -> list[Layer]:
    before = f"{name}a"
    return [
        {"name": before, "type": "dense", "units": 3},
        {"name": f"{name}b", "type": "conv1d", "filters": 3, "kernel_size": 3, "padding": "causal"},
        {"name": name, "type": "add", "inputs": [before, f"{name}b"]},
    ]


_BLOCKS = (_recurrence, _recurrence, _causal, _causal, _pool, _window, _within, _residual)
