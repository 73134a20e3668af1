"""A rule that a test holds in place is noticed when it breaks, and one that nothing holds is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .__main__ import EQUIVALENT, ROOT, known
from .rules import rules_of

OPEN = ("SURVIVED", "UNBROKEN")
SMALL = """
MOST = 4


def few(count):
    return count < MOST


def told(count, words=None):
    if words is not None and count > 0:
        words.append(count)
    return [few(number) for number in range(count) if number % 2]


def endless(count):
    while count > 0:
        count -= 1
    return count


def above(limit):
    return lambda number: number > limit


positive = above(0)


def test_few():
    assert few(3)
    assert not few(4)


def test_told():
    assert told(4) == [True, True]


def test_endless():
    assert endless(3) == 0
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "test_small.py"
    path.write_text(SMALL, encoding="utf-8")
    return path


def test_ways_to_break_a_rule(module: Path) -> None:
    assert [rule.key for rule in rules_of(module)] == [
        ": MOST = 4 -> MOST = 4 * 2",
        ": MOST = 4 -> MOST = 4 // 2",
        "few: count < MOST -> True",
        "few: count < MOST -> False",
        "few: count < MOST -> count <= MOST",
        "told: words is not None and count > 0 -> without words is not None",
        "told: words is not None and count > 0 -> without count > 0",
        "told: words is not None and count > 0 -> False",
        "told: count > 0 -> count >= 0",
        "told: words.append(count) -> pass",
        "told: number % 2 -> True",
        "told: number % 2 -> False",
        "endless: count > 0 -> False",
        "endless: count > 0 -> count >= 0",
        "endless: count -= 1 -> pass",
        "above: number > limit -> True",
        "above: number > limit -> False",
        "above: number > limit -> number >= limit",
    ]


def test_what_tests_notice(module: Path) -> None:
    """Each rule is broken in a process of its own: by a failing test, or by one that does not end."""
    command = [sys.executable, "-m", "tests.rules", str(module), "--tests", str(module), "--more", "0.2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = [line.split(maxsplit=2) for line in sorted(done.stdout.splitlines())]
    found = {kind: [text[2].partition("  (")[0] for text in lines if text[0] == kind] for kind in OPEN}
    assert found["SURVIVED"] == [
        "told: count > 0 -> count >= 0",
        "told: words is not None and count > 0 -> False",
        "told: words is not None and count > 0 -> without count > 0",
        "told: words.append(count) -> pass",
        "above: number > limit -> number >= limit",
    ]
    assert found["UNBROKEN"] == [
        "above: number > limit -> False",
        "above: number > limit -> True",
    ]
    assert done.stdout.splitlines()[-1].split() == ["all", "18", "11", "0", "2", "5"]
    assert module.read_text(encoding="utf-8") == SMALL


def test_equivalent_rules_have_reasons() -> None:
    listed = known(EQUIVALENT.read_text(encoding="utf-8"))
    assert [key for key, why in listed.items() if not why] == []
    functions = {key.partition(": ")[0] for key in listed}
    names = {function.rpartition(".")[2] for function in functions}
    paths = [path for path in (ROOT / "compiler").rglob("*.py") if any(n in path.read_text() for n in names)]
    rules = [rule for path in paths for rule in rules_of(path) if rule.function in functions]
    assert sorted(listed.keys() - {rule.key for rule in rules}) == []
