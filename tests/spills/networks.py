"""The networks whose kernels are looked at: LeNet-5, ResNet-8 and two LSTM layers, each with a training step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from netwright.compiler.frontend.build import build_network
from netwright.compiler.frontend.network import Network
from netwright.specs.load import load_spec

from ..engines.harness import network_of

_LENET = Path(__file__).parents[2] / "examples" / "lenet" / "lenet.yaml"


def lenet() -> Network:
    network, diagnostics = build_network(load_spec(_LENET))
    assert network is not None, diagnostics.to_text()
    return network


def resnet8() -> Network:
    """Three blocks of two convolutions with a shortcut, on images of 32×32."""
    layers = _convolution("stem", "image", 16, 1, "relu")
    below = "stem"
    for number, (filters, stride) in enumerate(((16, 1), (32, 2), (64, 2)), 1):
        block = f"b{number}"
        layers += _convolution(f"{block}_1", below, filters, stride, "relu")
        layers += _convolution(f"{block}_2", f"{block}_1", filters, 1, None)
        if stride > 1:
            shortcut = {"filters": filters, "kernel_size": 1, "stride": stride, "padding": "same"}
            layers.append({"name": f"{block}_s", "type": "conv2d", "inputs": [below], **shortcut})
            below = f"{block}_s"
        layers.append({"name": f"{block}_sum", "type": "add", "inputs": [f"{block}_2", below]})
        layers.append({"name": block, "type": "relu"})
        below = block
    layers += [
        {"name": "mean", "type": "global_mean_pool"},
        {"name": "logits", "type": "dense", "units": 10},
    ]
    return network_of(_classifier("resnet8", {"image": {"shape": ["N", 32, 32, 3]}}, layers))


def lstm(units: int = 128) -> Network:
    """Two layers over sequences of 40 features."""
    layers = [
        {"name": "lower", "type": "lstm", "units": units},
        {"name": "upper", "type": "lstm", "units": units, "return_sequences": False},
        {"name": "logits", "type": "dense", "units": 10},
    ]
    return network_of(_classifier("lstm", {"x": {"shape": ["N", "T", 40]}}, layers))


NETWORKS = {"lenet": lenet, "resnet8": resnet8, "lstm": lstm}


def _convolution(
    name: str, below: str, filters: int, stride: int, activation: str | None
) -> list[dict[str, Any]]:
    """A 3×3 convolution, batch norm, and an activation; the last of them has the name."""
    conv = {"filters": filters, "kernel_size": 3, "stride": stride, "padding": "same", "use_bias": False}
    norm = name if activation is None else f"{name}_bn"
    layers: list[dict[str, Any]] = [
        {"name": f"{name}_conv", "type": "conv2d", "inputs": [below], **conv},
        {"name": norm, "type": "batch_norm"},
    ]
    return layers if activation is None else [*layers, {"name": name, "type": activation}]


def _classifier(model: str, inputs: dict[str, Any], layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "netwright": 1,
        "model": model,
        "dims": {"N": "batch", **({"T": "time"} if "x" in inputs else {})},
        "inputs": inputs,
        "layers": layers,
        "outputs": {"logits": "logits"},
        "train": {
            "data": {"train": "none.npz"},
            "targets": {"label": {"shape": ["N"], "dtype": "int64"}},
            "loss": {"type": "softmax_cross_entropy", "output": "logits", "target": "label"},
            "optimizer": {"type": "sgd", "learning_rate": 0.01, "momentum": 0.9},
        },
    }
