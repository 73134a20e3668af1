"""Frozen parameters: no gradient, no optimizer state, no update; batch norm by its running statistics."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.frontend.network import Network
from netwright.compiler.frontend.patterns import matched
from netwright.compiler.pipeline import eliminate_dead

from .helpers import codes, diagnosed, network, run

RNG = np.random.default_rng(4)
BODY = """
dims: {N: batch}
inputs: {x: {shape: [N, 4], dtype: float64}}
layers:
  - {name: a, type: dense, units: 5OPTIONS}
  - {name: norm, type: batch_norm}
  - {name: b, type: dense, units: 6}
  - {name: c, type: dense, units: 3}
outputs: {y: c}
train:
  data: {train: t.npz}
  loss: {type: mse, output: y, target: t}
  optimizer: {type: adam, learning_rate: 0.1}
"""
ARRAYS = {"x": RNG.normal(size=(7, 4)), "t": RNG.normal(size=(7, 3))}


def spec(freeze: str = "[]", options: str = "") -> str:
    return f"{BODY.replace('OPTIONS', options)}  freeze: {freeze}\n"


def products(net: Network) -> int:
    """How many matrix products a training step computes."""
    return sum(node.op == "dot" for node in eliminate_dead(net.graphs["train_step"]))


def changed(net: Network) -> set[str]:
    """The parameters and statistics that a training step writes, all of which it changes."""
    written = run(net, "train_step", **ARRAYS)
    old = {name: parameter.initial_value(net.seed) for name, parameter in net.parameters.items()}
    names = written.keys() & old.keys()
    assert all(not np.array_equal(written[name], old[name]) for name in names)
    return names


def test_everything_is_trained_without_the_keys() -> None:
    net = network(spec())
    assert changed(net) == net.parameters.keys()
    assert not any(parameter.frozen for parameter in net.parameters.values())


def test_frozen_layers_have_neither_updates_nor_states_nor_products() -> None:
    whole, part = network(spec()), network(spec("[a, norm, b.kernel]"))
    assert changed(part) == {"b.bias", "c.kernel", "c.bias"}
    assert {name for name in part.states if name.startswith("optimizer.m.")} == {
        "optimizer.m.b.bias",
        "optimizer.m.c.kernel",
        "optimizer.m.c.bias",
    }
    # Forward 3; backward: c.kernel and c's input. The gradients of a.kernel, b.kernel and b's input are not computed.
    assert (products(whole), products(part)) == (3 + 5, 3 + 2)
    graph = part.graphs["train_step"]
    assert not any(name.startswith("optimizer.") and ".a." in name for name in graph.inputs)


def test_a_frozen_layer_passes_gradients_on() -> None:
    """What lies below a frozen layer is trained as before."""
    whole, part = (run(network(spec(text)), "train_step", **ARRAYS) for text in ("[]", "[b, c]"))
    np.testing.assert_array_equal(part["a.kernel"], whole["a.kernel"])
    assert "b.kernel" not in part


@pytest.mark.parametrize("written", ["[norm]", "['norm.*']", "[norm.variance]"])
def test_a_frozen_batch_norm_runs_as_in_prediction(written: str) -> None:
    net = network(spec(written))
    rng = np.random.default_rng(5)
    values = {"norm.mean": rng.normal(size=5), "norm.variance": rng.uniform(1, 2, size=5)}
    stepped = run(net, "train_step", values, **ARRAYS)
    assert not stepped.keys() & {"norm.mean", "norm.variance"}
    measured = run(net, "loss", values, **ARRAYS)
    assert stepped["loss.numerator"] == pytest.approx(measured["loss.numerator"], rel=1e-12)


def test_gamma_alone_leaves_the_statistics_of_the_batch() -> None:
    net = network(spec("['*.gamma']"))
    assert changed(net) == net.parameters.keys() - {"norm.gamma"}


def test_trainable_is_the_same_as_a_pattern() -> None:
    by_key, by_pattern = network(spec(options=", trainable: false")), network(spec("[a]"))
    assert changed(by_key) == changed(by_pattern)
    assert by_key.states.keys() == by_pattern.states.keys()


def test_a_pattern_matches_parameters_layers_and_blocks() -> None:
    for pattern in ("enc", "enc.0", "enc.*", "*.kernel", "enc.?.kernel", "enc.0.kernel", "e*"):
        assert matched("enc.0.kernel", [pattern]), pattern
    for pattern in ("kernel", "en", "enc.1", "*.bias", "nc.*"):
        assert not matched("enc.0.kernel", [pattern]), pattern


BLOCKS = """
dims: {N: batch}
inputs: {x: {shape: [N, 4]}}
blocks:
  body: {layers: [{name: h, type: dense, units: 4}, {name: act, type: tanh}]}
layers:
  - {name: one, use: body, trainable: false, repeat: 2}
  - {name: two, use: body}
  - {name: steps, type: reshape, shape: [N, 2, 2]}
  - {name: each, type: time_distributed, trainable: false, layer: {type: dense, units: 2}}
  - {name: flat, type: flatten}
outputs: {y: flat}
train:
  data: {train: t.npz}
  loss: {type: mse, output: y, target: t}
"""


def test_blocks_and_wrappers_freeze_what_they_contain() -> None:
    net = network(BLOCKS)
    frozen = {name for name, parameter in net.parameters.items() if parameter.frozen}
    assert frozen == {
        f"{name}.{end}" for name in ("one.0.h", "one.1.h", "each.layer") for end in ("kernel", "bias")
    }


def test_what_is_shared_is_frozen_by_its_owner() -> None:
    text = spec().replace(
        "{name: b, type: dense, units: 6}", "{name: b, type: dense, units: 5, share: b0, OWN}"
    )
    text = text.replace("  - {name: b,", "  - {name: b0, type: dense, units: 5, OTHER}\n  - {name: b,")
    frozen, both = "trainable: false", text.replace("OTHER", "trainable: false")
    assert codes(text.replace("OWN", frozen).replace("OTHER", "use_bias: true")) == ["NW0212"]
    for own in (frozen, "use_bias: true"):
        net = network(both.replace("OWN", own))
        assert net.parameters["b0.kernel"].frozen


def test_mistakes_are_told() -> None:
    (error,) = diagnosed(spec("[a, '*.krenel']"))
    assert (error.code, error.help) == ("NW0412", "did you mean *.kernel?")
    assert codes(spec("[a, norm, b, c]")) == ["NW0409"]
    text = spec().replace("{name: norm, type: batch_norm}", "{name: norm, type: tanh, trainable: false}")
    (error,) = diagnosed(text)
    assert (error.code, error.message) == ("NW0212", "tanh has no parameters to freeze")
