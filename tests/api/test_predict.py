"""`netwright predict`: real files in, answers out, with spec and weights alone."""

import csv
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.runtime.data.class_names import CLASSES_KEY
from netwright.runtime.files.npz import read_npz
from netwright.runtime.files.tensors import TensorFile, write_tensors

from .conftest import TINY

Cli = Callable[..., Result]
PETS = """\
netwright: 1
model: pets
dims: {N: batch}
inputs: {image: {shape: [N, 4, 4, 3], dtype: uint8}}
layers:
  - {name: pixels, type: rescale, scale: 0.00392156862745098}
  - {name: flat, type: flatten}
  - {name: head, type: dense, units: 3}
  - {name: kind, type: argmax}
outputs: {scores: head, kind: kind}
train:
  data: {train: {type: images, path: photos, resize: [4, 4]}}
  targets: {label: {shape: [N], dtype: int64}}
  loss: {type: softmax_cross_entropy, output: scores, target: label}
  optimizer: {type: adam, learning_rate: 1e-1}
  augment: {image: [{type: flip, axis: 2}]}
  epochs: 1
  batch_size: 6
"""
PLAIN = ("--engine", "reference", "--weights", "w.safetensors")


def photo(path: Path, colour: tuple[int, int, int], size: int = 6) -> None:
    image = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.new("RGB", (size, size), colour).save(path)


@pytest.fixture
def pets(cli: Cli, tmp_path: Path) -> Path:
    """A spec and the weights of two steps of training; the photos that it was trained on are gone."""
    colours = {"cat": (250, 0, 0), "dog": (0, 250, 0), "fox": (0, 0, 250)}
    for name, colour in colours.items():
        for number in range(4):
            photo(tmp_path / "photos" / name / f"{number}.png", colour)
    spec = tmp_path / "pets.yaml"
    spec.write_text(PETS, encoding="utf-8")
    done = cli("train", spec, "--engine", "reference", "--weights", "w.safetensors")
    assert done.exit_code == 0, done.output
    shutil.rmtree(tmp_path / "photos")
    photo(tmp_path / "new" / "a.png", colours["cat"])
    photo(tmp_path / "new" / "b" / "c.jpg", colours["fox"], 9)
    photo(tmp_path / "new" / "d.png", colours["dog"])
    (tmp_path / "new" / "notes.txt").write_text("no photo", encoding="utf-8")
    return spec


def test_photos_are_classified_with_spec_and_weights_alone(cli: Cli, pets: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    for name in ("pets.yaml", "w.safetensors", "new"):
        shutil.move(tmp_path / name, other / name)
    done = cli(
        "predict",
        other / "pets.yaml",
        "--engine",
        "reference",
        "--weights",
        other / "w.safetensors",
        other / "new",
    )
    assert done.exit_code == 0, done.output
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["file", "class", "probability", "next"]
    assert [row.split()[:2] for row in rows] == [
        [str(other / "new" / name), kind]
        for name, kind in (("a.png", "cat"), ("d.png", "dog"), ("b/c.jpg", "fox"))
    ]
    assert rows[0].index("cat") == rows[2].index("fox") == header.index("class")


def test_json_csv_and_arrays_say_the_same(cli: Cli, pets: Path, tmp_path: Path) -> None:
    predict = ("predict", pets, *PLAIN, "new")
    lines = [json.loads(line) for line in cli(*predict, "--format", "json").stdout.splitlines()]
    assert [line["file"] for line in lines] == ["new/a.png", "new/d.png", "new/b/c.jpg"]
    first = lines[0]["outputs"]
    assert list(first) == ["scores"]  # `kind` is its argmax
    assert first["scores"]["class"] == "cat"
    every = [first["scores"]["probability"], *(other["probability"] for other in first["scores"]["next"])]
    assert sum(every) == pytest.approx(1)
    assert every == sorted(every, reverse=True)
    assert cli(*predict, "-o", "out.jsonl").exit_code == 0
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == lines
    assert cli(*predict, "--top", "1", "-o", "out.csv").stdout.startswith("wrote out.csv: 3 samples")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert rows[0] == {"file": "new/a.png", "class": "cat", "probability": str(np.float32(every[0]))}
    assert cli(*predict, "-o", "-", "--format", "json").stdout == (tmp_path / "out.jsonl").read_text()
    assert cli(*predict, "--top", "1", "-o", "-").stdout == (tmp_path / "out.csv").read_text()
    done = cli(*predict, "-o", "out.npz")
    assert "scores.probability float32 [3, 3]" in done.stdout
    arrays = read_npz(tmp_path / "out.npz")
    assert arrays["kind"].tolist() == arrays["scores.class"].tolist() == [0, 1, 2]
    np.testing.assert_allclose(arrays["scores.probability"][0].max(), every[0])
    powers = np.exp(arrays["scores"].astype(float))
    np.testing.assert_allclose(arrays["scores.probability"], powers / powers.sum(1, keepdims=True), rtol=1e-6)
    program = netwright.load(pets).compile(tmp_path / "w.safetensors", engine="reference")
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[..., 0] = 250
    np.testing.assert_allclose(program.predict(image=image)["scores"], arrays["scores"][:1], rtol=1e-5)
    assert program.classes == {"label": ("cat", "dog", "fox")}


def test_after_an_unreadable_file_the_others_follow(cli: Cli, pets: Path, tmp_path: Path) -> None:
    (tmp_path / "new" / "b" / "bad.png").write_bytes(b"junk")
    predict = ("predict", pets, *PLAIN)
    done = cli(*predict, "new")
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 4
    assert done.stderr == "error: new/b/bad.png: not a readable image\n"
    done = cli(*predict, "new", "-o", "out.npz")
    assert done.exit_code == 2
    assert "1 input could not be read" in done.stderr
    assert not (tmp_path / "out.npz").exists()
    assert cli(*predict, "new", "-o", "out.csv").exit_code == 1
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4
    odd = tmp_path / os.fsdecode(b"odd\xff.png")  # no text in any encoding
    shutil.copy(tmp_path / "new" / "a.png", odd)
    for form in ([], ["--format", "json"], ["-o", "-"]):
        done = cli(*predict, odd, *form)
        assert done.exit_code == 0
        assert "odd" in done.stdout
    done = cli(*predict, "new/b/bad.png", "-o", "none.csv")
    assert done.exit_code == 2
    assert done.stderr.endswith("error: nothing could be predicted\n")
    assert not (tmp_path / "none.csv").exists()


def test_weights_without_names_give_numbers_and_labels_come_first(
    cli: Cli, pets: Path, tmp_path: Path
) -> None:
    def rename(text: str | None) -> None:
        file = TensorFile(tmp_path / "w.safetensors")
        tensors = {name: file.read(name) for name in file.headers}
        metadata = {key: value for key, value in file.metadata.items() if key != CLASSES_KEY}
        write_tensors(tmp_path / "x.safetensors", tensors, metadata | ({CLASSES_KEY: text} if text else {}))

    predict = (
        "predict",
        pets,
        "--engine",
        "reference",
        "--weights",
        "x.safetensors",
        "new/d.png",
        "--top",
        "1",
    )
    rename(None)
    assert cli(*predict).stdout.splitlines()[1].split()[:2] == ["new/d.png", "1"]
    rename('{"label": ["cat", "dog\\u001b[31m", "fox"]}')
    assert cli(*predict).stdout.splitlines()[1].split()[:2] == ["new/d.png", "dog␛[31m"]
    for text in ("[]", '{"label": "cat"}', '{"label": ["cat", 3]}', '{"label": ["a", "a"]}', "{"):
        rename(text)
        done = cli(*predict)
        assert done.exit_code == 2
        assert "x.safetensors: the names of the classes can't be read" in done.stderr
    rename('{"label": ["cat", "dog", "fox"]}')
    labels = "outputs.scores={{from: head, labels: [{}]}}"
    done = cli(*predict, "--set", labels.format("Katze, Hund, Fuchs"))
    assert done.stdout.splitlines()[1].split()[:2] == ["new/d.png", "Hund"]
    done = cli(*predict, "--set", labels.format("dog, cat, fox"))
    assert done.exit_code == 2
    assert "another order than when the weights were trained: class 0 was 'cat' and is 'dog'" in done.stderr


def test_a_training_goes_on_with_its_classes_alone(cli: Cli, tmp_path: Path) -> None:
    rows = ["x0,x1,x2,x3,colour", *(f"{i},1,2,3,{'red' if i % 2 else 'blue'}" for i in range(8))]
    text = TINY.replace(
        "{train: train.npz, valid: valid.npz}",
        '{train: {type: csv, path: a.csv, columns: {x: "x*", t: colour}}}',
    )
    (tmp_path / "tiny.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "a.csv").write_text("\n".join(rows), encoding="utf-8")
    train = ("train", "tiny.yaml", *PLAIN, "--checkpoint", "c")
    assert cli(*train, "--epochs", "1").exit_code == 0
    assert cli(*train, "--epochs", "2", "--resume", "c").exit_code == 0
    # Neither evaluation nor prediction looks at the training data.
    (tmp_path / "a.csv").rename(tmp_path / "b.csv")
    evaluated = cli("evaluate", "tiny.yaml", *PLAIN, "--data", "test=b.csv")
    assert evaluated.exit_code == 0, evaluated.output
    predicted = cli("predict", "tiny.yaml", *PLAIN, "b.csv", "--format", "json")
    assert {json.loads(line)["outputs"]["y"]["class"] for line in predicted.stdout.splitlines()} <= {
        "red",
        "blue",
        "2",
    }
    (tmp_path / "a.csv").write_text("\n".join(rows).replace("red", "amber"), encoding="utf-8")
    done = cli(*train, "--epochs", "3", "--resume", "c")
    assert done.exit_code == 2
    assert "other classes: class 0 of t was 'blue' and is 'amber'" in done.stderr


def test_mistakes_in_the_command_come_before_any_answer(cli: Cli, pets: Path, tmp_path: Path) -> None:
    predict = ("predict", pets, *PLAIN)
    for arguments, code, message in (
        (["new/a.png", "new/notes.txt"], 2, "new/notes.txt is no image: those end in .png"),
        (["new/a.png", "none.png"], 2, "none.png: No such file or directory"),
        (["-"], 2, "standard input is not read for this"),
        ([], 2, "give paths to predict for, or texts with --text"),
        (["new", "--text", "x"], 2, "give paths to predict for, or texts with --text"),
        (["--text", "x"], 2, "pets is not declared to read text"),
        (["new", "--like", "test"], 2, "pets declares no data set test; there is train"),
        (["new", "--labelled"], 2, "no data set says that lines hold labels"),
        (["new", "-o", "out.txt"], 2, "out.txt has to end in .csv, .jsonl or .npz"),
        (["new", "-o", "out.csv", "--format", "json"], 2, "out.csv is no file of JSON lines"),
        (["new/a.png", "-o", "new/a.png"], 2, "-o: new/a.png"),
    ):
        done = cli(*predict, *arguments)
        assert done.exit_code == code
        assert message in done.stderr, done.output
        assert done.stdout == ""
    assert "Missing option '--weights'" in cli("predict", pets, "new").stderr
    (tmp_path / "empty").mkdir()
    assert "empty: no image is in this folder or below" in cli(*predict, "empty").stderr
    done = cli("predict", pets, "--weights", "none", "new")
    assert done.exit_code == 2
    assert "none" in done.stderr
