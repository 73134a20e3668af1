"""The pool finds by trials whether workers pay (ll/trials.ll)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .threads_in_c import build

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
#: Calls, and what they take alone and together, in nanoseconds.
MANY, FAST, SLOW = 2000, 20_000, 60_000


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("trials"), "trials")


def together(program: Path, *runs: tuple[int, ...]) -> list[int]:
    """Of how many of a hundred calls workers take part, in the second half of each run of (calls, operations,
    nanoseconds alone, together, and of the pauses between the calls, if there are any)."""
    words = [str(number) for run in runs for number in (*run, 0)[:5]]
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_workers_are_called_where_they_pay_and_the_other_way_is_tried_seldom(program: Path) -> None:
    (share,) = together(program, (MANY, 1, SLOW, FAST))
    assert 97 <= share <= 100


def test_workers_are_left_alone_where_they_cost(program: Path) -> None:
    (share,) = together(program, (MANY, 1, FAST, SLOW))
    assert 0 <= share <= 3


def test_each_amount_of_work_is_judged_by_itself(program: Path) -> None:
    first, second, again = together(
        program, (MANY, 1, FAST, SLOW), (MANY, 2, SLOW, FAST), (MANY, 1, FAST, SLOW)
    )
    assert (first <= 3, second >= 97, again <= 3) == (True, True, True)


def test_what_changes_is_noticed(program: Path) -> None:
    """Workers that paid do so no longer, as beside another process, and then again."""
    shares = together(program, *[(MANY, 1, *times) for times in ((SLOW, FAST), (FAST, SLOW), (SLOW, FAST))])
    assert (shares[0] >= 97, shares[1] <= 3, shares[2] >= 97) == (True, True, True)


def test_what_is_no_better_changes_nothing(program: Path) -> None:
    """Trying it costs nothing, so it is tried in four of 68 calls."""
    (share,) = together(program, (MANY, 1, SLOW, SLOW))
    assert 93 <= share < 97


def test_the_less_a_trial_costs_the_sooner_it_is_repeated(program: Path) -> None:
    """Trials take a 64th of the time if they have enough calls for that."""
    slow, slower, slowest = (together(program, (8 * MANY, 1, 100, time))[0] for time in (125, 180, 400))
    assert (slow, slower, slowest) == (5, 1, 0)


def test_calls_after_pauses_are_judged_by_themselves(program: Path) -> None:
    """Workers that cost where they have to be woken are called at once where they are awake."""
    close, rested = (20, 1, SLOW, FAST), (MANY, 1, FAST, SLOW, 5_000_000)
    shares = together(program, (MANY, *close[1:]), rested, close, rested, close)
    assert (shares[1] <= 3, shares[2], shares[3] <= 3, shares[4]) == (True, 100, True, 100), shares


def test_after_pauses_workers_have_to_win_clearly(program: Path) -> None:
    """By a quarter, unless there is much work: then they are called at first."""
    pause, much = 5_000_000, 10_000_000
    slightly, clearly = (together(program, (MANY, 1, 60_000, time, pause))[0] for time in (50_000, 45_000))
    (first,) = together(program, (4, 1, SLOW, FAST, pause))
    (first_of_much,) = together(program, (5, much, SLOW, FAST, pause))
    assert (slightly <= 6, clearly >= 93, first, first_of_much) == (True, True, 0, 100)


def test_long_calls_are_tried_less_often(program: Path) -> None:
    """Of 3 ms: after the first four with workers three without, then 192 with them."""
    assert together(program, (4, 1, 6_000_000, 3_000_000)) == [100]
    assert together(program, (16, 2, 6_000_000, 3_000_000)) == [100]
    assert together(program, (8, 3, 6_000_000, 3_000_000)) == [25]
    assert together(program, (208, 4, 6_000_000, 3_000_000)) == [97]
    (share,) = together(program, (200, 5, 3_000_000, 6_000_000))
    assert share <= 4


def test_the_longest_calls_are_not_tried_at_first(program: Path) -> None:
    """Of 100 ms: who calls a few times has workers in all of them."""
    assert together(program, (60, 1, 300_000_000, 100_000_000)) == [100]
