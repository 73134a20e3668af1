"""Valid specs to break: every example of the reference and of the pages of codes, the examples, the templates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from netwright.specs.diagnostics.pages import pages
from netwright.specs.reference import examples

from ..specs.specs import LENET, PENDULUM

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Subject:
    """A valid spec. `text` is what is broken: the spec itself, or the file `part` that the spec `main` includes."""

    name: str
    text: str
    parts: tuple[tuple[str, str], ...] = ()
    main: str | None = None
    part: str | None = None

    @property
    def file(self) -> str:
        return self.part or ("spec.json" if self.name.endswith(".json") else "spec.yaml")


@lru_cache(maxsize=1)
def subjects() -> tuple[Subject, ...]:
    shown = examples()
    parts = {one.file: one.text for one in shown if one.file}
    found = []
    for number, one in enumerate(shown):
        if one.file is None:
            used = tuple((name, text) for name, text in parts.items() if name in one.text)
            found.append(Subject(f"{one.title}.{number}", one.spec, used))
            found += [Subject(f"{name}.{number}", text, used, one.spec, name) for name, text in used]
    for code, page in pages().items():
        if page.right:
            found.append(Subject(f"{code}{'.json' if page.kind == 'json' else ''}", page.right))
    written = [*(PROJECT / "examples").rglob("*.yaml"), *(PROJECT / "api").rglob("*.yaml")]
    for path in sorted(written):
        found.append(Subject(path.stem, path.read_text(encoding="utf-8").replace("NAME", "model")))
    pendulum = PENDULUM.replace("steps: last", "steps: all")
    lenet = LENET.replace("metrics: [accuracy, {type: mse, target: label}]", "metrics: [accuracy]")
    return (*found, Subject("lenet", lenet), Subject("pendulum", pendulum))
