"""The refusals that are expected: the lines `PATTERN: reason` of expected.txt."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

EXPECTED = Path(__file__).with_name("expected.txt")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Entries that are refused, and why that is right."""

    pattern: str
    reason: str


def refusals() -> list[Refusal]:
    """The lines of expected.txt."""
    found = []
    for line in EXPECTED.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"(\S+): (\S.*)", line)
        assert match, f"{EXPECTED.name}: no `PATTERN: reason`: {line}"
        found.append(Refusal(*match.groups()))
    return found


def expected(name: str) -> Refusal | None:
    """The line that an entry falls under."""
    return next((one for one in refusals() if fnmatch.fnmatchcase(name, one.pattern)), None)
