"""Broken specs as data: files of `=== title`, expectations, and the text of the spec.

An expectation is a line `CODE line:column text`, where text is what the diagnostic underlines (of its first line).
Titles that start with `json:` are JSON.
"""

from dataclasses import dataclass
from pathlib import Path

from netwright.specs.diagnostics.diagnostic import Diagnostics

FOLDER = Path(__file__).parent / "broken"


@dataclass(frozen=True)
class Case:
    """One broken spec and the diagnostics it has to give, in order."""

    title: str
    expected: tuple[str, ...]
    text: str

    @property
    def file(self) -> str:
        return "spec.json" if self.title.startswith("json:") else "spec.yaml"


def read_cases(name: str, folder: Path = FOLDER) -> list[Case]:
    cases = []
    for section in (folder / name).read_text(encoding="utf-8").split("=== ")[1:]:
        title, _, rest = section.partition("\n")
        lines = rest.split("\n")
        count = next(i for i, line in enumerate(lines) if not line.startswith("NW"))
        cases.append(Case(title, tuple(lines[:count]), "\n".join(lines[count:])))
    return cases


def shown(diagnostics: Diagnostics) -> tuple[str, ...]:
    """What was found, in the form of expectations."""
    found = []
    for item in diagnostics:
        span = item.span
        line = diagnostics.sources[span.file].line(span.line)
        end = len(line) if span.end_line > span.line else span.end_column - 1
        found.append(f"{item.code} {span.line}:{span.column} {line[span.column - 1 : end]}".rstrip())
    return tuple(found)
