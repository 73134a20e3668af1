"""Layers at each step: the same as taking the steps apart by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ..frontend.helpers import codes
from .harness import check_gradients, drawn_weights, network, spec, values

RNG = np.random.default_rng(6)
FRAMES = RNG.normal(size=(2, 4, 5, 4, 2))
CONV = "{type: conv2d, filters: 3, kernel_size: 2, activation: relu}"


def test_a_convolution_of_each_frame() -> None:
    text = spec(f"[{{name: y, type: time_distributed, layer: {CONV}}}]", x="[N, T, 5, 4, 2]")
    assert str(network(text).outputs["y"].type) == "float64[N, T, 4, 3, 3]"
    weights = drawn_weights(network(text))
    assert set(weights) == {"y.layer.kernel", "y.layer.bias"}
    alone = spec("[{name: y, " + CONV[1:] + "]", x="[N, 5, 4, 2]")
    found = values(text, weights, x=FRAMES)["y"]
    own = {name.replace("layer.", ""): one for name, one in weights.items()}
    for t in range(4):
        np.testing.assert_allclose(found[:, t], values(alone, own, x=FRAMES[:, t])["y"], rtol=1e-12)


def test_a_network_of_each_frame_under_a_recurrence() -> None:
    layers = """
  - name: look
    type: time_distributed
    layers:
      - {name: conv, type: conv2d, filters: 2, kernel_size: 2}
      - {name: pool, type: max_pool2d, pool_size: 2}
      - {name: flat, type: flatten}
      - {name: skip, type: dense, units: 2, inputs: [flat]}
      - {name: sum, type: concat, inputs: [flat, skip]}
  - {name: y, type: gru, units: 2, return_sequences: false}
"""
    text = spec(layers, x="[N, T, 5, 4, 2]")
    weights = drawn_weights(network(text))
    by_hand = """
  - {name: conv, type: conv3d, filters: 2, kernel_size: [1, 2, 2]}
  - {name: pool, type: max_pool3d, pool_size: [1, 2, 2]}
  - {name: flat, type: flatten, start_axis: 2}
  - {name: skip, type: dense, units: 2}
  - {name: sum, type: concat, inputs: [flat, skip]}
  - {name: y, type: gru, units: 2, return_sequences: false}
"""
    own = {name.removeprefix("look."): one for name, one in weights.items()}
    own["conv.kernel"] = own["conv.kernel"][None]
    expected = values(spec(by_hand, x="[N, T, 5, 4, 2]"), own, x=FRAMES)["y"]
    np.testing.assert_allclose(values(text, weights, x=FRAMES)["y"], expected, rtol=1e-11)
    check_gradients(text.replace("T, 5", "4, 5"), weights, ["look.conv.kernel", "look.skip.kernel"], x=FRAMES)


def test_a_dense_layer_is_the_same_without() -> None:
    text = spec("[{name: y, type: time_distributed, layer: {type: dense, units: 2}}]", x="[N, T, 3]")
    weights = drawn_weights(network(text))
    x = RNG.normal(size=(2, 4, 3))
    expected = x @ weights["y.layer.kernel"] + weights["y.layer.bias"]
    np.testing.assert_allclose(values(text, weights, x=x)["y"], expected, rtol=1e-11)


def test_a_block_with_arguments_and_shared_parameters() -> None:
    text = spec(
        """
  - {name: a, type: time_distributed, inputs: [x], use: small, with: {n: 3}}
  - {name: b, type: time_distributed, inputs: [x], use: small, with: {n: 3}, share: a}
  - {name: y, type: add, inputs: [a, b]}
""",
        x="[N, T, 4, 2]",
    ).replace(
        "layers:",
        "blocks: {small: {args: {n: int}, layers: [{name: c, type: conv1d, filters: $n, kernel_size: 3}]}}\nlayers:",
        1,
    )
    weights = drawn_weights(network(text))
    assert set(weights) == {"a.net.c.kernel", "a.net.c.bias"}
    x = RNG.normal(size=(2, 5, 4, 2))
    taps = np.stack([x[:, :, i : i + 3] for i in range(2)], 2)
    expected = 2 * (np.einsum("ntpkc,kcf->ntpf", taps, weights["a.net.c.kernel"]) + weights["a.net.c.bias"])
    np.testing.assert_allclose(values(text, weights, x=x)["y"], expected, rtol=1e-10)


def with_lengths(layers: str) -> str:
    text = spec(layers, x="[N, T, 4, 2]", n="[N] int64")
    return text.replace("x: {shape", "x: {lengths: n, shape")


def test_lengths_go_on() -> None:
    layers = """
  - {name: look, type: time_distributed, inputs: [x], layer: {type: global_max_pool}}
  - {name: y, type: gru, units: 2, return_sequences: false}
"""
    text = with_lengths(layers)
    weights = drawn_weights(network(text))
    x = RNG.normal(size=(2, 5, 4, 2))
    whole = values(text, weights, x=x, n=[5, 4])["y"]
    short = values(text, weights, x=x[1:, :4], n=[4])["y"]
    np.testing.assert_allclose(whole[1:], short, rtol=1e-12)
    mixed = layers.replace("layer: {type: global_max_pool}", "layer: {type: batch_norm}")
    mixed = mixed.replace("type: gru, units: 2, return_sequences: false", "type: relu")
    assert codes(with_lengths(mixed)) == ["NW0315"]


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("", "NW0212"),
        ("layer: {type: relu}, use: b", "NW0212"),
        ("layer: {type: relu}, with: {a: 1}", "NW0212"),
        ("layer: {type: rleu}", "NW0206"),
        ("layer: {type: conv2d, filters: 2, kernel_size: 3}", "NW0309"),
        ("layer: relu", "NW0203"),
        ("use: b", "NW0801"),
        ("inputs: [x, x], layer: {type: relu}", "NW0306"),
    ],
)
def test_what_is_wrong(keys: str, code: str) -> None:
    written = f", {keys}" if keys else ""
    assert codes(spec(f"[{{name: y, type: time_distributed{written}}}]", x="[N, T, 4, 2]")) == [code]
    assert codes(spec("[{name: y, type: time_distributed, layer: {type: relu}}]", x="[N]")) == ["NW0309"]


def test_steps_and_what_joins_them_stand_alone_too() -> None:
    layers = """
  - {name: each, type: steps, inputs: [x]}
  - {name: last, type: slice, inputs: [each], axes: [1], starts: [-1], stops: [4]}
  - {name: y, type: join_steps, inputs: [last, x]}
"""
    x = RNG.normal(size=(2, 5, 4, 3))
    np.testing.assert_array_equal(values(spec(layers, x="[N, T, 4, 3]"), x=x)["y"], x[:, :, -1:])
    wrong = "[{name: y, type: join_steps, inputs: [x, x]}]"
    assert codes(spec(wrong, x="[N, T, 3]")) == ["NW0308"]


def test_what_is_held_may_be_a_default() -> None:
    text = spec("[{name: a, type: time_distributed}, {name: y, type: time_distributed}]", x="[N, T, 3]")
    defaults = "defaults: {time_distributed: {layer: {type: dense, units: 2}}}\n"
    weights = drawn_weights(network(defaults + text))
    assert {name: one.shape for name, one in weights.items() if "kernel" in name} == {
        "a.layer.kernel": (3, 2),
        "y.layer.kernel": (2, 2),
    }
