"""Recordings with transcripts: from a folder and a text file to what `predict` and executables hear."""

from __future__ import annotations

import json
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.runtime.errors import DataError

from ..acceptance.linking import need_linker

Cli = Callable[..., Result]
#: Compiling takes longer than interpreting a few small batches; training and the executable are compiled.
INTERPRETED = ("--engine", "reference")
RATE = 8000
TONES = {"a": 500, "b": 1500, "c": 3000}
SPEC = """\
netwright: 1
model: tones
dims: {N: batch, T: {role: time, min: 64}, L: size}
inputs:
  sound: {shape: [N, T], lengths: samples}
  samples: {shape: [N], dtype: int64}
layers:
  - {name: bands, type: log_mel, inputs: [sound], frame_length: 64, hop_length: 64, sample_rate: 8000, mels: 8,
     floor: 1e-3}
  - {name: scaled, type: batch_norm}
  - {name: scores, type: dense, units: 4}
  - {name: decoded, type: ctc_decode}
outputs:
  scores: scores
  heard: decoded
train:
  data:
    train: {type: audio, path: sounds, rate: 8000, length: 3000, transcripts: said.tsv}
    valid: {type: audio, path: sounds, rate: 8000, length: 3000, transcripts: {path: words.tsv, of: spaces}}
  targets: {said: {shape: [N, L], dtype: int64}, count: {shape: [N], dtype: int64}}
  loss: {type: ctc, output: scores, target: said, target_lengths: count}
  metrics: [label_error_rate]
  optimizer: {type: adam, learning_rate: 0.1}
  epochs: 30
  batch_size: 8
  seed: 1
"""


def record(path: Path, text: str, rng: np.random.Generator) -> None:
    """A tone per letter, with quiet between them."""
    parts = [rng.normal(0, 0.001, 200)]
    for letter in text:
        times = np.arange(int(rng.integers(350, 450))) / RATE
        parts += [0.5 * np.sin(2 * np.pi * TONES[letter] * times), rng.normal(0, 0.001, 200)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((np.concatenate(parts) * 32767).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec with recordings of up to four letters."""
    folder, rng = tmp_path_factory.mktemp("tones"), np.random.default_rng(0)
    texts = ["", "abca", "cc", *("".join(rng.choice(list("abc"), rng.integers(1, 5))) for _ in range(29))]
    for row, text in enumerate(texts):
        record(folder / "sounds" / f"{row}.wav", text, rng)
    (folder / "said.tsv").write_text("".join(f"{row}.wav\t{text}\n" for row, text in enumerate(texts)))
    (folder / "words.tsv").write_text(
        "".join(f"{row}.wav\t{' '.join(text)}\n" for row, text in enumerate(texts))
    )
    (folder / "tones.yaml").write_text(SPEC)
    return folder


def test_labels_are_numbered_around_the_blank(folder: Path) -> None:
    data = netwright.load(folder / "tones.yaml").data()["train"]
    assert data.classes == {"said": ("<blank>", "a", "b", "c")}
    assert (data.place(1), len(data)) == ("1.wav", 32)
    arrays = data.read(slice(0, 3), ["said", "count", "samples", "sound"])
    assert arrays["said"].tolist() == [[-1] * 4, [1, 2, 3, 1], [3, 3, -1, -1]]
    assert arrays["count"].tolist() == [0, 4, 2]
    assert arrays["sound"].shape == (3, 3000)
    last = SPEC.replace("target_lengths: count}", "target_lengths: count, blank: last}")
    (folder / "last.yaml").write_text(last)
    assert netwright.load(folder / "last.yaml").data()["train"].classes == {
        "said": ("a", "b", "c", "<blank>")
    }


@pytest.fixture(scope="module")
def weights(folder: Path) -> Path:
    """Trained weights."""
    program = netwright.load(folder / "tones.yaml").compile(entries=["loss", "train_step"], threads=1)
    program.train()
    program.save_weights(folder / "w.safetensors")
    return folder / "w.safetensors"


def test_what_was_heard_is_shown_as_text(folder: Path, weights: Path, cli: Cli) -> None:
    spec = folder / "tones.yaml"
    scores = json.loads(cli("evaluate", spec, "--weights", weights, *INTERPRETED, "--format", "json").stdout)
    assert scores["valid"]["scores"]["label_error_rate"] < 0.05
    predict = ("predict", spec, "--weights", weights, *INTERPRETED, folder / "sounds" / "1.wav")
    shown = cli(*predict, folder / "sounds" / "2.wav").stdout
    assert [line.split()[1] for line in shown.splitlines()] == ["heard", "abca", "cc"]
    lines = cli(*predict, "--format", "json").stdout
    assert json.loads(lines)["outputs"] == {"heard": "abca"}
    worst = (
        cli("evaluate", spec, "--weights", weights, *INTERPRETED, "--worst", 1)
        .stdout.splitlines()[-1]
        .split()
    )
    assert worst[0].endswith(".wav")
    more = f"more={folder / 'sounds'}"
    assert not cli("evaluate", spec, "--weights", weights, *INTERPRETED, "--data", more).stdout
    described = json.loads(cli("data", spec, "--format", "json").stdout)
    counts = described["train"]["arrays"]["said"]["classes"]
    text = (folder / "said.tsv").read_text()
    letters = "".join(line.partition("\t")[2] for line in text.splitlines())
    assert counts == {"<blank>": 0, **{letter: letters.count(letter) for letter in "abc"}}


def test_an_executable_prints_labels_until_the_last(folder: Path, weights: Path, cli: Cli) -> None:
    need_linker()
    named = SPEC.replace("heard: decoded", "heard: {from: decoded, labels: [_, a, b, c]}")
    (folder / "named.yaml").write_text(named)
    labels = netwright.load(folder / "named.yaml").data()["train"].classes
    assert labels == {"said": ("_", "a", "b", "c")}
    cli("compile", folder / "named.yaml", "--weights", weights, "-o", folder / "tones")
    with (folder / "sounds" / "1.wav").open("rb") as sound:
        done = subprocess.run(
            [folder / "tones", "--print"], stdin=sound, capture_output=True, check=True, timeout=60
        )
    assert done.stdout.decode().splitlines()[-1] == "a b c a"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("0.wav a\n", r"said\.tsv, line 1: no tab is between a file and what is said in it"),
        ("0.wav\ta\nx.wav\ta\n", r"said\.tsv, line 2: .*x\.wav is not there"),
        ("0.wav\ta\n1.mp3\ta\n", r"line 2: .*1\.mp3 does not end in \.wav"),
        ("", r"said\.tsv: the file is empty"),
        (
            "0.wav\tabcd\n",
            r"there are 4 different labels, said has 4 classes with the blank: 'a', 'b', 'c', 'd'",
        ),
    ],
)
def test_bad_transcripts_name_the_place(folder: Path, tmp_path: Path, lines: str, message: str) -> None:
    (tmp_path / "said.tsv").write_text(lines)
    spec = SPEC.replace("path: sounds", f"path: {folder / 'sounds'}")
    (tmp_path / "m.yaml").write_text(spec)
    with pytest.raises(DataError, match=message):
        netwright.load(tmp_path / "m.yaml").data()["train"]


def test_names_in_the_spec_and_fixed_numbers_of_labels(folder: Path, tmp_path: Path) -> None:
    spec = SPEC.replace("path: sounds", f"path: {folder / 'sounds'}").replace(
        "said.tsv", str(folder / "said.tsv")
    )
    given = spec.replace("heard: decoded", "heard: {from: decoded, labels: [_, a, b]}")
    (tmp_path / "m.yaml").write_text(given)
    with pytest.raises(DataError, match=r"said\.tsv, line 2: 'c' is none of the classes '_', 'a', 'b'"):
        netwright.load(tmp_path / "m.yaml").data()["train"]
    (tmp_path / "m.yaml").write_text(spec.replace("[N, L]", "[N, 3]").replace(", L: size", ""))
    with pytest.raises(DataError, match=r"said\.tsv, line 2: 4 labels are too many: said takes 3"):
        netwright.load(tmp_path / "m.yaml").data()["train"]
    (tmp_path / "m.yaml").write_text(
        spec.replace(", target_lengths: count", "").replace(", count: {shape: [N], dtype: int64}", "")
    )
    with pytest.raises(
        DataError, match="recordings have 0 to 4 labels; target_lengths of the loss has to name"
    ):
        netwright.load(tmp_path / "m.yaml").data()["train"]
