"""`netwright compile` for libraries: what goes together, and what is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import netwright
from netwright.cli import main

SPEC = """\
netwright: 1
model: line
dims: {N: batch}
inputs:
  x: {shape: [N, 3]}
layers:
  - {name: y, type: dense, units: 2}
outputs: {y: y}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line.yaml").write_text(SPEC)
    netwright.load("line.yaml").compile(engine="reference").save_weights("w.safetensors")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--entry", "predict,fly"], "'fly' is none of predict, step, loss, train"),
        (
            ["--weights", "w.safetensors", "--entry", "predict,step"],
            "an executable runs one entry, predict, step or train",
        ),
        (
            ["--weights", "w.safetensors", "--entry", "loss"],
            "an executable runs one entry, predict, step or train",
        ),
        (["--entry", "train"], "line can't be trained: the spec has no train section"),
        (["--emit", "shared", "--no-embed"], "--no-embed is for libraries with --weights"),
        (["--emit", "object", "--package"], "--package goes with --emit shared or static"),
        (["--emit", "weights"], "--emit weights needs --weights"),
        (["--emit", "shared", "--entry", "predict,train"], "line has no entry train_step"),
        (["--emit", "shared", "--entry", "step"], "line can't be computed step by step"),
    ],
)
def test_what_does_not_go_together(folder: Path, arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(main, ["compile", "line.yaml", "-o", "made.x", *arguments])
    assert done.exit_code in (1, 2)
    assert message in " ".join(done.output.split())
    assert sorted(path.name for path in folder.iterdir()) == ["line.yaml", "w.safetensors"]


def test_names_that_the_library_s_other_files_have(folder: Path) -> None:
    for name, message in (("line.h", "library's header"), ("line.weights", "library's weights")):
        done = CliRunner().invoke(main, ["compile", "line.yaml", "-o", name, "--emit", "static"])
        assert done.exit_code in (1, 2)
        assert message in " ".join(done.output.split())


def test_weights_for_a_library(folder: Path) -> None:
    """The same network has the same head; another activation has another, although the weights fit."""
    heads = []
    for change in ([], ["--set", "layers.y.activation=relu"]):
        command = [
            "compile",
            "line.yaml",
            "--weights",
            "w.safetensors",
            "--emit",
            "weights",
            "-o",
            "a.weights",
        ]
        done = CliRunner().invoke(main, [*command, *change])
        assert done.exit_code == 0, done.output
        assert "wrote a.weights: weights of line" in done.output
        content = (folder / "a.weights").read_bytes()
        assert len(content) % 64 == 0
        bias = np.frombuffer(content[64:], np.float32)
        assert np.isfinite(bias).all()
        heads.append(content[:64])
    assert heads[0][:16] == heads[1][:16] == b"NETWRIGHTWEIGHTS"
    assert heads[0] != heads[1]


def test_a_program_may_be_asked_for_predict_by_name(folder: Path) -> None:
    command = ["compile", "line.yaml", "--weights", "w.safetensors", "-o", "line", "--no-selftest"]
    done = CliRunner().invoke(main, [*command, "--entry", "predict"])
    assert done.exit_code == 0, done.output
    assert (folder / "line").stat().st_mode & 0o100
