"""What diagnostics look like, as text and as JSON."""

import json
import re
from pathlib import Path

import pytest

from netwright.specs import load_spec_text
from netwright.specs.diagnostics.codes import CODES
from netwright.specs.diagnostics.diagnostic import Diagnostic, Diagnostics
from netwright.specs.source.tree import SourceText, Span

SPEC = """\
netwright: 1
model: m
dims: {N: batch}
inputs: {x: {shape: [N, 3]}}
layers:
  - {name: a, type: add, inputs: [x, c]}
  - {name: b, type: dense, unit: 3}

  # far away


  - {name: c, type: relu, inputs: [a]}
  - {name: a, type: relu}
outputs: {y: c}
"""


def test_text(golden) -> None:
    golden.check("diagnostics.txt", load_spec_text(SPEC, "model.yaml").diagnostics.to_text())


def test_color() -> None:
    diagnostics = load_spec_text(SPEC, "model.yaml").diagnostics
    colored = diagnostics.to_text(color=True)
    assert "\x1b[1;31m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == diagnostics.to_text()


def test_json() -> None:
    (first, *_) = json.loads(load_spec_text(SPEC, "model.yaml").diagnostics.to_json_text())["diagnostics"]
    assert first == {
        "code": "NW0303",
        "severity": "error",
        "message": "layers depend on each other in a cycle: a ← c ← a",
        "file": "model.yaml",
        "line": 6,
        "column": 38,
        "end_line": 6,
        "end_column": 39,
        "label": "",
        "labels": [
            {
                "file": "model.yaml",
                "line": 12,
                "column": 36,
                "end_line": 12,
                "end_column": 37,
                "message": "c reads a",
            }
        ],
        "notes": [],
        "help": "what a layer gave in the step before is read inside a cell: prev(h)",
        "fixes": [],
    }


def test_wide_characters_tabs_and_control_characters_keep_the_underline_in_place() -> None:
    source = SourceText("a\x1b.yaml", "k:\t'日本\x07' x")
    diagnostics = Diagnostics(sources=[source])
    diagnostics.error("NW0101", "wrong\x1b[2J", source.span(9, 10))
    text = diagnostics.to_text()
    assert "\x1b" not in text
    assert "\x07" not in text
    *_, line, under = text.rstrip().splitlines()
    assert line.endswith("x")
    assert under.index("^") == line.index("x") + 2  # each of the two wide characters takes two cells


def test_notes_help_and_other_files() -> None:
    one, two = SourceText("one.yaml", "a: 1\n"), SourceText("two.yaml", "b: 2\n")
    item = Diagnostic(
        "NW0304",
        "error",
        "no",
        one.span(3, 4),
        "here",
        ((two.span(0, 1), "there"),),
        ("because",),
        "do\nthis",
    )
    text = Diagnostics([item], [one, two]).to_text()
    assert text == (
        "error[NW0304]: no\n"
        " --> one.yaml:1:4\n  |\n1 | a: 1\n  |    ^ here\n ::: two.yaml\n  |\n1 | b: 2\n  | - there\n"
        "  |\n  = note: because\n  = help: do\n          this\n"
    )


def test_codes() -> None:
    assert all(re.fullmatch(r"NW0[1-8]\d\d", code) for code in CODES)
    assert len(set(CODES.values())) == len(CODES)
    with pytest.raises(ValueError):
        Diagnostic("NW9999", "error", "", Span("", 1, 1, 1, 1))
    used = set()
    for path in Path(__file__).parents[2].joinpath("specs").rglob("*.py"):
        used |= set(re.findall(r'"(NW\d{4})"', path.read_text(encoding="utf-8")))
    assert used <= set(CODES)
