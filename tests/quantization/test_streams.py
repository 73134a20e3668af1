"""Streams of quantized networks give the bits of their sequences."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from netwright import Model, load
from netwright.build import build
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.frontend.network import Network
from netwright.compiler.interpreter import evaluate
from netwright.compiler.quantization.halves import halved_network
from netwright.compiler.quantization.network import Plan
from netwright.compiler.streaming import with_whole
from netwright.errors import RequestError
from netwright.runtime.sessions.session import Session
from netwright.streams import Streams

from ..streaming.bits import chunks, pushed
from .helpers import drawn, prepared, spec

STEPS = 40
LSTM = {"type": "lstm", "units": 6}
CONV = {"type": "conv1d", "filters": 7, "kernel_size": 3, "padding": "causal", "activation": "relu"}
DENSE = {"type": "dense", "units": 3}
NETWORKS: dict[str, tuple[dict[str, Any], ...]] = {
    "lstm": (LSTM, DENSE),
    "gru": ({"type": "gru", "units": 5, "layers": 2, "initial_state": "learned"},),
    "last": ({**LSTM, "return_sequences": False}, DENSE),
    "causal": (CONV, {"type": "rnn", "units": 9}, DENSE),
    "one channel": (CONV, DENSE),
    "one channel, stride": ({**CONV, "kernel_size": 6, "padding": "valid", "stride": 2}, LSTM),
    "stride": ({**CONV, "padding": "valid", "stride": 2}, LSTM),
    "depthwise": (
        {"type": "conv1d", "filters": 5, "kernel_size": 3, "groups": 5, "padding": "causal"},
        {"type": "gru", "units": 8},
    ),
}


def written(*layers: dict[str, Any], lengths: bool, features: int = 5) -> dict[str, Any]:
    found = spec(["N", "T", features], *layers)
    found["dims"]["T"] = {"role": "time", "min": 8}
    if lengths:
        found["inputs"]["x"]["lengths"] = "count"
        found["inputs"]["count"] = {"shape": ["N"], "dtype": "int64"}
    return found


def quantized(model: Model, weights: dict[str, NDArray], given: dict[str, NDArray]) -> Any:
    plan = Plan(with_whole(model.load, model.network), weights, describe(host_target()))
    graph = plan.observed()
    seen = plan.observations(
        evaluate(graph, {name: given[name] if name in given else weights[name] for name in graph.inputs})
    )
    return plan.quantized({key: (float(array.min()), float(array.max())) for key, array in seen.items()})


def check(model: Model, network: Network, weights: dict[str, NDArray], given: dict[str, NDArray]) -> None:
    """The stream's answers in chunks of all sizes are those to whole sequences."""
    streams = Streams(model.load, network, "native", 1, "native")
    engine = build(network, {"predict": network.graphs["predict"]}, host_target()).engine(1)
    session = Session(engine, dict(weights))
    want = session.predict(**given)["y"]
    group = streams.new(session).group
    for sizes in ([group] * (STEPS // group), chunks(STEPS, Random(1)), [STEPS]):
        np.testing.assert_array_equal(pushed(streams.new(session), given["x"], sizes), want)


@pytest.mark.alike(2)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_stream_has_the_bits_of_its_sequence(name: str) -> None:
    described = written(*NETWORKS[name], lengths=False, features=1 if "one channel" in name else 5)
    model = load(described)
    _, weights = prepared(described)
    given = {"x": drawn(model.network, 3, STEPS)}
    made = quantized(model, weights, given)
    assert all(product.bytes is not None for product in made.products)
    check(model, made.network, dict(made.weights), given)


@pytest.mark.parametrize("form", ["int8", "bfloat16"])
def test_in_a_stream_all_steps_count(form: str) -> None:
    """Lengths are those of whole sequences: networks with other weights than the spec's are cut, too."""
    described = written(LSTM, DENSE, lengths=True)
    model = load(described)
    _, weights = prepared(described)
    given = {"x": drawn(model.network, 3, STEPS), "count": np.array([3, STEPS, 11])}
    if form == "int8":
        made = quantized(model, weights, given)
        network, values = made.network, dict(made.weights)
    else:
        whole = with_whole(model.load, model.network)
        network, values = halved_network(whole, weights, describe(host_target()), "bfloat16")
    check(model, network, values, {**given, "count": np.full(3, STEPS)})


def test_a_network_without_the_whole_says_so() -> None:
    described = written(LSTM, lengths=True)
    model = load(described)
    _, weights = prepared(described)
    network, _ = halved_network(model.network, weights, describe(host_target()), "bfloat16")
    with pytest.raises(RequestError, match="for sequences with lengths alone"):
        Streams(model.load, network, "native", 1, "native")
