"""Settings from outside change the tree, are validated like what is written, and are shown where they stand."""

from pathlib import Path

import pytest

from netwright.specs.load import LoadResult, load_spec
from netwright.specs.models.data import ArraysData
from netwright.specs.reading.settings import SettingError

SPEC = """\
netwright: 1
model: tiny
dims: {N: batch}
inputs:
  x: {shape: [N, 4]}
layers:
  - {name: hidden, type: dense, units: 8, activation: relu}
  - {name: head, type: dense, units: 2}
outputs: {y: head}
train:
  data: {train: a.npz}
  loss: {type: mse, output: y, target: t}
  optimizer: adam
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def load(spec: Path, *settings: str) -> LoadResult:
    return load_spec(spec, settings)


def test_settings_replace_add_and_go_through_short_forms(spec: Path) -> None:
    result = load(
        spec,
        "train.optimizer.learning_rate=0.01",
        "layers.hidden.units=16",
        "layers.1.units = 3",
        "train.clip_norm=1e-1",
        "train.data.valid=b.npz",
        "inputs.x.shape=[N, 5]",
        "layers.hidden.units=32",
    )
    assert result.model is not None
    assert result.model.train is not None
    assert result.model.train.optimizer.type == "adam"
    assert result.model.train.optimizer.learning_rate.initial == 0.01
    assert [layer.units for layer in result.model.layers] == [32, 3]  # type: ignore[attr-defined]
    assert result.model.train.clip_norm == 0.1
    assert result.model.train.data == {"train": ArraysData(path="a.npz"), "valid": ArraysData(path="b.npz")}
    assert result.model.inputs["x"].shape == ("N", 5)
    assert load(spec).model != result.model


@pytest.mark.parametrize(
    ("settings", "code", "line", "columns"),
    [
        (["train.epochs=3", "layers.hidden.units=-7"], "NW0204", 2, (21, 23)),
        (["layers.hidden.strides=2"], "NW0201", 1, (1, 22)),
        (["outputs.z=nothing"], "NW0302", 1, (11, 18)),
    ],
)
def test_errors_stand_in_the_setting(
    spec: Path, settings: list[str], code: str, line: int, columns: tuple[int, int]
) -> None:
    (found,) = load(spec, *settings).diagnostics
    assert found.code == code
    assert (found.span.file, found.span.line) == ("--set", line)
    assert (found.span.column, found.span.end_column) == columns
    assert settings[line - 1] in load(spec, *settings).diagnostics.to_text()


@pytest.mark.parametrize(
    "setting",
    [
        "epochs",
        "=3",
        "train.epochs=",
        "train..epochs=3",
        "train.epochs={",
        "netwright.more=3",
        "layers.haed.units=3",
        "layers.7.units=3",
        "layers.-1.units=3",
        "train.epochs=1\x00",
        ".".join(["a"] * 5000) + "=1",
    ],
)
def test_settings_that_can_not_be_made(spec: Path, setting: str) -> None:
    with pytest.raises(SettingError):
        load(spec, setting)
