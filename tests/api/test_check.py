"""Commands that only look: validate, summary, schema, help; and their exit codes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import Result

from netwright.cli import COMMANDS, main

Cli = Callable[..., Result]
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_validate_says_valid(cli: Cli, tiny: Path) -> None:
    done = cli("validate", tiny, EXAMPLES / "digits" / "digits.yaml")
    assert done.exit_code == 0
    assert [line.split(": ")[1] for line in done.output.splitlines()] == ["valid", "valid"]


def test_validate_shows_all_errors_of_all_specs(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    text = tiny.read_text(encoding="utf-8")
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(text.replace("units: 8", "unit: 8").replace("{y: head}", "{y: haed}"), encoding="utf-8")
    second.write_text(
        text.replace("shape: [N], dtype: int64", "shape: [N, 2], dtype: int64"), encoding="utf-8"
    )
    done = cli("validate", first, second)
    assert done.exit_code == 1
    assert [line.lstrip(" ->") for line in done.output.splitlines() if "-->" in line] == [
        f"{first}:7:33",
        f"{first}:9:14",
        f"{second}:12:24",
    ]
    assert "did you mean units?" in done.output


def test_json_is_one_object_for_all_specs(cli: Cli, tiny: Path) -> None:
    done = cli("validate", tiny, "missing.yaml", "--format", "json", "--set", "layers.hidden.units=0")
    assert done.exit_code == 1
    found = json.loads(done.stdout)["diagnostics"]
    assert [(one["code"], one["severity"], one["file"], one["line"], one["column"]) for one in found] == [
        ("NW0204", "error", "--set", 1, 21),
        ("NW0109", "error", "missing.yaml", 1, 1),
    ]
    assert {"message", "end_line", "end_column", "help", "notes", "labels", "label"} <= found[0].keys()
    assert json.loads(cli("validate", tiny, "--format", "json").stdout) == {"diagnostics": []}


def test_warnings_are_no_errors(cli: Cli, tiny: Path) -> None:
    text = tiny.read_text(encoding="utf-8")
    extra = "  - {name: idle, type: dense, units: 2, inputs: [x]}\noutputs"
    tiny.write_text(text.replace("outputs", extra, 1), encoding="utf-8")
    done = cli("validate", tiny)
    assert done.exit_code == 0
    assert "warning[NW0601]" in done.output
    assert done.output.endswith("valid\n")


def test_data_files_are_compared_by_their_headers(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    assert cli("validate", "--data", tiny).exit_code == 0
    np.savez(tmp_path / "train.npz", x=np.zeros((6, 5), np.float32), t=np.zeros(7, np.int64))
    (tmp_path / "valid.npz").write_bytes(b"no archive")
    done = cli("validate", "--data", tiny, "--format", "json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)["diagnostics"]
    assert [(one["code"], one["line"], one["column"]) for one in found] == [
        ("NW0704", 11, 17),
        ("NW0704", 11, 17),
        ("NW0703", 11, 35),
    ]
    assert "t has 7 samples, x has 6" in found[0]["message"]
    assert cli("validate", tiny).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["validate"], "SPEC"),
        (["validate", "a.yaml", "--format", "xml"], "xml"),
        (["validate", "a.yaml", "--strict"], "--strict"),
        (["valdate", "a.yaml"], "Did you mean validate?"),
        (["validate", "tiny.yaml", "--set", "epochs"], "path.to.key=value"),
        (["validate", "tiny.yaml", "--set", "layers.haed.units=2"], "did you mean head?"),
        (["summary"], "SPEC"),
        (["graph", "tiny.yaml"], "-o"),
        (["graph", "tiny.yaml", "-o", "x.gif"], ".svg, .dot, .txt"),
        (["graph", "tiny.yaml", "-o", "none/x.svg"], "no directory none"),
        (["graph", "tiny.yaml", "-o", "x.svg", "--unroll", "3"], "no recurrent layer"),
    ],
)
def test_wrong_usage_is_exit_code_2(cli: Cli, tiny: Path, arguments: list[str], words: str) -> None:
    done = cli(*arguments)
    assert done.exit_code == 2
    assert words in done.output
    assert "Traceback" not in done.output


def test_summary_prints_table_and_totals(cli: Cli, tiny: Path) -> None:
    done = cli("summary", tiny)
    assert done.exit_code == 0
    hidden = next(line for line in done.output.splitlines() if line.lstrip().startswith("hidden"))
    assert hidden.split() == ["hidden", "dense", "8", "·", "relu", "[N,", "8]", "40", "80"]
    assert "67 parameters · 268 bytes of weights" in done.output
    assert cli("summary", "missing.yaml").exit_code == 1


def test_schema_is_json(cli: Cli, tmp_path: Path) -> None:
    printed = json.loads(cli("schema").stdout)
    assert printed["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert cli("schema", "-o", "s.json").exit_code == 0
    assert json.loads((tmp_path / "s.json").read_text(encoding="utf-8")) == printed


def test_every_command_has_help(cli: Cli) -> None:
    overview = cli("--help").output
    for name, line in COMMANDS.items():
        assert line in overview
        done = cli(name, "--help")
        assert done.exit_code == 0
        assert f"{name} [OPTIONS]" in done.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    text = (EXAMPLES.parent / "docs" / "cli.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    command = main.get_command(click.Context(main), name)
    assert isinstance(command, click.Command)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert any(option in section for option in (*parameter.opts, *parameter.secondary_opts)), (
                parameter.name
            )


def test_help_and_version_load_nothing_heavy() -> None:
    program = (
        "import sys\nfrom netwright.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    for option in ("--help", "--version"):
        done = subprocess.run([sys.executable, "-c", program, option], capture_output=True, text=True)
        assert not {"numpy", "pydantic", "rich", "llvmlite", "networkx", "yaml"} & set(done.stdout.split())
        assert "netwright" in done.stdout
