"""Networks that are quantized, with weights and data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.frontend.network import Network, initial_values
from netwright.compiler.interpreter import evaluate
from netwright.compiler.machine import Machine
from netwright.compiler.quantization.network import Plan, QuantizedNetwork

from ..engines.harness import network_of
from ..machines import AVX512


def spec(shape: list[Any], *layers: dict[str, Any]) -> dict[str, Any]:
    """A network of layers, the last of which is the output."""
    return {
        "netwright": 1,
        "model": "m",
        "dims": {
            name: role for name, role in (("N", "batch"), ("T", "time"), ("H", "size")) if name in shape
        },
        "inputs": {"x": {"shape": shape}},
        "layers": [{"name": f"l{number}", **layer} for number, layer in enumerate(layers, 1)],
        "outputs": {"y": f"l{len(layers)}"},
    }


def prepared(written: dict[str, Any], seed: int = 0) -> tuple[Network, dict[str, NDArray]]:
    """A network, and weights that differ from their initial values."""
    network, rng = network_of(written), np.random.default_rng(seed)
    weights = initial_values(network)
    for name, array in weights.items():
        noise = 0.1 * rng.normal(size=array.shape)
        weights[name] = (np.abs(array + noise) + 0.1 if "variance" in name else array + noise).astype(
            array.dtype
        )
    return network, weights


def drawn(network: Network, samples: int = 3, size: int = 9) -> NDArray:
    """Data for the input x."""
    sizes = {"N": samples}
    shape = [n if isinstance(n, int) else sizes.get(str(n), size) for n in network.inputs["x"].shape]
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def quantized(
    network: Network, weights: Mapping[str, NDArray], x: NDArray, machine: Machine = AVX512
) -> QuantizedNetwork:
    """The network quantized for the range of the data."""
    plan = Plan(network, weights, machine)
    graph = plan.observed()
    read = {name: weights[name] for name in graph.inputs if name != "x"}
    seen = plan.observations(evaluate(graph, {"x": x, **read}))
    return plan.quantized({key: (float(array.min()), float(array.max())) for key, array in seen.items()})


def predicted(network: Network, weights: Mapping[str, NDArray], x: NDArray) -> NDArray:
    """The output by the NumPy interpreter."""
    graph = network.graphs["predict"]
    return evaluate(graph, {"x": x, **{name: weights[name] for name in graph.inputs if name != "x"}})["y"]
