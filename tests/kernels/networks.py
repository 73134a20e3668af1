"""Small networks whose kernels are looked at as text: what is fused, how tiles are cut, where buffers lie."""

from __future__ import annotations

from typing import Any

IMAGE = {"x": {"shape": ["N", 12, 12, 16]}}
SEQUENCE = {"x": {"shape": ["N", "T", 8]}}


def network(inputs: dict[str, Any], *layers: dict[str, Any], **train: Any) -> dict[str, Any]:
    """A spec of layers, the last of which is the output; with keys of a train section it is trained on that."""
    spec: dict[str, Any] = {
        "netwright": 1,
        "model": "m",
        "math": "strict",
        "dims": {"N": "batch", "T": "time"} if "T" in inputs["x"]["shape"] else {"N": "batch"},
        "inputs": inputs,
        "layers": [{"name": f"l{number}", **layer} for number, layer in enumerate(layers, 1)],
        "outputs": {"y": f"l{len(layers)}"},
    }
    if train:
        spec["train"] = {
            "data": {"train": "none.npz"},
            "loss": {"type": "mse", "output": "y", "target": "t"},
            **train,
        }
    return spec


def targets(*shape: Any) -> dict[str, Any]:
    return {"t": {"shape": list(shape), "dtype": "float32"}}


SGD = {"type": "sgd", "learning_rate": 0.1}
CONV = {"type": "conv2d", "filters": 32, "kernel_size": 3, "padding": "same"}

#: By name: the spec, the entry to look at, and the machines to lower for.
CASES: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "dense": (
        network({"x": {"shape": ["N", 64]}}, {"type": "dense", "units": 32, "activation": "relu"}),
        "predict",
        ("avx512", "avx2", "neon"),
    ),
    "dense_few_units": (
        network({"x": {"shape": ["N", 64]}}, {"type": "dense", "units": 3}),
        "predict",
        ("avx512", "avx2", "neon"),
    ),
    "conv_activation_pool": (
        network(IMAGE, {**CONV, "activation": "relu"}, {"type": "max_pool2d", "pool_size": 2}),
        "predict",
        ("avx512", "avx2", "neon"),
    ),
    "fast_conv_pool": (
        {
            **network(
                {"x": {"shape": ["N", 14, 14, 32]}},
                {**CONV, "activation": "relu"},
                {"type": "max_pool2d", "pool_size": 2},
            ),
            "math": "fast",
        },
        "predict",
        ("avx512",),
    ),
    "depthwise": (
        network(IMAGE, {"type": "depthwise_conv2d", "kernel_size": 3, "padding": "same"}),
        "predict",
        ("avx512", "avx2", "neon"),
    ),
    "pointwise": (
        network(IMAGE, {"type": "conv2d", "filters": 32, "kernel_size": 1}),
        "predict",
        ("avx512", "avx2", "neon"),
    ),
    "batch_norm": (
        network(IMAGE, {**CONV, "use_bias": False}, {"type": "batch_norm"}, {"type": "relu"}),
        "predict",
        ("avx512", "avx2"),
    ),
    "residual": (
        network(IMAGE, {**CONV, "filters": 16}, {"type": "add", "inputs": ["x", "l1"]}, {"type": "relu"}),
        "predict",
        ("avx512", "neon"),
    ),
    "softmax": (
        network({"x": {"shape": ["N", 24]}}, {"type": "softmax"}),
        "predict",
        ("avx512", "avx2", "neon"),
    ),
    "global_pool": (network(IMAGE, {"type": "global_mean_pool"}), "predict", ("avx512", "avx2")),
    "lstm": (network(SEQUENCE, {"type": "lstm", "units": 16}), "predict", ("avx512", "avx2", "neon")),
    "gru": (network(SEQUENCE, {"type": "gru", "units": 16}), "predict", ("avx512", "avx2", "neon")),
    "concat": (
        network(
            {"x": {"shape": ["N", 24]}},
            {"type": "dense", "units": 8},
            {"type": "tanh", "inputs": ["x"]},
            {"type": "concat", "inputs": ["l1", "l2"]},
        ),
        "predict",
        ("avx512",),
    ),
    "transposed": (
        network({"x": {"shape": ["N", 48, 24, 32]}}, {"type": "transpose", "permutation": [0, 3, 1, 2]}),
        "predict",
        ("avx512", "neon"),
    ),
    "channels_first": (
        network({"x": {"shape": ["N", 3, 24, 40]}}, {"type": "transpose", "permutation": [0, 2, 3, 1]}),
        "predict",
        ("avx512",),
    ),
    "channels_last": (
        network({"x": {"shape": ["N", 24, 40, 3]}}, {"type": "transpose", "permutation": [0, 3, 1, 2]}),
        "predict",
        ("avx512",),
    ),
    "dense_gradients": (
        network(
            {"x": {"shape": ["N", 64]}},
            {"type": "dense", "units": 32, "activation": "relu"},
            {"type": "dense", "units": 16},
            targets=targets("N", 16),
            optimizer=SGD,
        ),
        "train_step",
        ("avx512", "avx2", "neon"),
    ),
    "conv_gradients": (
        network(
            {"x": {"shape": ["N", 8, 8, 8]}},
            {**CONV, "filters": 16, "activation": "relu"},
            {"type": "max_pool2d", "pool_size": 2},
            {**CONV, "filters": 16},
            targets=targets("N", 4, 4, 16),
            optimizer=SGD,
        ),
        "train_step",
        ("avx512", "avx2"),
    ),
    "lstm_gradients": (
        network(SEQUENCE, {"type": "lstm", "units": 16}, targets=targets("N", "T", 16), optimizer=SGD),
        "train_step",
        ("avx512", "avx2"),
    ),
    "adam": (
        network(
            {"x": {"shape": ["N", 8]}},
            {"type": "dense", "units": 16},
            targets=targets("N", 16),
            optimizer={"type": "adam", "learning_rate": 0.001},
        ),
        "train_step",
        ("avx512", "neon"),
    ),
}
