"""`netwright predict` for files of many samples and for sequences: tables, arrays, texts, tokens, recordings."""

import csv
import io
import json
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.runtime.files.npz import read_npz
from netwright.runtime.files.tensors import TensorFile

from .conftest import TINY, samples
from .test_predict import PLAIN
from .test_text_sets import SPEC as MOOD
from .test_text_sets import write as write_texts

Cli = Callable[..., Result]


@pytest.fixture
def colours(cli: Cli, tmp_path: Path) -> Path:
    """A spec that takes all columns but the one of the classes, and weights that take the largest number."""
    path = tmp_path / "colours.yaml"
    declared = "{train: {type: csv, path: all.csv, columns: {x: '*', t: colour}}}"
    path.write_text(TINY.replace("{train: train.npz, valid: valid.npz}", declared), encoding="utf-8")
    program = netwright.load(path).compile(engine="reference")
    program.classes = {"t": ("red", "green", "blue")}
    program.save_weights(tmp_path / "w.safetensors")
    return path


def test_rows_need_no_target_and_a_bad_row_costs_no_other(cli: Cli, colours: Path, tmp_path: Path) -> None:
    x = samples(5, 3)["x"]
    rows = [",".join(f"{value:.9g}" for value in row) for row in x]
    (tmp_path / "bare.csv").write_text("\n".join(["a,b,c,d", *rows]), encoding="utf-8")
    (tmp_path / "full.csv").write_text(
        "\n".join(["a,b,colour,c,d", *rows]).replace(",", ",?,", 2), encoding="utf-8"
    )
    labelled = [",".join([*row.split(",")[:2], "red", *row.split(",")[2:]]) for row in rows]
    (tmp_path / "full.csv").write_text("\n".join(["a,b,colour,c,d", *labelled]), encoding="utf-8")
    (tmp_path / "rows.tsv").write_text("\n".join(["a,b,c,d", *rows]).replace(",", "\t"), encoding="utf-8")
    predict = ("predict", colours, *PLAIN, "--format", "json", "--batch", "2")
    expected = (
        netwright.load(colours).compile(tmp_path / "w.safetensors", engine="reference").predict(x=x)["y"]
    )
    names = [("red", "green", "blue")[number] for number in expected.argmax(1)]
    for path in ("bare.csv", "full.csv", "rows.tsv"):
        lines = [json.loads(line) for line in cli(*predict, path).stdout.splitlines()]
        assert [line["outputs"]["y"]["class"] for line in lines] == names
        assert [(line["file"], line["line"]) for line in lines] == [(path, row) for row in range(2, 7)]
    piped = cli(*predict, "-", input=(tmp_path / "bare.csv").read_bytes())
    assert json.loads(piped.stdout.splitlines()[0])["file"] == "standard input"
    broken = (tmp_path / "bare.csv").read_text().splitlines()
    broken[2] = "1,x,1,1"
    (tmp_path / "bare.csv").write_text("\n".join(broken), encoding="utf-8")
    done = cli(*predict, "bare.csv")
    assert done.exit_code == 1
    assert done.stderr == "error: bare.csv, line 3, column 'b': 'x' is no number\n"
    assert [json.loads(line)["line"] for line in done.stdout.splitlines()] == [2, 4, 5, 6]
    named = ("--set", "train.data.train.columns={x: [a, b, c, d], t: colour}")
    (tmp_path / "less.csv").write_text("a,b,c\n1,2,3\n", encoding="utf-8")
    done = cli(*predict, "less.csv", *named)
    assert done.exit_code == 2
    assert "less.csv: there is no column 'd', for x" in done.stderr


def test_parquet_is_read_in_batches(cli: Cli, colours: Path, tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    x = samples(5, 3)["x"]
    columns = {name: x[:, i] for i, name in enumerate("abcd")}
    parquet.write_table(arrow.table(columns), tmp_path / "in.parquet")
    predict = ("predict", colours, *PLAIN, "in.parquet", "--batch", "2")
    done = cli(*predict, "-o", "out.npz")
    assert done.exit_code == 0, done.output
    expected = (
        netwright.load(colours).compile(tmp_path / "w.safetensors", engine="reference").predict(x=x)["y"]
    )
    np.testing.assert_allclose(read_npz(tmp_path / "out.npz")["y"], expected, rtol=1e-6)
    parquet.write_table(arrow.table(columns | {"b": [1.0, 2.0, 3.0, None, 5.0]}), tmp_path / "in.parquet")
    done = cli(*predict, "--format", "json")
    assert done.exit_code == 1
    assert done.stderr == "error: in.parquet, row 3, column 'b': the cell is empty\n"
    assert [json.loads(line)["row"] for line in done.stdout.splitlines()] == [0, 1, 2, 4]


def test_arrays_are_read_whatever_the_data_are(cli: Cli, colours: Path, tmp_path: Path) -> None:
    arrays = samples(5, 3)
    np.savez(tmp_path / "in.npz", **arrays)
    np.save(tmp_path / "in.npy", arrays["x"].astype(np.float64))
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "x.npy", arrays["x"])
    shown = [cli("predict", colours, *PLAIN, path, "--batch", "2") for path in ("in.npz", "in.npy", "folder")]
    assert shown[0].stdout.splitlines()[0].split() == ["sample", "class", "probability", "next"]
    assert shown[0].stdout == shown[1].stdout
    assert shown[1].stderr == "note: in.npy: x is float64; its numbers are rounded to float32\n"
    lines = [[line.split() for line in done.stdout.splitlines()] for done in shown]
    assert [line[1:] for line in lines[2]] == lines[0]
    bare = colours.read_text().partition("  data:")
    rest = bare[2].partition("\n")[2]
    colours.write_text(bare[0] + rest, encoding="utf-8")
    done = cli("predict", colours, *PLAIN, "folder", "--format", "json")
    assert json.loads(done.stdout.splitlines()[0])["sample"] == 0
    piped = cli("predict", colours, *PLAIN, "-", input=(tmp_path / "in.npy").read_bytes())
    assert piped.exit_code == 0, piped.output
    done = cli("predict", colours, *PLAIN, "photo.png")
    assert done.exit_code == 2
    assert "photo.png: tiny declares no data set that says how it is read" in done.stderr
    np.save(tmp_path / "in.npy", arrays["x"][:, :3])
    done = cli("predict", colours, *PLAIN, "in.npy")
    assert "in.npy does not fit the model:\n  x: axis 1 must be 4" in done.stderr


@pytest.fixture
def mood(cli: Cli, tmp_path: Path) -> Path:
    """A spec and weights trained on texts, which are gone."""
    write_texts(tmp_path / "texts.txt")
    path = tmp_path / "mood.yaml"
    path.write_text(MOOD, encoding="utf-8")
    assert cli("train", path, *PLAIN).exit_code == 0
    (tmp_path / "texts.txt").rename(tmp_path / "old.txt")
    return path


def test_texts_are_lines_files_or_given(cli: Cli, mood: Path, tmp_path: Path) -> None:
    predict = ("predict", mood, *PLAIN)
    done = cli(*predict, "-", input=b"it was great\r\nsad\nwhat a zebra\n")
    assert done.exit_code == 0
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:3]] == [["1", "it"], ["2", "sad"]]
    assert done.stderr == "note: 2 of 7 tokens are not in the vocabulary of words\n"
    one = cli(*predict, "--text", "it was great", "--text", "sad", "--format", "json")
    answers = [json.loads(line) for line in one.stdout.splitlines()]
    assert [(line["text"], line["outputs"]["y"]["class"]) for line in answers] == [
        ("it was great", "good"),
        ("sad", "bad"),
    ]
    table = cli(*predict, "--text", "it was great", "--top", "1").stdout.splitlines()
    assert [line.split() for line in table] == [
        ["text", "class", "probability"],
        ["it", "was", "great", "good", f"{answers[0]['outputs']['y']['probability']:.4f}"],
    ]
    lines = cli(*predict, "--text", "it was, great", "--top", "1", "-o", "-").stdout
    assert lines.startswith('text,class,probability\n"it was, great",good,0.9')
    (tmp_path / "reviews" / "b").mkdir(parents=True)
    (tmp_path / "reviews" / "b" / "1.txt").write_text("it was\ngreat", encoding="utf-8")
    (tmp_path / "reviews" / "a.txt").write_bytes(b"\xff")
    done = cli(*predict, "reviews", "--format", "json")
    assert done.exit_code == 1
    assert "reviews/a.txt, line 1, column 1: the text is not UTF-8" in done.stderr
    assert json.loads(done.stdout)["file"] == "reviews/b/1.txt"
    whole = json.loads(done.stdout)["outputs"]["y"]
    assert whole["probability"] == pytest.approx(answers[0]["outputs"]["y"]["probability"], rel=1e-5)


def test_labels_in_lines_are_left_out_when_that_is_said(cli: Cli, mood: Path, tmp_path: Path) -> None:
    predict = ("predict", mood, *PLAIN, "old.txt", "--format", "json")
    done = cli(*predict)
    assert done.stderr.startswith(
        "note: old.txt: the first line has a tab, as lines with a label have: --labelled"
    )
    done = cli(*predict, "--labelled", "--batch", "7")
    assert done.stderr == ""
    lines = (tmp_path / "old.txt").read_text().splitlines()
    found = [json.loads(line)["outputs"]["y"]["class"] for line in done.stdout.splitlines()]
    right = [line.split("\t")[0] for line in lines]
    assert np.mean([a == b for a, b in zip(found, right, strict=True)]) > 0.95
    bare = "\n".join(line.split("\t")[1] for line in lines).encode()
    alone = cli("predict", mood, *PLAIN, "-", "--batch", "1", "-o", "one.npz", input=bare)
    assert alone.exit_code == 0
    assert cli("predict", mood, *PLAIN, "-", "-o", "all.npz", input=bare).exit_code == 0
    np.testing.assert_allclose(
        read_npz(tmp_path / "one.npz")["y"], read_npz(tmp_path / "all.npz")["y"], atol=1e-5
    )


def test_unknown_words_without_an_entry_for_them_are_errors(cli: Cli, mood: Path, tmp_path: Path) -> None:
    strict = ("--set", "train.data.train.vocabulary={unknown: null}")
    (tmp_path / "old.txt").rename(tmp_path / "texts.txt")
    assert cli("train", mood, *PLAIN, "--epochs", "1", "--force", *strict).exit_code == 0
    done = cli("predict", mood, *PLAIN, *strict, "-", "--format", "json", input=b"a film\na zebra\nit was\n")
    assert done.exit_code == 1
    assert "error: standard input, line 2: 'zebra' is no entry of the vocabulary of words" in done.stderr
    assert [json.loads(line)["line"] for line in done.stdout.splitlines()] == [1, 3]
    done = cli("predict", mood, *PLAIN, "-", input=b"a film\n")
    assert done.exit_code == 2
    assert "the vocabulary of words changed" in done.stderr


TONES = """\
netwright: 1
model: tones
dims: {N: batch, T: {role: time, min: 4, max: 50, multiple_of: 2}}
inputs: {x: {shape: [N, T, 1], lengths: n}, n: {shape: [N], dtype: int64}}
layers:
  - {name: read, type: gru, units: 3, inputs: [x]}
  - {name: steps, type: dense, units: 2}
  - {name: level, type: dense, units: 1, inputs: [read]}
outputs: {steps: steps, level: level}
train:
  data: {valid: {type: audio, path: sounds, rate: 8000}}
  targets: {t: {shape: [N, T], dtype: int64}, l: {shape: [N, T, 1], dtype: float32}}
  loss:
    - {type: softmax_cross_entropy, output: steps, target: t}
    - {type: mse, output: level, target: l, steps: last}
"""


def sound(path: Path, count: int, rate: int = 8000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.arange(0, 300 * count, 300, dtype="<i2").tobytes())


def test_sequences_have_the_steps_that_there_are(cli: Cli, tmp_path: Path) -> None:
    spec = tmp_path / "tones.yaml"
    spec.write_text(TONES, encoding="utf-8")
    program = netwright.load(spec).compile(engine="reference")
    program.classes = {"t": ("low", "high")}
    program.save_weights(tmp_path / "w.safetensors")
    for name, count in (("a.wav", 3), ("b.WAV", 7), ("c.wav", 40)):
        sound(tmp_path / name, count)
    predict = ("predict", spec, *PLAIN)
    lines = [json.loads(line) for line in cli(*predict, ".", "--format", "json").stdout.splitlines()]
    assert [line["file"] for line in lines] == ["a.wav", "b.WAV", "c.wav"]
    assert [len(line["outputs"]["steps"]["classes"]) for line in lines] == [3, 7, 40]
    x = (np.arange(0, 900, 300) / 32768).astype(np.float32)[None, :, None]
    padded = np.pad(x, [(0, 0), (0, 1), (0, 0)])
    expected = program.predict(x=padded, n=np.array([3]))
    assert lines[0]["outputs"]["level"] == pytest.approx(expected["level"][0, 2].tolist(), rel=1e-5)
    assert set(lines[0]["outputs"]["steps"]["classes"]) <= {"low", "high"}
    table = cli(*predict, "c.wav").stdout
    assert "… (40 steps)" in table
    done = cli(*predict, "a.wav", "b.WAV", "c.wav", "-o", "out.npz")
    arrays = read_npz(tmp_path / "out.npz")
    assert arrays["steps.steps"].tolist() == [3, 7, 40]
    assert arrays["steps"].shape == (3, 40, 2), done.output
    assert cli(*predict, "a.wav", "-o", "out.csv").exit_code == 0
    header, row = csv.reader(io.StringIO((tmp_path / "out.csv").read_text()))
    assert header == ["file", "steps.classes", "steps.probabilities", "level"]
    assert json.loads(row[1]) == lines[0]["outputs"]["steps"]["classes"]
    sound(tmp_path / "d.wav", 51)
    sound(tmp_path / "e.wav", 4, 16000)
    done = cli(*predict, "d.wav", "e.wav", "a.wav")
    assert done.exit_code == 1
    assert done.stderr == (
        "error: d.wav: 51 steps are too many: x takes at most 50; length cuts\n"
        "error: e.wav has 16,000 samples per second, rate says 8,000\n"
    )


def test_tokens_are_lines_or_arrays(cli: Cli, mood: Path, tmp_path: Path) -> None:
    mood.write_text(MOOD.replace("type: text", "type: tokens"), encoding="utf-8")
    np.savez(tmp_path / "in.npz", ids=np.array([2, 3, 4, 5]), offsets=np.array([0, 3, 4]))
    predict = ("predict", mood, *PLAIN, "--format", "json")
    piped = cli(*predict, "-", input=b"2 3 4\n5\n")
    arrays = cli(*predict, "in.npz")
    assert arrays.exit_code == piped.exit_code == 0, arrays.output
    a, b = ([json.loads(line)["outputs"] for line in done.stdout.splitlines()] for done in (piped, arrays))
    assert a == b
    done = cli(*predict, "-", input=b"2 99\n2 x\n2\n")
    assert done.exit_code == 1
    assert "standard input, line 1 has the index 99" in done.stderr
    assert "standard input, line 2, token 2: 'x' is no whole number" in done.stderr


def test_a_batch_of_fixed_size_is_filled(cli: Cli, tmp_path: Path) -> None:
    spec = tmp_path / "fixed.yaml"
    spec.write_text(
        "netwright: 1\nmodel: fixed\ninputs: {x: {shape: [2, 4]}}\n"
        "layers: [{name: head, type: dense, units: 3}]\noutputs: {y: head}\n",
        encoding="utf-8",
    )
    netwright.load(spec).compile(engine="reference").save_weights(tmp_path / "w.safetensors")
    np.save(tmp_path / "x.npy", samples(5, 1)["x"])
    assert cli("predict", spec, *PLAIN, "x.npy", "-o", "out.npz").exit_code == 0
    weights = TensorFile(tmp_path / "w.safetensors")
    expected = samples(5, 1)["x"] @ weights.read("head.kernel") + weights.read("head.bias")
    np.testing.assert_allclose(read_npz(tmp_path / "out.npz")["y"], expected, rtol=1e-5, atol=1e-6)
    assert cli("predict", spec, *PLAIN, "x.npy", "-o", "out.csv").exit_code == 0
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "file,sample,y.0,y.1,y.2"
