"""What a training does on a full disk, in a folder that becomes read-only, and with a bad row: a clear error, and what
was trained is kept.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.trainings.reading import Run

from .conftest import TINY, samples
from .test_runs import REFERENCE, comparable, trained

Cli = Callable[..., Result]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and mounts of POSIX")


def assert_same(run: str | Path, whole: str | Path) -> None:
    assert Run(run).weights.read_bytes() == Run(whole).weights.read_bytes()
    assert comparable(Run(run)) == comparable(Run(whole))


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Writing a file beyond ``size`` bytes fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [3000, 6000], ids=["the checkpoint", "the metrics"])
def test_files_that_may_not_grow(size: int, cli: Cli, tiny: Path, tmp_path: Path) -> None:
    """An epoch has 16 steps, whose records take about 2 KB; a checkpoint takes some 5 KB."""
    train = (tiny, "--epochs", 5, *REFERENCE)
    trained(cli, *train, "--name", "whole")
    with largest_file(size):
        said = trained(cli, *train, "--name", "a", code=2)
    run = Run("runs/a")
    assert run.state == "failed"
    assert "File too large" in said
    if size == 3000:
        assert "error: runs/a/weights.checkpoint: " in said
        assert not (run.path / "weights.checkpoint").exists()
    else:
        assert "error: runs/a/metrics.jsonl: " in said
        assert "note: what was trained is kept; add --resume runs/a to go on" in said
        assert 1 <= len(run.history) < 5
    assert not list(run.path.glob(".netwright*"))
    trained(cli, tiny, "--resume", "runs/a")
    assert_same("runs/a", "runs/whole")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 60 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=60k", "netwright-test", str(place)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(cli: Cli, tiny: Path, tmp_path: Path, small_disk: Path) -> None:
    train = (tiny, "--epochs", 20, *REFERENCE)
    trained(cli, *train, "--name", "whole")
    said = trained(cli, *train, "--runs", small_disk, "--name", "a", code=2)
    assert "No space left on device" in said
    assert f"what was trained is kept; add --resume {small_disk}/a to go on" in said
    assert 1 <= len(Run(small_disk / "a").history) < 20
    assert not list((small_disk / "a").glob(".netwright*"))
    shutil.copytree(small_disk / "a", tmp_path / "runs" / "a")  # to where there is room
    trained(cli, tiny, "--resume", "runs/a")
    assert_same("runs/a", "runs/whole")


def test_a_folder_that_becomes_read_only(tiny: Path, tmp_path: Path) -> None:
    """Root may write in any folder, but for one that is immutable."""

    def train(**options: Any) -> None:
        program = netwright.load(tiny).compile(entries=["loss", "train_step"], engine="reference")
        program.train(epochs=4, **options)

    def close(record: object) -> None:
        if getattr(record, "epoch", 0) == 2 and chattr("+i", tmp_path / "a") != 0:
            pytest.skip("no folder can be made immutable here")

    train(run=tmp_path / "whole")
    try:
        with pytest.raises(OSError, match=r"weights\.checkpoint") as error:
            train(run=tmp_path / "a", on_epoch=close)
        assert error.value.filename == str(tmp_path / "a" / "weights.checkpoint")
        # Nothing says that it failed: that could not be written either.
        run = Run(tmp_path / "a")
        assert (run.state, len(run.history)) == ("killed", 3)
    finally:
        chattr("-i", tmp_path / "a")
    train(resume=tmp_path / "a")
    assert_same(tmp_path / "a", tmp_path / "whole")


def chattr(change: str, path: Path) -> int:
    try:
        return subprocess.run(["chattr", change, str(path)], capture_output=True).returncode
    except FileNotFoundError:
        return 1


def test_a_bad_row_in_the_middle(cli: Cli, tmp_path: Path) -> None:
    """The data change between two parts of a training."""
    columns = "train: {type: csv, path: train.csv, columns: {x: [x*], t: t}}"
    spec = TINY.replace("train: train.npz", columns).replace(", valid: valid.npz", "")
    (tmp_path / "tiny.yaml").write_text(spec, encoding="utf-8")
    arrays = samples(64, 1)
    rows = [f"{','.join(map(repr, x.tolist()))},{t}" for x, t in zip(arrays["x"], arrays["t"], strict=True)]
    table = "\n".join(["x0,x1,x2,x3,t", *rows]) + "\n"
    (tmp_path / "train.csv").write_text(table)
    trained(cli, "tiny.yaml", "--epochs", 3, "--name", "whole", *REFERENCE)
    trained(cli, "tiny.yaml", "--epochs", 2, "--name", "a", *REFERENCE)
    before = {path.name: path.read_bytes() for path in Path("runs/a").iterdir()}
    (tmp_path / "train.csv").write_text(table.replace(rows[30], "0.1,oops,0.3,0.4,1"))
    said = trained(cli, "tiny.yaml", "--resume", "runs/a", "--epochs", 3, code=2)
    assert "train.csv:32" in said or "line 32" in said
    assert "oops" in said
    assert {path.name: path.read_bytes() for path in Path("runs/a").iterdir()} == before
    (tmp_path / "train.csv").write_text(table)
    trained(cli, "tiny.yaml", "--resume", "runs/a", "--epochs", 3)
    assert_same("runs/a", "runs/whole")


def test_an_image_that_can_not_be_read(cli: Cli, tmp_path: Path) -> None:
    """Its header can: the error comes when its batch is read, in the middle of an epoch."""
    pil = pytest.importorskip("PIL.Image")
    generator = np.random.default_rng(0)
    for number in range(24):
        folder = tmp_path / "photos" / ("dark", "light")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 128, (16, 16)) + 127 * (number % 2)
        pil.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02}.png")
    (tmp_path / "photos.yaml").write_text(PHOTOS, encoding="utf-8")
    trained(cli, "photos.yaml", "--name", "whole", *REFERENCE)
    victim = tmp_path / "photos" / "light" / "13.png"
    content = victim.read_bytes()
    victim.write_bytes(content[:60])
    said = trained(cli, "photos.yaml", "--name", "a", *REFERENCE, code=2)
    assert "13.png" in said
    assert "note: what was trained is kept; add --resume runs/a to go on" in said
    assert Run("runs/a").state == "failed"
    assert Run("runs/a").steps
    victim.write_bytes(content)
    trained(cli, "photos.yaml", "--resume", "runs/a")
    assert_same("runs/a", "runs/whole")


PHOTOS = """\
netwright: 1
model: photos
dims: {N: batch}
inputs: {photo: {shape: [N, 16, 16, 1]}}
layers:
  - {name: flat, type: flatten}
  - {name: head, type: dense, units: 2}
outputs: {y: head}
train:
  data: {train: {type: images, path: photos}}
  loss: {type: softmax_cross_entropy, output: y, target: kind}
  epochs: 2
  batch_size: 2
"""
