"""Gradients of several batches, averages of weights, and rates by plateaus: what a training step computes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from netwright.compiler.frontend.network import Network, initial_states, initial_values
from netwright.specs.manifest import AVERAGE, GATHERED, SCALE

from .helpers import diagnosed, network, run

RNG = np.random.default_rng(3)
X, T = RNG.normal(size=(12, 5, 3)), RNG.normal(size=(12, 5, 2))
MASK = RNG.integers(0, 2, (12, 5)).astype(np.bool_)


def spec(more: str, mask: str = "", optimizer: str = "{type: sgd, learning_rate: 0.1, momentum: 0.9}") -> str:
    return f"""
dims: {{N: batch, T: time}}
inputs: {{x: {{shape: [N, T, 3], dtype: float64}}}}
layers: [{{name: a, type: dense, units: 4, activation: tanh}}, {{name: b, type: dense, units: 2}}]
outputs: {{y: b}}
train:
  data: {{train: t.npz}}
  targets: {{t: {{shape: [N, T, 2], dtype: float64}}{", counts: {shape: [N, T], dtype: bool}" if mask else ""}}}
  loss: {{type: mse, output: y, target: t{mask}}}
  optimizer: {optimizer}
  {more}
"""


def steps(
    net: Network, batches: list[slice], values: Mapping[str, NDArray] | None = None
) -> dict[str, NDArray]:
    """The parameters and states after a step for each batch."""
    held = {**initial_values(net), **initial_states(net), **(values or {})}
    for rows in batches:
        arrays = {"x": X[rows], "t": T[rows]} | ({"counts": MASK[rows]} if "counts" in net.targets else {})
        results = run(net, "train_step", held, **arrays)
        held |= {name: array for name, array in results.items() if name in held}
    return held


def assert_close(one: Mapping[str, NDArray], other: Mapping[str, NDArray], prefix: str = "") -> None:
    for name in (name for name in one if name in other and not name.startswith("optimizer.")):
        np.testing.assert_allclose(one[name], other[prefix + name], rtol=1e-11, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("optimizer", ["{type: sgd, learning_rate: 0.1, momentum: 0.9}", "adam", "rmsprop"])
@pytest.mark.parametrize("mask", ["", ", mask: counts"])
def test_gathered_batches_are_one_large_batch(optimizer: str, mask: str) -> None:
    """Batches of different sizes, and masks that count different numbers of steps."""
    large = network(spec("clip_norm: 0.5", mask, optimizer))
    small = network(spec("clip_norm: 0.5\n  accumulate: 3", mask, optimizer))
    parts = [slice(0, 5), slice(5, 9), slice(9, 12)]
    one, three = steps(large, [slice(0, 12)] * 2), steps(small, parts * 2)
    assert_close(one, three)
    assert (three["optimizer.updates"], three["optimizer.step"], three[GATHERED]) == (2, 6, 0)
    assert not three["optimizer.g.a.kernel"].any()


def test_steps_within_a_group_change_no_parameter() -> None:
    net = network(spec("accumulate: 3\n  ema: {decay: 0.5}", optimizer="adam"))
    start, end = initial_values(net), steps(net, [slice(0, 4), slice(4, 8)])
    assert_close(start, end)
    assert not any(
        end[name].any() for name in end if name.startswith(("optimizer.m.", "optimizer.v.", AVERAGE))
    )
    assert end[GATHERED] == 2


def test_a_group_can_end_early() -> None:
    """As at the end of an epoch: the loop sets the counter, and what is gathered is divided by what counted."""
    large, small = network(spec("")), network(spec("accumulate: 5"))
    after_one = steps(small, [slice(0, 7)])
    early = steps(small, [slice(7, 12)], {**after_one, GATHERED: np.asarray(2**62)})
    assert_close(steps(large, [slice(0, 12)]), early)
    assert (early["optimizer.updates"], early[GATHERED]) == (1, 0)


def test_schedules_count_updates() -> None:
    rate = "{type: sgd, learning_rate: {type: step, initial: 0.1, every: 1, factor: 0.5}}"
    parts = [slice(0, 6), slice(6, 12)]
    assert_close(
        steps(network(spec("", optimizer=rate)), [slice(0, 12)] * 3),
        steps(network(spec("accumulate: 2", optimizer=rate)), parts * 3),
    )


def test_averages_follow_the_weights() -> None:
    plain, net = network(spec("")), network(spec("ema: {decay: 0.75}"))
    batches = [slice(0, 4), slice(4, 8), slice(8, 12)]
    history = [steps(plain, batches[: i + 1]) for i in range(3)]
    end = steps(net, batches)
    assert_close(history[-1], end)
    for name in net.parameters:
        average = history[0][name]
        for values in history[1:]:
            average = 0.75 * average + 0.25 * values[name]
        np.testing.assert_allclose(end[f"{AVERAGE}{name}"], average, rtol=1e-12)


def test_frozen_parameters_have_no_averages() -> None:
    net = network(spec("ema: {decay: 0.75}\n  freeze: [a]\n  accumulate: 2"))
    assert {name for name in net.states if name.startswith((AVERAGE, "optimizer.g."))} == {
        f"{kind}{name}" for kind in (AVERAGE, "optimizer.g.") for name in ("b.kernel", "b.bias")
    }


@pytest.mark.parametrize("kind", ["sgd, momentum: 0.9", "adam", "adamw", "rmsprop"])
def test_groups_have_rates_and_weight_decay_of_their_own(kind: str) -> None:
    """Each parameter is updated as if its group's numbers were the optimizer's."""
    written = (
        "parameter_groups: [{parameters: ['*.bias'], weight_decay: 0}, {parameters: [a], rate_factor: 0.5}]"
    )
    rows = [slice(0, 6), slice(6, 12)]

    def with_numbers(rate: float, decay: float, more: str = "") -> Network:
        return network(
            spec(more, optimizer=f"{{type: {kind}, learning_rate: {rate}, weight_decay: {decay}}}")
        )

    alone = {(rate, decay): with_numbers(rate, decay) for rate in (0.1, 0.05) for decay in (0.2, 0.0)}
    # Over one step: what one parameter becomes does not depend on how others are updated.
    grouped = steps(with_numbers(0.1, 0.2, written), rows[:1])
    for name, numbers in {
        "a.kernel": (0.05, 0.2),
        "b.kernel": (0.1, 0.2),
        "a.bias": (0.1, 0.0),
        "b.bias": (0.1, 0.0),
    }.items():
        np.testing.assert_allclose(grouped[name], steps(alone[numbers], rows[:1])[name], rtol=1e-12)


def test_a_group_without_parameters_is_an_error() -> None:
    (error,) = diagnosed(spec("parameter_groups: [{parameters: [a, bb]}]"))
    assert (error.code, error.help) == ("NW0412", "did you mean b?")


def test_a_plateau_multiplies_its_rate() -> None:
    plateau = "{type: sgd, learning_rate: {type: plateau, initial: 0.2, final: 0.03}}"
    net, rows = network(spec("", optimizer=plateau)), [slice(0, 12)]
    assert initial_states(net)[SCALE] == 1
    for scale, rate in ((1.0, 0.2), (0.5, 0.1), (0.01, 0.03)):
        fixed = network(spec("", optimizer=f"{{type: sgd, learning_rate: {rate}}}"))
        assert_close(steps(fixed, rows), steps(net, rows, {SCALE: np.asarray(scale)}))


def test_what_a_plateau_monitors_is_checked() -> None:
    plateau = "{type: sgd, learning_rate: {type: plateau, initial: 0.2, monitor: valid_loss}}"
    (error,) = diagnosed(spec("", optimizer=plateau))
    assert error.code == "NW0407"
    assert error.message == "a learning rate that depends on valid_loss needs the data set valid"
    (error,) = diagnosed(spec("", optimizer=plateau.replace("valid_loss", "train_lsos")))
    assert (error.code, error.help) == ("NW0212", "did you mean train_loss?")
