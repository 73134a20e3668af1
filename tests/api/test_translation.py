"""From pairs of texts to an executable that writes one for the other, from the command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import netwright
from netwright.cli import main
from netwright.generation.answers import answer
from netwright.runtime.files.npy import read_npy

Cli = Callable[..., Result]
SPEC = """\
netwright: 1
model: digits
dims: {N: batch, S: time, T: time}
inputs:
  said: {shape: [N, S], dtype: int64, lengths: said_words}
  said_words: {shape: [N], dtype: int64}
  previous: {shape: [N, T], dtype: int64, lengths: words}
  words: {shape: [N], dtype: int64}
layers:
  - {name: said_embedding, type: embedding, input_dim: 6, output_dim: 12, inputs: [said]}
  - {name: encoder, type: gru, units: 16}
  - {name: embedding, type: embedding, input_dim: 9, output_dim: 12, inputs: [previous]}
  - {name: decoder, type: gru, units: 16, initial_state: encoder.state}
  - {name: look, type: attention, inputs: [decoder, encoder]}
  - {name: both, type: concat, inputs: [decoder, look]}
  - {name: scores, type: dense, units: 9}
outputs: {scores: scores}
train:
  data:
    train:
      type: csv
      path: pairs.csv
      columns: {said: digits, previous: names}
      text:
        said: {vocabulary: {of: spaces}}
        previous: {vocabulary: {begin: "<s>", end: "</s>"}, next_token: word}
    valid: {from: train, fraction: 0.2}
  loss: {type: softmax_cross_entropy, output: scores, target: word}
  metrics: [accuracy, perplexity]
  optimizer: {type: adam, learning_rate: 0.03}
  group_by_length: true
  epochs: 15
  seed: 1
"""
#: Compiling takes longer than interpreting a few small batches; the executable is compiled.
INTERPRETED = ("--engine", "reference")
NAMES = {"1": "one", "2": "two", "3": "three", "4": "four"}


def named(digits: str) -> str:
    return " ".join(NAMES[digit] for digit in digits.split())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    texts = [" ".join(rng.choice(list(NAMES), rng.integers(1, 4))) for _ in range(400)]
    rows = [f"{digits},{named(digits)}\n" for digits in texts]
    (folder / "pairs.csv").write_text("digits,names\n" + "".join(rows), encoding="utf-8")
    (folder / "digits.yaml").write_text(SPEC, encoding="utf-8")
    command = ["train", f"{folder}/digits.yaml", "--weights", f"{folder}/w.safetensors"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    return folder


def test_texts_are_compared_with_those_that_are_meant(trained: Path, cli: Cli) -> None:
    command = [
        "evaluate",
        trained / "digits.yaml",
        "--weights",
        trained / "w.safetensors",
        "--format",
        "json",
        *INTERPRETED,
    ]
    shown = cli(*command, "--generate", "--beam", 2, "--length", 8)
    scores = json.loads(shown.output)["valid"]["scores"]
    assert scores["exact"] > 0.9
    assert scores["word_error_rate"] < 0.1
    assert scores["character_error_rate"] < 0.1
    assert scores["chrf"] > 90
    assert 1 <= scores["perplexity"] < 1.2
    assert "give --generate" in cli(*command, "--beam", 2).output
    # Pieces that are no entries are wrong, not left out.
    other = trained / "other.csv"
    other.write_text("digits,names\n1 2,one deux\n", encoding="utf-8")
    shown = cli(*command, "--generate", "--data", f"valid={other}")
    assert json.loads(shown.output)["valid"]["scores"]["word_error_rate"] == 0.5


def test_texts_are_answered(trained: Path, cli: Cli) -> None:
    command = [
        "generate",
        trained / "digits.yaml",
        "--weights",
        trained / "w.safetensors",
        "--length",
        6,
        *INTERPRETED,
    ]
    shown = cli(*command, "--text", "3 1", "--text", "2 2 4")
    assert [line.split("  ")[0] for line in shown.output.splitlines()] == ["text", "3 1", "2 2 4"]
    assert "three one" in shown.output
    model = netwright.load(trained / "digits.yaml")
    made = answer(model, trained / "w.safetensors", ["3 1", "2 2 4"], length=6, engine="reference")
    assert made == ["three one", "two two four"]
    # A table without the column of answers, and lines of a text file.
    (trained / "new.csv").write_text("digits\n4\n1 2 3\n", encoding="utf-8")
    (trained / "new.txt").write_text("4\n1 2 3\n", encoding="utf-8")
    for name in ("new.csv", "new.txt"):
        shown = cli(*command, trained / name, "--format", "json")
        answers = [json.loads(line)["outputs"]["answer"] for line in shown.output.splitlines()]
        assert answers == ["four", "one two three"]
    written = cli(*command, trained / "new.csv", "-o", trained / "answers.csv")
    assert written.exit_code == 0, written.output
    assert (trained / "answers.csv").read_text().splitlines()[0] == "file,line,answer,log_probability"
    assert "give texts to answer" in cli(*command).output
    assert "--tokens" in cli(*command, "--tokens", "1").output


def test_an_executable_writes_what_generate_writes(trained: Path, cli: Cli) -> None:
    spec, weights, inputs = trained / "digits.yaml", trained / "w.safetensors", trained / "inputs"
    texts = ["3 1", "2 2 4", "4", "1 1 1 2"]
    given = [word for text in texts for word in ("--text", text)]
    made = cli("arrays", spec, "--weights", weights, "--generate", "-o", inputs, *given)
    assert made.exit_code == 0, made.output
    assert read_npy(inputs / "said_words.npy").tolist() == [2, 3, 1, 4]
    program = trained / "names"
    compiled = cli("compile", spec, "--weights", weights, "-o", program, "--generate", 6, "--beam", 2)
    assert compiled.exit_code == 0, compiled.output
    arrays = [word for name in ("said", "said_words") for word in ("-i", f"{name}={inputs / name}.npy")]
    printed = subprocess.run([program, *arrays, "--print"], check=True, capture_output=True, text=True).stdout
    lines = printed.splitlines()
    assert lines[0] == "written int64 [4, 6]"
    expected = cli(
        "generate", spec, "--weights", weights, "--beam", 2, "--format", "json", *INTERPRETED, *given
    )
    answers = [json.loads(line)["outputs"] for line in expected.output.splitlines()]
    assert lines[1:5] == [answer["answer"] for answer in answers]
    likelihoods = [answer["log_probability"] for answer in answers]
    assert [float(line) for line in lines[-4:]] == pytest.approx(likelihoods, abs=1e-3)
    assert (
        "give --generate LENGTH"
        in cli("compile", spec, "--weights", weights, "-o", program, "--beam", 2).output
    )
    assert (
        "one array"
        in cli("arrays", spec, "--weights", weights, "--generate", "-o", inputs / "x.npy", *given).output
    )
