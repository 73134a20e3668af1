"""`netwright explain` and the formats of `netwright validate`."""

import json
import os
import pty
from pathlib import Path

import pytest
from click.testing import CliRunner

from netwright.cli import main
from netwright.specs.diagnostics.codes import CODES

from ..forked import forked


@pytest.mark.parametrize("written", ["NW0304", "nw0304", "304", "0304"])
def test_explain(written: str) -> None:
    done = CliRunner().invoke(main, ["explain", written])
    assert done.exit_code == 0
    assert done.output.startswith("NW0304: the window does not fit\n")
    assert "-   - {name: head, type: conv2d, filters: 4, kernel_size: 5}" in done.output


def test_explain_lists_codes() -> None:
    lines = CliRunner().invoke(main, ["explain"]).output.splitlines()
    assert [line.split()[0] for line in lines] == list(CODES)


def test_explain_markdown() -> None:
    done = CliRunner().invoke(main, ["explain", "NW0201", "--markdown"])
    assert done.output.startswith("# NW0201: unknown key\n")
    assert "```diff\n" in done.output


def test_explain_an_unknown_code() -> None:
    done = CliRunner().invoke(main, ["explain", "NW9999"])
    assert done.exit_code == 2
    assert "there is no code NW9999" in done.output


def test_validate_as_sarif(tmp_path: Path) -> None:
    spec = tmp_path / "m.yaml"
    spec.write_text("netwright: 2\n", encoding="utf-8")
    done = CliRunner().invoke(main, ["validate", "--format", "sarif", str(spec)])
    assert done.exit_code == 1
    run = json.loads(done.output)["runs"][0]
    assert "NW0209" in [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(rule["help"]["markdown"] for rule in run["tool"]["driver"]["rules"])


def test_validate_says_what_can_be_fixed(tmp_path: Path) -> None:
    spec = tmp_path / "m.yaml"
    spec.write_text(
        "netwright: 1\nmodel: m\ndims: {N: batch}\ninputs: {x: {shape: [N, 3]}}\n"
        "layers: [{name: a, type: dense, out_features: 4}]\noutputs: {y: a}\n",
        encoding="utf-8",
    )
    done = CliRunner().invoke(main, ["validate", str(spec)])
    assert f"1 of these can be fixed by: netwright fix {spec}" in done.output


def test_json_is_documented(tmp_path: Path) -> None:
    spec = tmp_path / "m.yaml"
    text = "netwright: 1\nmodel: m\ninputs: {x: {shape: [3]}}\nlayers:\n  - {name: a, type: dense, unit: 3}\n"
    spec.write_text(f"{text}  - {{name: a, type: relu}}\noutputs: {{y: a}}\n", encoding="utf-8")
    found = json.loads(CliRunner().invoke(main, ["validate", "--format", "json", str(spec)]).output)
    keys = set()
    waiting: list[object] = [found]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            keys |= one.keys()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    assert {"labels", "fixes", "edits", "safe"} <= keys
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    section = page.partition("\n## validate\n")[2].partition("\n## ")[0]
    assert [key for key in keys if f"`{key}`" not in section] == []


def on_a_terminal(*arguments: str, **environment: str) -> bytes:
    """What a command prints where standard output is a terminal."""
    reading, writing = pty.openpty()
    variables = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    terminal = {**variables, "TERM": "xterm-256color", "COLUMNS": "120", **environment}
    forked(*arguments, env=terminal, stdout=writing, stderr=writing)
    os.close(writing)
    found = b""
    try:
        while some := os.read(reading, 65536):
            found += some
    except OSError:  # Linux says that nobody writes any more
        pass
    os.close(reading)
    return found


@pytest.mark.parametrize("command", ["validate", "explain"])
def test_colors_on_terminals_unless_nobody_wants_them(command: str, tmp_path: Path) -> None:
    spec = tmp_path / "m.yaml"
    spec.write_text("netwright: 2\n", encoding="utf-8")
    arguments = ["explain", "NW0209"] if command == "explain" else ["validate", str(spec)]
    assert b"\x1b[" in on_a_terminal(*arguments)
    plain = on_a_terminal(*arguments, NO_COLOR="1")
    assert b"NW0209" in plain
    assert b"\x1b[" not in plain.replace(b"\x1b[1m", b"").replace(b"\x1b[0m", b"")
