"""Parameters that other layers compute."""

from __future__ import annotations

import numpy as np

from ..frontend.helpers import codes
from .harness import check_gradients, network, spec, values

RNG = np.random.default_rng(2)
X, KERNEL = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 4))


def test_a_kernel_that_is_an_input() -> None:
    text = spec(
        "[{name: y, type: dense, units: 4, use_bias: false, inputs: [x], weights: {kernel: k}}]",
        x="[N, 3]",
        k="[3, 4]",
    )
    np.testing.assert_allclose(values(text, x=X, k=KERNEL)["y"], X @ KERNEL)
    assert not network(text).parameters
    check_gradients(text, x=X, k=KERNEL)


def test_the_other_parameters_stay_learned() -> None:
    text = spec(
        "[{name: y, type: dense, units: 4, inputs: [x], weights: {kernel: k}}]", x="[N, 3]", k="[3, 4]"
    )
    assert list(network(text).parameters) == ["y.bias"]


def test_recurrent_weights_in_one_direction() -> None:
    sequence, kernel = RNG.normal(size=(2, 5, 3)), RNG.normal(size=(3, 4))
    keys = "units: 4, use_bias: false, bidirectional: true, weights: {forward.kernel: k}"
    text = spec(f"[{{name: y, type: rnn, inputs: [x], {keys}}}]", x="[N, T, 3]", k="[3, 4]")
    assert "y.forward.kernel" not in network(text).parameters
    weights = {name: RNG.normal(size=one.type.shape) for name, one in network(text).parameters.items()}
    check_gradients(text, weights, x=sequence, k=kernel)


def test_what_does_not_fit() -> None:
    layer = "[{{name: y, type: dense, units: 4, inputs: [x], weights: {{{0}: k}}}}]"
    assert codes(spec(layer.format("kernel"), x="[N, 3]", k="[4, 3]")) == ["NW0308"]
    assert codes(spec(layer.format("kernels"), x="[N, 3]", k="[3, 4]")) == ["NW0312"]
