"""What a terminal shows while a network is compiled: nothing at first, then a line that goes again."""

from __future__ import annotations

import time
from io import StringIO

import pytest
from rich.console import Console

from netwright.cli import waiting
from netwright.cli.waiting import compiling


def shown(seconds: float, *, terminal: bool = True, quiet: bool = False) -> str:
    """What is written while something takes so long."""
    file = StringIO()
    with compiling("a[b]c", out=Console(file=file, force_terminal=terminal, width=60), quiet=quiet):
        time.sleep(seconds)
    return file.getvalue()


def test_a_short_wait_shows_nothing() -> None:
    assert shown(0) == ""


def test_a_long_wait_is_told_and_cleaned_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    text = shown(0.3)
    assert "compiling a[b]c" in text
    assert text.endswith(("\x1b[2K", "\x1b[1A\x1b[2K"))  # the line is erased
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # and the cursor is there again


def test_files_and_quiet_commands_get_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    assert shown(0.05, terminal=False) == ""
    assert shown(0.05, quiet=True) == ""


def test_an_error_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    file = StringIO()

    def fail() -> None:
        with compiling("m", out=Console(file=file, force_terminal=True)):
            time.sleep(0.1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert file.getvalue().endswith("\x1b[2K")
