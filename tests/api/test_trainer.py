"""Executables that train: the bits of `netwright train`, checkpoints that either resumes, signals, and refusals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netwright
from netwright.artifacts.files import Request, save
from netwright.errors import SpecError
from netwright.runtime.files.tensors import TensorFile
from netwright.runtime.training.plan import DivergedError

from ..kills.trainers import disturb, left
from ..targets.runners import lacking

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (install gcc or clang)")

SPEC: dict[str, Any] = {
    "netwright": 1,
    "model": "reader",
    "dims": {"N": "batch", "T": "time"},
    "inputs": {
        "x": {"shape": ["N", "T", 2], "lengths": "steps"},
        "steps": {"shape": ["N"], "dtype": "int64"},
    },
    "layers": [
        {"name": "read", "type": "gru", "units": 4, "inputs": ["x"], "return_sequences": False},
        {"name": "norm", "type": "batch_norm"},
        {"name": "drop", "type": "dropout", "rate": 0.3},
        {"name": "head", "type": "dense", "units": 3},
    ],
    "outputs": {"y": "head"},
    "train": {
        "data": {
            "train": "train.npz",
            "test": {"from": "train", "folds": 9, "fold": 2},
            "valid": {"from": "train", "fraction": 0.3, "stratify": "t", "seed": 4},
        },
        "group_by_length": True,
        "balance": "t",
        "augment": {"x": [{"type": "noise", "deviation": 0.05}, {"type": "mask", "most": 2}]},
        "targets": {"t": {"shape": ["N"], "dtype": "int64"}},
        "loss": {"type": "softmax_cross_entropy", "output": "y", "target": "t"},
        "metrics": ["accuracy", "f1", "perplexity"],
        "optimizer": {
            "type": "adamw",
            "learning_rate": {"type": "cosine", "initial": 0.05, "steps": 40, "warm_up": 3},
        },
        "accumulate": 2,
        "ema": {"decay": 0.8},
        "clip_norm": 0.5,
        "freeze": ["read.bias"],
        "early_stopping": {"patience": 3, "monitor": "valid_f1"},
        "epochs": 6,
        "batch_size": 8,
        "seed": 5,
        "checkpoint": {"every": {"steps": 3}},
    },
}


def samples(count: int, seed: int) -> dict[str, np.ndarray]:
    """Sequences of one to nine steps, and a class that depends on their sums."""
    generator = np.random.default_rng(seed)
    steps = generator.integers(1, 10, count)
    x = generator.normal(size=(count, 9, 2)).astype(np.float32)
    x[np.arange(9) >= steps[:, None]] = 0
    return {"x": x, "steps": steps, "t": np.digitize(x.sum(axis=(1, 2)), (-1.0, 1.0))}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("trainer"), SPEC)


def trained(folder: Path, spec: dict[str, Any]) -> Path:
    """A folder with the executable, its data, and what it leaves when nothing disturbs it."""
    (folder / "spec.json").write_text(json.dumps(spec))
    model = netwright.load(folder / "spec.json")
    np.savez(folder / "train.npz", **samples(77, 1))
    np.savez_compressed(folder / "valid.npz", **samples(30, 2))
    save(model.load, model.network, None, folder / "trainer", Request(entries=("train_step",)))
    done = run(folder, "whole.safetensors")
    assert done.returncode == 0, done.stderr
    return folder


def words(folder: Path, weights: str, *more: str) -> list[str]:
    data = ["-d", f"train={folder / 'train.npz'}", "-d", f"valid={folder / 'valid.npz'}"]
    return [str(folder / "trainer"), *data, "--weights", str(folder / weights), *more]


def run(folder: Path, weights: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words(folder, weights, *more), capture_output=True, text=True, timeout=120)


def in_process(folder: Path, name: str, *, split: bool = False, **options: Any) -> None:
    """Trains as `netwright train` does."""
    program = netwright.load(folder / "spec.json").compile(entries=("loss", "train_step"))
    valid = None if split else folder / "valid.npz"
    program.train(folder / "train.npz", valid, checkpoint=folder / f"{name}.checkpoint", **options)
    program.save_weights(folder / f"{name}.safetensors")


@pytest.fixture(scope="module")
def whole(made: Path) -> tuple[bytes, dict[str, bytes], dict[str, Any]]:
    return left(made, "whole")


def test_trains_to_the_bits_of_the_process(made: Path, whole: Any) -> None:
    in_process(made, "python")
    assert left(made, "python") == whole


@pytest.mark.deep  # compiles another trainer
def test_trains_to_the_bits_of_the_process_in_mixed_precision(tmp_path: Path) -> None:
    folder = trained(tmp_path, {**SPEC, "train": {**SPEC["train"], "precision": "mixed_bfloat16"}})
    in_process(folder, "python")
    assert left(folder, "python") == left(folder, "whole")


def test_takes_splits_out_of_the_data(made: Path) -> None:
    command = words(made, "split.safetensors")
    done = subprocess.run([*command[:3], *command[5:]], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    in_process(made, "python-split", split=True)
    assert left(made, "split") == left(made, "python-split")


def test_each_resumes_the_others_checkpoints(made: Path, whole: Any) -> None:
    for first in ("python", "trainer"):
        name = f"{first}-first"
        checkpoint = made / f"{name}.checkpoint"
        for epochs in (1, 2, 3):
            python = (first == "python") == (epochs % 2 == 1)
            if python:
                in_process(made, name, epochs=epochs, **({"resume": checkpoint} if epochs > 1 else {}))
            else:
                more = ["--resume", str(checkpoint)] if epochs > 1 else []
                done = run(made, f"{name}.safetensors", "--epochs", str(epochs), *more)
                assert done.returncode == 0, done.stderr
        done = run(made, f"{name}.safetensors", "--resume", str(checkpoint))
        assert done.returncode == 0, done.stderr
        assert left(made, name) == whole


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_has_the_same_bits_on_any_number_of_threads(made: Path, whole: Any, threads: str) -> None:
    assert run(made, f"threads-{threads}.safetensors", "--threads", threads).returncode == 0
    assert left(made, f"threads-{threads}") == whole


def test_goes_on_after_kills_at_random(made: Path, whole: Any) -> None:
    counts = disturb(words(made, "killed.safetensors"), made / "killed.checkpoint", count=8, seed=3)
    assert counts[-signal.SIGKILL] >= 2
    assert left(made, "killed") == whole
    assert not list(made.glob(".netwright*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stops_on_signals(made: Path, whole: Any, number: signal.Signals) -> None:
    name = f"stopped-{number}"
    command = [*words(made, f"{name}.safetensors"), "--epochs", "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "1/1000000" in line:
                break
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode in (0, 128 + number)  # 0: early stopping came first
    if process.returncode:
        assert said == f"stopped; add  --resume {made / name}.checkpoint  to go on\n"
        assert not (made / f"{name}.safetensors").exists()
    assert run(made, f"{name}.safetensors", "--resume", str(made / f"{name}.checkpoint")).returncode == 0
    assert left(made, name) == whole


def test_starts_with_other_weights(made: Path) -> None:
    start = made / "whole.safetensors"
    done = run(made, "tuned.safetensors", "--init", str(start), "--epochs", "2")
    assert done.returncode == 0, done.stderr
    assert f"took 10 of 10 tensors from {start}, " in done.stdout
    program = netwright.load(made / "spec.json").compile(entries=("loss", "train_step"))
    program.warm_start(start)
    program.train(made / "train.npz", made / "valid.npz", epochs=2)
    program.save_weights(made / "python-tuned.safetensors")
    assert (made / "tuned.safetensors").read_bytes() == (made / "python-tuned.safetensors").read_bytes()
    before, after = (TensorFile(made / f"{name}.safetensors") for name in ("whole", "tuned"))
    assert before.read("read.bias").tobytes() == after.read("read.bias").tobytes()
    assert before.read("head.bias").tobytes() != after.read("head.bias").tobytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the root folder")
def test_runs_where_there_is_nothing_else(made: Path, whole: Any, tmp_path: Path) -> None:
    for name in ("trainer", "train.npz", "valid.npz"):
        shutil.copy(made / name, tmp_path / name)
    command = ["/trainer", "-d", "train=train.npz", "-d", "valid=valid.npz", "--weights", "alone.safetensors"]
    done = subprocess.run(["chroot", str(tmp_path), *command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert left(tmp_path, "alone") == whole


@pytest.mark.deep  # the C library takes half a minute to compile
@pytest.mark.skipif(lacking("x86_64-linux-musl") is not None, reason="no program for musl runs here")
def test_has_the_same_bits_with_another_c_library(made: Path, whole: Any) -> None:
    """Linked statically by another compiler, with another libm and other threads: only the CPU is the same.

    Perplexity is the exponential of a loss by the C library, whose last bit is its own.
    """
    model = netwright.load(made / "spec.json")
    request = Request(entries=("train_step",), target="x86_64-linux-musl", cpu="native")
    save(model.load, model.network, None, made / "trainer-musl", request)
    command = words(made, "musl.safetensors", "--threads", "2")
    done = subprocess.run([f"{command[0]}-musl", *command[1:]], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert b"ld-linux" not in (made / "trainer-musl").read_bytes()
    weights, tensors, place = left(made, "musl")
    assert (weights, tensors) == whole[:2]
    for record, wanted in zip(place["history"], whole[2]["history"], strict=True):
        for part in ("train", "valid"):
            scores, expected = dict(record[part]), dict(wanted[part])
            assert scores.pop("perplexity") == pytest.approx(expected.pop("perplexity"), rel=1e-14)
            assert scores == expected


def test_keeps_files_and_says_what_is_missing(made: Path) -> None:
    cases: list[tuple[Sequence[str], str]] = [
        (words(made, "whole.safetensors"), "whole.safetensors is there already: --force writes over it"),
        (words(made, "new.safetensors", "--resume", str(made / "spec.json")), "is not a whole safetensors"),
        (words(made, "new.safetensors", "--resume", str(made / "whole.safetensors")), "is not a checkpoint"),
        (words(made, "train.npz", "--force"), "is the input"),
        (words(made, "nowhere/new.safetensors"), "there is no such directory"),
        (words(made, "new.safetensors", "--epochs", "0"), "--epochs 0: expected a number from 1"),
    ]
    for command, said in cases:
        done = subprocess.run(command, capture_output=True, text=True, cwd=made, timeout=60)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert not (made / "new.safetensors").exists()


def test_says_that_a_training_diverged(made: Path) -> None:
    arrays = samples(77, 1)
    arrays["x"][36:44] = np.nan  # more than masks can hide
    np.savez(made / "bad.npz", **arrays)
    command = words(made, "diverged.safetensors")
    command[2] = f"train={made / 'bad.npz'}"
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    program = netwright.load(made / "spec.json").compile(entries=("loss", "train_step"))
    with pytest.raises(DivergedError) as error:
        program.train(made / "bad.npz", made / "valid.npz")
    place = str(error.value).split(" at step ")[1].split(". ")[0]
    assert f" at step {place}" in done.stderr
    assert not (made / "diverged.safetensors").exists()


def test_refuses_another_training(made: Path) -> None:
    np.savez(made / "fewer.npz", **samples(76, 1))
    command = words(made, "other.safetensors", "--resume", str(made / "whole.checkpoint"))
    command[2] = f"train={made / 'fewer.npz'}"
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "is from a different training: samples was 68, now is 67" in done.stderr


def test_says_what_an_executable_can_not_do(tmp_path: Path) -> None:
    train = {
        **SPEC["train"],
        "augment": {"x": [{"type": "crop"}]},
    }
    train["data"] = {"train": "train.npz", "valid": {"from": "train", "fraction": 0.2, "stratify": "x"}}
    model = netwright.load({**SPEC, "train": train})
    with pytest.raises(SpecError) as error:
        save(model.load, model.network, None, tmp_path / "trainer", Request(entries=("train_step",)))
    codes = [(item.code, item.message) for item in error.value.diagnostics]
    assert {code for code, _ in codes} == {"NW0413"}
    assert len(codes) == 2
    assert not (tmp_path / "trainer").exists()


def test_balances_classes_whose_number_is_known(tmp_path: Path) -> None:
    """A squared error takes any whole number."""
    spec = {
        "netwright": 1,
        "model": "sums",
        "dims": {"N": "batch"},
        "inputs": {"x": {"shape": ["N", 3]}},
        "layers": [
            {"name": "a", "type": "dense", "units": 2},
            {"name": "y", "type": "reduce", "op": "sum", "axes": [1]},
        ],
        "outputs": {"y": "y"},
        "train": {
            "data": {"train": "train.npz"},
            "targets": {"t": {"shape": ["N"], "dtype": "int64"}},
            "balance": "t",
            "loss": {"type": "mse", "output": "y", "target": "t"},
            "optimizer": {"type": "sgd", "learning_rate": 0.1},
            "epochs": 1,
            "batch_size": 2,
        },
    }
    model = netwright.load(spec)
    with pytest.raises(
        SpecError, match=r"NW0413.*balances up to 256 classes, if it is known how many there are"
    ):
        save(model.load, model.network, None, tmp_path / "trainer", Request(entries=("train_step",)))
