"""The readings of a learning rate range test: curves with known falls, and when a loss has diverged."""

import numpy as np
import pytest

from netwright.runtime.training.rates import RateCurve, has_diverged, reach_of, rising_rates


def curve(losses: np.ndarray, *, first: float = 1e-4, last: float = 1.0, diverged: bool = False) -> RateCurve:
    rates = rising_rates(first, last, len(losses))
    return RateCurve(tuple(rates.tolist()), tuple(losses.tolist()), len(losses), diverged)


def test_rates_rise_by_the_same_factor() -> None:
    np.testing.assert_allclose(rising_rates(1e-3, 1e6, 10), [10.0**power for power in range(-3, 7)])


@pytest.mark.parametrize(
    ("first", "last", "steps", "message"),
    [
        (1.0, 0.1, 100, "rates rise from a number above 0"),
        (0.1, 0.1, 100, "rates rise"),
        (0.0, 1.0, 100, "rates rise"),
        (-1.0, 1.0, 100, "rates rise"),
        (1e-3, float("inf"), 100, "rates rise"),
        (float("nan"), 1.0, 100, "rates rise"),
        (1e-3, 1.0, 9, "at least 10 steps, not 9"),
        (1.0, 1.0 + 2e-15, 1000, "do not differ"),
    ],
)
def test_a_range_that_does_not_rise(first: float, last: float, steps: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rising_rates(first, last, steps)


def test_smoothing_takes_as_many_losses_before_as_after() -> None:
    smoothed = curve(np.array([0.0, 3, 0, 0, 6, 0, 0, 0, 0, 9])).smoothed
    np.testing.assert_allclose(smoothed, [0, 1, 1, 2, 2, 2, 0, 0, 3, 9])
    straight = np.linspace(5, 1, 200)
    np.testing.assert_allclose(curve(straight).smoothed, straight)


def test_the_steepest_fall_of_a_smooth_step() -> None:
    """A logistic function of the logarithm falls fastest in its middle, here at 1e-2; then the loss grows."""
    powers = np.linspace(-4, 0, 401)
    losses = 2 / (1 + np.exp(6 * (powers + 2))) + np.exp(9 * (powers + 0.5))
    read = curve(losses)
    assert read.falls
    assert read.steepest == pytest.approx(1e-2, rel=0.1)
    least = float(powers[losses.argmin()])
    assert read.tenth == pytest.approx(10**least / 10, rel=0.1)
    assert not read.still_falls


def test_a_loss_that_only_varies_has_no_steepest_fall() -> None:
    read = [curve(np.random.default_rng(seed).normal(2.3, 0.3, 100)) for seed in range(20)]
    assert sum(noise.falls for noise in read) <= 1
    assert {(noise.steepest, noise.tenth) for noise in read if not noise.falls} == {(None, None)}


def test_the_steepest_fall_is_read_through_noise() -> None:
    powers = np.linspace(-4, 0, 200)
    losses = 2 / (1 + np.exp(6 * (powers + 2)))
    for seed in range(10):
        noise = np.random.default_rng(seed).normal(0, 0.1, 200)
        assert curve(losses + noise).steepest == pytest.approx(1e-2, rel=0.7)


def test_a_loss_that_still_falls_at_the_end() -> None:
    read = curve(np.linspace(2, 1, 100))
    assert read.still_falls
    assert read.steepest is not None


def test_a_loss_that_grows_from_the_start() -> None:
    read = curve(np.geomspace(1, 50, 40), diverged=True)
    assert read.least == reach_of(40)
    assert not read.falls


def test_a_loss_that_jumps_up_and_comes_back_does_not_fall() -> None:
    losses = np.concatenate([[4.0], np.geomspace(100, 10, 60), np.geomspace(10, 500, 39)])
    assert not curve(losses, diverged=True).falls


def test_windows_that_differ_do_not_hide_a_fall() -> None:
    """The first window of each batch has a loss of almost nothing, the second falls from 4 to 2."""
    losses = np.linspace(4, 2, 100)
    losses[::2] = 0.1
    rates = tuple(rising_rates(1e-4, 1, 100).tolist())
    assert not RateCurve(rates, tuple(losses.tolist()), 100, False).falls
    read = RateCurve(rates, tuple(losses.tolist()), 100, False, windows=2)
    assert read.falls
    assert read.still_falls


@pytest.mark.parametrize(
    ("now", "least", "first", "diverged"),
    [
        (9.0, 2.0, 2.3, True),
        (7.9, 2.0, 2.3, False),
        (0.5, 0.01, 2.3, False),  # fifty times the least, but the loss began higher
        (2.4, 0.01, 2.3, True),
        (1.0, -1.0, 0.0, False),
        (2.1, -1.0, 0.0, True),
        (float("inf"), 1.0, 1.0, True),
        (float("nan"), 1.0, 1.0, True),
    ],
)
def test_when_a_loss_has_diverged(now: float, least: float, first: float, diverged: bool) -> None:
    assert has_diverged(now, least, first) is diverged


def test_a_tenth_of_the_curve_is_averaged() -> None:
    assert [reach_of(steps) for steps in (10, 100, 400)] == [1, 5, 20]
