"""A worker that woke on the caller's processor is woken elsewhere from then on, and nothing stays changed
(ll/apart.ll)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .threads_in_c import build

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None or sys.platform != "linux", reason="needs gcc, and Linux"
)
#: Bits of processors: the system has the first four, and two more in the end. The caller is on the third.
ALL, WIDER, EVERYTHING = 0b1111, 0b111111, 2**64 - 1


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("apart"), "apart")


def played(program: Path, may_use: int, wakes_on: int, pinned: int = -1, changed: int = 0) -> list[int]:
    """How often the worker was sent away, where to, what it may use then, and what after the system has grown."""
    words = [str(number) for number in (may_use, wakes_on, pinned, changed)]
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_who_woke_on_the_callers_processor_is_sent_to_the_others(program: Path) -> None:
    """The first call creates the worker, the second one wakes it, unless it was asleep already; the third and fourth
    know. What it may use afterwards grows with the system."""
    times, *masks = played(program, EVERYTHING, 2)
    assert (times in (2, 3), masks) == (True, [0b1011, ALL, WIDER])


def test_what_the_user_allows_stays(program: Path) -> None:
    times, *masks = played(program, 0b0110, 2)
    assert (times in (2, 3), masks) == (True, [0b0010, 0b0110, 0b0110])


def test_what_the_user_changes_meanwhile_stays(program: Path) -> None:
    _, *masks = played(program, EVERYTHING, 2, changed=0b0101)
    assert masks[1:] == [0b0101, 0b0101]


@pytest.mark.parametrize("may_use", [EVERYTHING, 0b0110])
def test_who_wakes_elsewhere_is_left_alone(program: Path, may_use: int) -> None:
    times, _, after, _ = played(program, may_use, 1)
    assert (times, after) == (0, may_use & ALL)


def test_a_single_processor_has_to_do(program: Path) -> None:
    assert played(program, 0b0100, 2) == [0, 0, 0b0100, 0b0100]


def test_who_is_pinned_is_left_alone(program: Path) -> None:
    assert played(program, EVERYTHING, 2, pinned=2) == [0, 0, 0b0100, 0b0100]
