"""Attention against NumPy and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ..frontend.helpers import codes
from .harness import check_gradients, drawn_weights, network, spec, values

RNG = np.random.default_rng(3)
Q, K, V = (RNG.normal(size=shape) for shape in ((2, 4, 3), (2, 5, 3), (2, 5, 2)))
THREE = {"q": "[N, T, 3]", "k": "[N, 5, 3]", "v": "[N, 5, 2]"}


def softmax(x: NDArray) -> NDArray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attended(
    q: NDArray, k: NDArray, v: NDArray, scale: float, seen: NDArray | bool = True
) -> tuple[NDArray, NDArray]:
    weights = softmax(np.where(seen, scale * q @ k.swapaxes(-1, -2), -np.inf))
    return weights @ v, weights


@pytest.mark.parametrize(
    ("keys", "scale", "causal"),
    [("", 3**-0.5, False), (", scale: 0.7", 0.7, False), (", causal: true", 3**-0.5, True)],
)
def test_attention_by_its_formula(keys: str, scale: float, causal: bool) -> None:
    text = spec(f"[{{name: y, type: attention, inputs: [q, k, v]{keys}}}]", **THREE)
    text = text.replace("{y: y}", "{y: y, w: y.weights}")
    found = values(text, q=Q, k=K, v=V)
    y, weights = attended(Q, K, V, scale, np.tri(4, 5, dtype=bool) if causal else True)
    np.testing.assert_allclose(found["y"], y, rtol=1e-10)
    np.testing.assert_allclose(found["w"], weights, rtol=1e-10, atol=1e-300)


def test_of_one_and_of_two_inputs() -> None:
    text = spec("[{name: y, type: attention, inputs: [q]}]", q="[N, T, 3]")
    np.testing.assert_allclose(values(text, q=Q)["y"], attended(Q, Q, Q, 3**-0.5)[0], rtol=1e-10)
    text = spec("[{name: y, type: attention, inputs: [q, k]}]", q="[N, T, 3]", k="[N, 5, 3]")
    np.testing.assert_allclose(values(text, q=Q, k=K)["y"], attended(Q, K, K, 3**-0.5)[0], rtol=1e-10)


def test_keys_past_the_end_are_not_looked_at() -> None:
    layers = "[{name: y, type: attention, inputs: [q, k]}, {name: z, type: global_mean_pool}]"
    text = spec(layers, q="[N, T, 3]", k="[N, S, 3]", n="[N] int64", m="[N] int64")
    text = text.replace("T: {role", "S: time, T: {role").replace("{y: y}", "{y: y, z: z}")
    text = text.replace("k: {shape: [N, S, 3]", "k: {lengths: n, shape: [N, S, 3]")
    text = text.replace("q: {shape: [N, T, 3]", "q: {lengths: m, shape: [N, T, 3]")
    spoiled = K.copy()
    spoiled[0, 3:] = np.nan
    found = values(text, q=Q, k=spoiled, n=[3, 5], m=[4, 2])
    seen = np.arange(5) < np.array([3, 5])[:, None, None]
    y, _ = attended(Q, K, K, 3**-0.5, seen)
    np.testing.assert_allclose(found["y"], y, rtol=1e-10)
    # The query's lengths go on: the mean is over its valid steps.
    np.testing.assert_allclose(found["z"], [y[0].mean(0), y[1, :2].mean(0)], rtol=1e-10)
    empty = values(text, q=Q, k=spoiled, n=[0, 5], m=[4, 2])
    np.testing.assert_array_equal(empty["y"][0], 0)


def heads(x: NDArray, w: dict[str, NDArray], name: str, count: int) -> NDArray:
    y = x @ w[f"{name}_kernel"] + w.get(f"{name}_bias", 0)
    return y.reshape(*y.shape[:2], count, -1).swapaxes(1, 2)


@pytest.mark.parametrize("keys", ["", ", value_dim: 3, units: 6", ", causal: true", ", use_bias: false"])
def test_multi_head_attention_by_its_formula(keys: str) -> None:
    layer = f"{{name: y, type: multi_head_attention, inputs: [q, k, v], num_heads: 2, key_dim: 4{keys}}}"
    text = spec(f"[{layer}]", **THREE).replace("{y: y}", "{y: y, w: y.weights}")
    weights = drawn_weights(network(text))
    w = {name.removeprefix("y."): one for name, one in weights.items()}
    assert w["value_kernel"].shape == (2, 6 if "value_dim" in keys else 8)
    y, attention = attended(
        *(heads(x, w, name, 2) for x, name in ((Q, "query"), (K, "key"), (V, "value"))),
        0.5,
        np.tri(4, 5, dtype=bool) if "causal" in keys else True,
    )
    y = y.swapaxes(1, 2).reshape(2, 4, -1) @ w["output_kernel"] + w.get("output_bias", 0)
    found = values(text, weights, q=Q, k=K, v=V)
    np.testing.assert_allclose(found["y"], y, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["w"], attention, rtol=1e-9, atol=1e-300)
    assert found["y"].shape[-1] == (6 if "units" in keys else 3)


def test_gradients() -> None:
    shapes = {name: shape.replace("N", "1").replace("T", "4") for name, shape in THREE.items()}
    arrays = {"q": Q[:1], "k": K[:1], "v": V[:1]}
    check_gradients(spec("[{name: y, type: attention, inputs: [q, k, v], causal: true}]", **shapes), **arrays)
    layer = "{name: y, type: multi_head_attention, inputs: [q, k, v], num_heads: 2, key_dim: 2, units: 1}"
    check_gradients(spec(f"[{layer}]", **shapes), tolerance=1e-5, **arrays)


@pytest.mark.parametrize(
    ("layer", "shapes", "code"),
    [
        ("type: attention, inputs: [q, k]", {"q": "[N, T, 3]", "k": "[N, 5, 2]"}, "NW0308"),
        ("type: attention, inputs: [q, k]", {"q": "[N, T, 3]", "k": "[4, 5, 3]"}, "NW0308"),
        (
            "type: attention, inputs: [q, k, v]",
            {"q": "[N, T, 3]", "k": "[N, 5, 3]", "v": "[N, 6, 3]"},
            "NW0308",
        ),
        ("type: attention, inputs: [q]", {"q": "[N, 3]"}, "NW0309"),
        ("type: attention, inputs: [q, q, q, q]", {"q": "[N, T, 3]"}, "NW0306"),
        ("type: multi_head_attention, inputs: [q]", {"q": "[N, T, 3]"}, "NW0202"),
        ("type: multi_head_attention, inputs: [q], heads: 2, key_dim: 3", {"q": "[N, T, 3]"}, "NW0201"),
        ("type: MultiheadAttention, inputs: [q], num_heads: 2, key_dim: 3", {"q": "[N, T, 3]"}, "NW0206"),
    ],
)
def test_what_is_wrong(layer: str, shapes: dict[str, str], code: str) -> None:
    assert codes(spec(f"[{{name: y, {layer}}}]", **shapes))[0] == code


@pytest.mark.torch
def test_they_are_those_of_pytorch() -> None:
    import torch

    functional: Any = torch.nn.functional
    for causal in (False, True):
        layer = f"{{name: y, type: attention, inputs: [q, k, v], causal: {str(causal).lower()}}}"
        expected = functional.scaled_dot_product_attention(
            *map(torch.tensor, (Q, K, V)), is_causal=causal
        ).numpy()
        found = values(spec(f"[{layer}]", **THREE), q=Q, k=K, v=V)["y"]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    x = RNG.normal(size=(2, 5, 6))
    text = spec("[{name: y, type: multi_head_attention, num_heads: 3, key_dim: 2}]", x="[N, T, 6]")
    weights = drawn_weights(network(text))
    theirs = torch.nn.MultiheadAttention(6, 3, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(
            torch.tensor(np.concatenate([weights[f"y.{n}_kernel"].T for n in ("query", "key", "value")]))
        )
        theirs.in_proj_bias.copy_(
            torch.tensor(np.concatenate([weights[f"y.{n}_bias"] for n in ("query", "key", "value")]))
        )
        theirs.out_proj.weight.copy_(torch.tensor(weights["y.output_kernel"].T))
        theirs.out_proj.bias.copy_(torch.tensor(weights["y.output_bias"]))
        expected = theirs(*[torch.tensor(x)] * 3)[0].numpy()
    np.testing.assert_allclose(values(text, weights, x=x)["y"], expected, rtol=1e-9, atol=1e-12)
