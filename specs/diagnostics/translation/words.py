"""The words for values and choices in messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...source.tree import Path

#: What a name may consist of: the help for every invalid name.
NAME_HELP = "names are made of letters, digits and _, and do not start with a digit"


def describe(value: Any) -> str:
    """A value in words: `"abc"`, 3, true, a list of 2."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 40 else f'"{value[:40]}…"'
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "a mapping" if isinstance(value, dict) else str(value)


def join(words: Iterable[str] | None) -> str:
    """A choice: `a, b or c`."""
    *most, last = list(words or ["something else"])
    return f"{', '.join(most)} or {last}" if most else last


def length_of(value: Any) -> int:
    """How many entries or characters a value has; 0 if it has none."""
    return len(value) if isinstance(value, str | list | dict) else 0


def name_of(path: Path) -> str:
    """The innermost key on the path to a value."""
    names = [step for step in path if isinstance(step, str)]
    return names[-1] if names else "the value"
