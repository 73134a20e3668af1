"""The worked numbers of the lecture, in the interpreter."""

import numpy as np

from .helpers import network, run

SIGNAL = np.array([4, 3, 2, -5, 3, 5, 2, 5, 5, 6], float).reshape(1, 10, 1)


def convolved(padding: str) -> np.ndarray:
    net = network(
        f"""
inputs: {{x: {{shape: [1, 10, 1], dtype: float64}}}}
layers:
  - {{name: c, type: conv1d, filters: 1, kernel_size: 3, padding: {padding}, use_bias: false,
      kernel_init: {{type: constant, value: 0.3333333333333333}}}}
outputs: {{y: c}}
"""
    )
    return run(net, x=SIGNAL)["y"][0, :, 0]


def test_a_mean_filter_of_three() -> None:
    np.testing.assert_allclose(convolved("valid"), [3, 0, 0, 1, 10 / 3, 4, 4, 16 / 3], atol=1e-12)


def test_the_same_filter_with_zero_padding() -> None:
    np.testing.assert_allclose(
        convolved("same"), [7 / 3, 3, 0, 0, 1, 10 / 3, 4, 4, 16 / 3, 11 / 3], atol=1e-12
    )


def pooled(kind: str) -> np.ndarray:
    net = network(
        f"""
inputs: {{x: {{shape: [1, 4, 4, 1]}}}}
layers: [{{name: p, type: {kind}, pool_size: 2}}]
outputs: {{y: p}}
"""
    )
    image = np.array([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]])
    return run(net, x=image.reshape(1, 4, 4, 1))["y"][0, :, :, 0]


def test_pools_of_two_by_two() -> None:
    np.testing.assert_array_equal(pooled("max_pool2d"), [[6, 8], [3, 4]])
    np.testing.assert_array_equal(pooled("mean_pool2d"), [[3.25, 5.25], [2, 2]])
