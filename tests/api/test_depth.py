"""A network of 2,000 layers through the commands that look at networks: none of them recurses over layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from netwright import load
from netwright.cli import main

LAYERS = 2000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deep")
    spec = {
        "netwright": 1,
        "model": "deep",
        "dims": {"N": "batch"},
        "inputs": {"x": {"shape": ["N", 4], "dtype": "float32"}},
        "layers": [
            {"name": f"l{k}", "type": "relu"} if k % 50 else {"name": f"l{k}", "type": "dense", "units": 4}
            for k in range(LAYERS)
        ],
        "outputs": {"y": f"l{LAYERS - 1}"},
    }
    (folder / "deep.json").write_text(json.dumps(spec))
    load(folder / "deep.json").compile(engine="reference").save_weights(folder / "deep.safetensors")
    return folder


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("words", "output", "expected"),
    [
        (["validate"], None, ""),
        (["summary"], None, ""),
        (["compile", "--emit", "loop"], "deep.loop", "predict"),
        (["export", "--weights", "deep.safetensors"], "deep.onnx", "Relu"),
        (["report"], "deep.html", f"l{LAYERS - 1}"),
    ],
)
def test_commands(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], output: str | None, expected: str
) -> None:
    monkeypatch.chdir(folder)
    command, *options = words
    written = [] if output is None else ["-o", output]
    result = CliRunner().invoke(main, [command, "deep.json", *options, *written])
    assert result.exit_code == 0, result.output
    if output is None:
        assert "valid" in result.output if command == "validate" else f"l{LAYERS - 1}" in result.output
    else:
        assert expected.encode() in Path(output).read_bytes()
