"""Language models from the command line: the documented model of characters learns, and so does one of lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.runtime.sessions.weights import load_vocabularies
from netwright.specs.reference import examples

from .epoch_table import epochs

Cli = Callable[..., Result]
DOCUMENTED = [example.spec for example in examples() if "next_token: true" in example.spec]


def sentences(count: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    parts = (
        ("the cat", "a dog", "one bird"),
        ("sees", "hears", "likes"),
        ("the moon", "a song", "two trees"),
    )
    return "".join(" ".join(rng.choice(part) for part in parts) + ".\n" for _ in range(count))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    for seed, (name, count) in enumerate({"book": 300, "other": 40, "sentences": 200}.items()):
        (tmp_path / f"{name}.txt").write_text(sentences(count, seed), encoding="utf-8")
    return tmp_path


def test_the_documented_model_of_characters_learns(texts: Path, cli: Cli) -> None:
    (text,) = (text for text in DOCUMENTED if "stride" in text)
    spec, weights = texts / "characters.yaml", texts / "w.safetensors"
    spec.write_text(text, encoding="utf-8")
    checked = cli("validate", spec, "--data")
    assert checked.exit_code == 0, checked.output
    trained = cli("train", spec, "--weights", weights, "--epochs", 20)
    assert trained.exit_code == 0, trained.output
    assert float(epochs(trained.output)[-1]["valid accuracy"]) > 0.8, trained.output

    program = netwright.load(spec).compile(engine="reference", weights=weights, entries=["predict"])
    (vocabulary,) = load_vocabularies(weights).values()
    written = "one bird hears a dog.\nthe c"
    scores = program.predict(text=np.array([vocabulary.encode(written)]))["following"]
    assert vocabulary.entries[scores[0, -1].argmax()] == "a"
    assert vocabulary.entries[scores[0, len("one b") - 1].argmax()] == "i"


def test_the_documented_model_of_lines_learns(texts: Path, cli: Cli) -> None:
    (text,) = (text for text in DOCUMENTED if "stride" not in text)
    spec, weights = texts / "words.yaml", texts / "w.safetensors"
    spec.write_text(text, encoding="utf-8")
    optimizer = "train.optimizer={type: adam, learning_rate: 0.01}"
    settings = ["vars.entries=30", "train.group_by_length=true", "train.metrics=[accuracy]", optimizer]
    given = [word for setting in settings for word in ("--set", setting)]
    trained = cli("train", spec, "--weights", weights, "--epochs", 8, *given)
    assert trained.exit_code == 0, trained.output
    assert float(epochs(trained.output)[-1]["valid accuracy"]) > 0.5, trained.output


def test_data_show_both(texts: Path, cli: Cli) -> None:
    (text,) = (text for text in DOCUMENTED if "stride" in text)
    spec = texts / "characters.yaml"
    spec.write_text(text, encoding="utf-8")
    shown = cli("data", spec, "--report", texts / "page.html")
    assert shown.exit_code == 0, shown.output
    assert re.search(r"next_character +int64 +\[32\]", shown.output)
    assert "next_character:" not in shown.output
    # A model that tells fewer characters apart than there are.
    few = cli("validate", spec, "--data", "--set", "layers.head.units=9")
    assert few.exit_code == 1
    assert "next_character" in few.output
