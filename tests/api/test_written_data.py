"""`netwright data -o`: data sets as arrays, and trainings on those, in process and by executables."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

import netwright
from netwright.runtime.data.archives import names_in
from netwright.runtime.data.dataset import open_dataset
from netwright.runtime.errors import DataError

from ..kills.trainers import left

Cli = Callable[..., Result]
COMPILER = shutil.which("cc")
SPEC = """\
netwright: 1
model: rows
dims: {N: batch, T: time}
inputs: {x: {shape: [N, 3]}, w: {shape: [N, T], dtype: int64, lengths: n}, n: {shape: [N], dtype: int64}}
layers:
  - {name: e, type: embedding, inputs: [w], input_dim: 12, output_dim: 3}
  - {name: r, type: gru, units: 3, return_sequences: false}
  - {name: all, type: concat, inputs: [r, x]}
  - {name: y, type: dense, units: 3}
outputs: {y: y}
train:
  data:
    train: {type: csv, path: rows.csv, columns: {x: 'p*', t: kind, w: words}, text: {w: {}}}
    valid: {from: train, fraction: 0.2}
  targets: {t: {shape: [N], dtype: int64}}
  loss: {type: softmax_cross_entropy, output: y, target: t}
  epochs: 2
  batch_size: 8
"""


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A table with words as classes, and a column of text."""
    random = Random(1)
    lines = ["p1,p2,p3,kind,words"]
    for row in range(50):
        words = " ".join(random.choices("abcdefg", k=random.randint(1, 4)))
        lines.append(f'{random.random()},{row},{-row / 1000},"{random.choice(["cat", "dog", "é"])}",{words}')
    (tmp_path / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    path = tmp_path / "rows.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def test_arrays_are_those_of_the_table_and_train_to_its_bits(cli: Cli, rows: Path) -> None:
    done = cli("data", rows, "-o", "arrays")
    assert done.exit_code == 0, done.output
    assert "wrote arrays/train.npz: 50 samples, " in done.output
    assert [path.name for path in rows.with_name("arrays").iterdir()] == ["train.npz"]
    written = rows.with_name("arrays") / "train.npz"
    classes, vocabularies = names_in(written)
    assert classes == {"t": ("cat", "dog", "é")}
    assert vocabularies["w"].entries[:2] == ("<pad>", "<unk>")
    with np.load(written) as arrays:
        assert arrays["x"].dtype == np.float32
        assert arrays["w"].shape == (50, 4)
    assert cli("train", rows, "--weights", "table.safetensors", "-q").exit_code == 0
    assert cli("train", rows, "--data", f"train={written}", "--weights", "a.safetensors", "-q").exit_code == 0
    table, arrays = (rows.with_name(f"{name}.safetensors").read_bytes() for name in ("table", "a"))
    assert table == arrays
    again = cli("data", rows, "--data", f"train={written}", "-o", "again")
    assert again.exit_code == 0
    assert "t: cat " in again.output
    assert rows.with_name("again").joinpath("train.npz").read_bytes() == written.read_bytes()


@pytest.mark.skipif(COMPILER is None, reason="no C compiler (install gcc or clang)")
def test_executables_train_on_them_and_keep_the_names(cli: Cli, rows: Path) -> None:
    folder = rows.parent
    assert cli("data", rows, "-o", "arrays").exit_code == 0
    assert cli("compile", rows, "--entry", "train", "-o", "trainer").exit_code == 0

    def train(name: str, *more: str, data: str = "arrays/train.npz") -> subprocess.CompletedProcess[str]:
        command = [str(folder / "trainer"), "-d", f"train={data}", "--weights", f"{name}.safetensors", *more]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)

    assert train("c", "--epochs", "1").returncode == 0
    assert cli("train", rows, "--resume", "c.checkpoint", "--epochs", "2", "-q").exit_code == 0
    done = train("c", "--resume", "c.checkpoint", "--epochs", "3")
    assert done.returncode == 0, done.stderr
    assert cli("train", rows, "--weights", "python.safetensors", "--epochs", "3", "-q").exit_code == 0
    assert left(folder, "c") == left(folder, "python")
    names = [netwright.load(rows).compile(folder / f"{name}.safetensors").classes for name in ("c", "python")]
    assert names == [{"t": ("cat", "dog", "é")}] * 2

    done = train("d", data="rows.csv")
    assert done.returncode == 2
    assert "`netwright data SPEC -o FOLDER` makes such files of tables, images, sound and text" in done.stderr
    np.savez(folder / "bare.npz", **np.load(folder / "arrays/train.npz"))
    _with_names(folder / "bare.npz", {"vocabularies": '{"w": "other"}'})
    done = train("d", "--resume", "c.checkpoint", data="bare.npz")
    assert done.returncode == 2
    assert "is from a training on data with other vocabularies" in done.stderr
    _with_names(folder / "bare.npz", ["no object"])
    done = train("d", data="bare.npz")
    assert done.returncode == 2
    assert "netwright.metadata can't be read: it is no object of texts" in done.stderr


def test_samples_that_overlap_are_written_as_they_are_split(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "series.csv").write_text("a\n" + "\n".join(map(str, range(40))), encoding="utf-8")
    path = tmp_path / "series.yaml"
    path.write_text(
        "netwright: 1\nmodel: series\ndims: {N: batch}\ninputs: {x: {shape: [N, 5, 1]}}\nlayers:\n"
        "  - {name: flat, type: flatten}\n  - {name: y, type: dense, units: 1}\noutputs: {y: y}\ntrain:\n  data:\n"
        "    train: {type: csv, path: series.csv, columns: {x: a, t: a}, window: 5, ahead: 1}\n"
        "    valid: {from: train, fraction: 0.2}\n"
        "  targets: {t: {shape: [N, 1], dtype: float32}}\n  loss: {type: mse, output: y, target: t}\n  epochs: 1\n"
        "  batch_size: 4\n",
        encoding="utf-8",
    )
    done = cli("data", path, "-o", "sets")
    assert done.exit_code == 0, done.output
    with np.load(tmp_path / "sets/train.npz") as train, np.load(tmp_path / "sets/valid.npz") as valid:
        assert train["x"].shape == (23, 5, 1)
        assert valid["t"][:, 0].tolist() == list(range(33, 40))
    done = cli("compile", path, "--entry", "train", "-o", "trainer")
    assert done.exit_code == 1
    assert "NW0413" in done.output
    assert "does not split windows that overlap" in done.output


def test_images_are_written_as_they_are_read(cli: Cli, tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (6, 4, 5), np.uint8)
    for number, pixels in enumerate(drawn):
        place = tmp_path / "images" / ("left", "right")[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place)
    path = tmp_path / "images.yaml"
    path.write_text(
        "netwright: 1\nmodel: sides\ndims: {N: batch}\ninputs: {x: {shape: [N, 4, 5, 1]}}\nlayers:\n"
        "  - {name: flat, type: flatten}\n  - {name: y, type: dense, units: 2}\noutputs: {y: y}\ntrain:\n"
        "  data: {train: {type: images, path: images}}\n  targets: {t: {shape: [N], dtype: int64}}\n"
        "  loss: {type: softmax_cross_entropy, output: y, target: t}\n  epochs: 1\n  batch_size: 4\n",
        encoding="utf-8",
    )
    assert cli("data", path, "-o", "sets").exit_code == 0
    samples = open_dataset(tmp_path / "sets/train.npz")
    assert samples.classes == {"t": ("left", "right")}
    read = samples.read(slice(None), ("x", "t"))
    assert read["x"].dtype == np.uint8
    np.testing.assert_array_equal(read["x"][..., 0], drawn[[0, 2, 4, 1, 3, 5]])
    assert read["t"].tolist() == [0, 0, 0, 1, 1, 1]


def test_nothing_is_written_where_a_set_does_not_fit(cli: Cli, rows: Path) -> None:
    rows.write_text(SPEC.replace("input_dim: 12", "input_dim: 4"), encoding="utf-8")
    assert cli("data", rows, "-o", "arrays").exit_code == 1
    assert not rows.with_name("arrays").exists()
    rows.write_text(SPEC, encoding="utf-8")
    rows.with_name("arrays").write_text("taken")
    done = cli("data", rows, "-o", "arrays")
    assert done.exit_code == 2
    assert "arrays is a file: name a folder" in done.output


@pytest.mark.parametrize("written", ["[", '["t"]', '{"classes": "{"}', '{"vocabularies": "[1]"}'])
def test_names_that_can_not_be_read_are_errors(written: str, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz",
        **{"x": np.zeros(3), "netwright.metadata": np.frombuffer(written.encode(), np.uint8)},
    )
    with pytest.raises(DataError, match="can't be read"):
        open_dataset(tmp_path / "a.npz")


def _with_names(path: Path, names: object) -> None:
    """Puts names into an archive in place of those that it has."""
    with np.load(path) as arrays:
        kept = {name: array for name, array in arrays.items() if name != "netwright.metadata"}
    text = json.dumps(names).encode()
    np.savez(path, **kept, **{"netwright.metadata": np.frombuffer(text, np.uint8)})
    assert zipfile.is_zipfile(path)
