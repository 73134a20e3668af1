"""How often garbage is collected while networks are compiled, and that it is as before afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from netwright.collection import SELDOM, collected_seldom


@pytest.fixture(autouse=True)
def _thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_the_last_of_several_restores_what_was() -> None:
    gc.set_threshold(700, 10, 10)
    first, second = collected_seldom(), collected_seldom()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold()[0] == SELDOM[0]
    second.__exit__(None, None, None)
    assert gc.get_threshold()[0] == 700


@pytest.mark.parametrize("threshold", [0, 2_000_000])
def test_a_process_that_collects_still_less_often_is_left_alone(threshold: int) -> None:
    gc.set_threshold(threshold, 10, 10)
    with collected_seldom():
        assert gc.get_threshold()[0] == threshold
    assert gc.get_threshold()[0] == threshold


def test_an_error_restores_it_too() -> None:
    gc.set_threshold(700, 10, 10)
    with pytest.raises(ZeroDivisionError), collected_seldom():
        _ = 1 // 0
    assert gc.get_threshold()[0] == 700
