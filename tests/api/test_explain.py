"""`netwright explain` and the formats of `netwright validate`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from netwright.cli import main
from netwright.specs.codes import CODES


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
