"""Specs as text to networks and numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.compiler.frontend.build import build_network
from netwright.compiler.frontend.network import Network, initial_states, initial_values
from netwright.compiler.interpreter import bind_dims, evaluate
from netwright.specs.diagnostics.diagnostic import Diagnostic
from netwright.specs.load import load_spec_text

HEAD = "netwright: 1\nmodel: m\n"


def network(text: str) -> Network:
    """The network of a spec that has no errors (its head may be left out)."""
    found, diagnostics = build_network(load_spec_text(text if text.startswith("netwright") else HEAD + text))
    assert found is not None, diagnostics.to_text()
    return found


def diagnosed(text: str) -> list[Diagnostic]:
    """What is said of a spec (its head may be left out), in the order of the places."""
    _, diagnostics = build_network(load_spec_text(text if text.startswith("netwright") else HEAD + text))
    return list(diagnostics)


def codes(text: str) -> list[str]:
    """The codes of a spec's diagnostics, in the order of their places."""
    return [item.code for item in diagnosed(text)]


def run(
    net: Network, entry: str = "predict", values: Mapping[str, ArrayLike] | None = None, **arrays: ArrayLike
) -> dict[str, NDArray]:
    """One entry in the interpreter; what is not given has its first value. ``values`` have dotted names."""
    graph = net.graphs[entry]
    types = {**net.inputs, **net.targets}
    given = {name: np.asarray(array, types[name].dtype) for name, array in arrays.items()}
    dims = bind_dims(graph, {name: array.shape for name, array in given.items()})
    everything = {**initial_states(net, dims), **initial_values(net), **given}
    for name, value in (values or {}).items():
        everything[name] = np.asarray(value, everything[name].dtype)
    return evaluate(graph, {name: everything[name] for name in graph.inputs}, dims)


def drawn_weights(net: Network, seed: int = 1) -> dict[str, NDArray]:
    """Random values for all parameters."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(size=own.type.shape).astype(own.type.dtype)  # pyright: ignore
        for name, own in net.parameters.items()
    }


def check_slopes(
    net: Network, start: Mapping[str, NDArray], arrays: Mapping[str, ArrayLike], tolerance: float
) -> None:
    """The update of plain SGD with a rate of 1 against central differences of the mean loss."""
    after = run(net, "train_step", start, **arrays)

    def loss(values: Mapping[str, NDArray]) -> float:
        results = run(net, "loss", values, **arrays)
        return float(results["loss.numerator"] / results["loss.count"])

    for name, value in start.items():
        slopes = np.zeros_like(value)
        for at in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[at] = 1e-6
            slopes[at] = (loss({**start, name: value + step}) - loss({**start, name: value - step})) / 2e-6
        np.testing.assert_allclose(value - after[name], slopes, rtol=1e-6, atol=tolerance, err_msg=name)


def warnings(text: str) -> list[Diagnostic]:
    """The warnings of a spec (its head may be left out)."""
    return [item for item in diagnosed(text) if item.severity == "warning"]
