"""Templates are valid without a warning, learn, and are what `netwright new` writes."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from netwright.cli import main
from netwright.model import Model, load
from netwright.specs.load import load_spec_text
from netwright.templates import TEMPLATES, template

SIZES = {"N": 4, "T": 40, "S": 7}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_valid_and_trains(name: str) -> None:
    model = Model(load_spec_text(template(name, "mine"), "mine.yaml"))
    assert model.diagnostics.to_text() == ""
    assert model.name == "mine"
    program = model.compile(engine="reference", entries=("loss", "train_step"))
    rng = np.random.default_rng(0)
    arrays = {}
    for array, type in {**model.network.inputs, **model.network.targets}.items():
        shape = [size if isinstance(size, int) else SIZES[str(size)] for size in type.shape]
        arrays[array] = rng.integers(0, 2, shape).astype(type.dtype)
    before = program.train_step(**arrays)
    losses = [program.train_step(**arrays) for _ in range(4)]
    assert np.isfinite(before["loss"])
    assert losses[-1]["loss"] < before["loss"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_command(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["new", name, "mine"])
    assert done.exit_code == 0, done.output
    assert load("mine.yaml").is_valid
    text = Path("mine.yaml").read_text(encoding="utf-8")
    assert "NAME" not in text
    assert CliRunner().invoke(main, ["new", name, "mine"]).exit_code == 2
    assert CliRunner().invoke(main, ["new", name, "mine", "--force"]).exit_code == 0


@pytest.mark.parametrize("arguments", [["cnn", "1st"], ["cnn", "a-b"], ["mlp", "mine"]])
def test_wrong_usage(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["new", *arguments]).exit_code == 2
    assert list(tmp_path.iterdir()) == []
