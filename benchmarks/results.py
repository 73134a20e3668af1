"""Results as JSON: rows together with the machine and the versions that they were measured with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netwright.specs.files import write_file

from .rows import Row

FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Results:
    """What a command has measured. ``machine`` are facts of ``roofline.machine_facts``, ``versions`` those of the
    systems by name."""

    command: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    rows: tuple[Row, ...]

    def with_rows(self, rows: Sequence[Row]) -> Results:
        """With these rows in the place of those of the same case and number of threads."""
        new = {(row.case, row.threads): row for row in rows}
        kept = {(row.case, row.threads): row for row in self.rows}
        return Results(self.command, self.machine, self.versions, tuple({**kept, **new}.values()))

    def fits(self, other: Results) -> bool:
        """Whether rows of both may stand in one table: they are of one kind of machine and of the same versions."""
        same = ("cpu", "cores")
        alike = all(self.machine.get(key) == other.machine.get(key) for key in same)
        shared = self.versions.keys() & other.versions.keys()
        return (
            self.command == other.command
            and alike
            and all(self.versions[n] == other.versions[n] for n in shared)
        )

    def row(self, case: str, threads: int = 1) -> Row | None:
        """The row of a case, if it was measured."""
        return next((row for row in self.rows if (row.case, row.threads) == (case, threads)), None)

    def text(self) -> str:
        """As a file has it: a line per row, so that changes can be read."""
        head = {"command": self.command, "machine": dict(self.machine), "versions": dict(self.versions)}
        lines = ",\n".join(f"  {json.dumps(_short(row.plain()), ensure_ascii=False)}" for row in self.rows)
        opened = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
        return f'{opened},\n "rows": [\n{lines}\n ]\n}}\n'


def read(path: Path) -> Results:
    """The results in a file. Raises OSError, and ValueError or TypeError for one that is not ours."""
    values = json.loads(path.read_text(encoding="utf-8"))
    rows = tuple(Row.of(row) for row in values["rows"])
    return Results(values["command"], values["machine"], values["versions"], rows)


def write(path: Path, results: Results) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, results.text().encode())


def keep(results: Results, folder: Path = FOLDER) -> Path:
    """Writes results into the folder. Rows that are there and fit stay where there are no new ones."""
    path = folder / f"{results.command}.json"
    if path.exists() and (before := read(path)).fits(results):
        versions = {**before.versions, **results.versions}
        results = Results(results.command, results.machine, versions, before.with_rows(results.rows).rows)
    write(path, results)
    return path


def _short(value: Any) -> Any:
    """Numbers with four digits, which are more than a measurement has."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: _short(each) for key, each in value.items()}
    return value
