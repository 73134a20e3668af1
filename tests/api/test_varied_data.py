"""Samples grouped by length and varied in training, in compiled code, from the spec to the resumed training."""

import os
import signal
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.runtime.files.tensors import TensorFile

from ..forked import Forked

Cli = Callable[..., Result]
SPEC = """\
netwright: 1
model: counts
dims: {N: batch, T: time}
inputs: {x: {shape: [N, T, 2], lengths: steps}, steps: {shape: [N], dtype: int64}}
layers:
  - {name: read, type: gru, units: 4, return_sequences: false, inputs: [x]}
  - {name: head, type: dense, units: 2}
outputs: {y: head}
train:
  data: {train: train.npz, valid: valid.npz}
  group_by_length: true
  augment: {x: [{type: noise, deviation: 0.05}, {type: mask, most: 2}]}
  targets: {t: {shape: [N], dtype: int64}}
  loss: {type: softmax_cross_entropy, output: y, target: t}
  epochs: 3
  batch_size: 8
"""


def sequences(count: int, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    steps = generator.integers(1, 24, count)
    x = generator.normal(size=(count, 24, 2)).astype(np.float32)
    x[np.arange(24) >= steps[:, None]] = 0
    return {"x": x, "steps": steps, "t": (x.sum(axis=(1, 2)) > 0).astype(np.int64)}


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    np.savez(tmp_path / "train.npz", **sequences(200, 1))
    np.savez(tmp_path / "valid.npz", **sequences(50, 2))
    path = tmp_path / "counts.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def weights(path: Path) -> dict[str, bytes]:
    file = TensorFile(path)
    return {name: file.read(name).tobytes() for name in file.headers}


def test_grouped_and_varied_trainings_are_the_same_on_any_threads_and_when_resumed(
    cli: Cli, counts: Path, tmp_path: Path
) -> None:
    train = ("train", counts, "--weights")
    assert cli(*train, "one.safetensors", "--threads", "1").exit_code == 0
    assert cli(*train, "two.safetensors", "--threads", "2").exit_code == 0
    assert cli(*train, "part.safetensors", "--epochs", "2", "--checkpoint", "c").exit_code == 0
    assert cli(*train, "rest.safetensors", "--resume", "c", "--epochs", "3").exit_code == 0
    whole = weights(tmp_path / "one.safetensors")
    assert weights(tmp_path / "two.safetensors") == whole
    assert weights(tmp_path / "rest.safetensors") == whole
    done = cli(*train, "x.safetensors", "--resume", "c", "--set", "train.group_by_length=false")
    assert done.exit_code == 2
    assert "group_by_length was True, now is None" in done.output


def test_padding_that_is_cut_changes_no_loss(counts: Path) -> None:
    model = netwright.load(counts)
    program = model.compile()
    grouped = program.evaluate(sequences(50, 2))
    plain = netwright.load(counts, {"train.group_by_length": False}).compile(program.weights)
    assert grouped["loss"] == pytest.approx(plain.evaluate(sequences(50, 2))["loss"], rel=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("augment: {x:", "augment: {z:", "there is no input named z"),
        (
            "augment: {x:",
            "augment: {steps:",
            "augmentation changes numbers that are measured, steps is int64",
        ),
        ("{type: mask, most: 2}", "{type: mask, most: 2, axis: 3}", "mask changes axis 3, x is [N, T, 2]"),
        ("{type: mask, most: 2}", "{type: shift, by: [1, 1, 1]}", "shift changes axis 3, x is [N, T, 2]"),
        ("{type: mask, most: 2}", "{type: mask}", "mask needs most"),
        ("{type: mask, most: 2}", "mask", "mask"),
        ("{type: mask, most: 2}", "{type: flip, chance: 2}", "chance"),
        (
            "  epochs: 3",
            "  bptt: {window: 4}\n  epochs: 3",
            "group_by_length cuts batches to their longest sequence",
        ),
        (", lengths: steps", "", "no input has lengths along an open dim"),
    ],
)
def test_what_can_not_be_grouped_or_varied_is_said(
    cli: Cli, counts: Path, old: str, new: str, message: str
) -> None:
    counts.write_text(SPEC.replace(old, new), encoding="utf-8")
    done = cli("validate", counts)
    assert done.exit_code == 1
    assert message in done.output


def test_a_training_that_reads_ahead_stops_at_ctrl_c_and_goes_on(cli: Cli, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for i in range(60):
        folder = tmp_path / "words" / ("low", "high")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        sound = np.sin(np.arange(400) * (0.1, 0.7)[i % 2]) + generator.normal(size=400) / 9
        with wave.open(str(folder / f"{i}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes((sound * 12000).astype("<i2").tobytes())
    (tmp_path / "words.yaml").write_text(
        "netwright: 1\nmodel: words\ndims: {N: batch}\ninputs: {x: {shape: [N, 400, 1]}}\nlayers:\n"
        "  - {name: conv, type: conv1d, filters: 4, kernel_size: 9, activation: relu}\n"
        "  - {name: pool, type: global_max_pool}\n  - {name: head, type: dense, units: 2}\noutputs: {y: head}\ntrain:\n"
        "  data: {train: {type: audio, path: words, rate: 8000}}\n  augment: {x: [{type: shift, by: [40]}]}\n"
        "  loss: {type: softmax_cross_entropy, output: y, target: t}\n  targets: {t: {shape: [N], dtype: int64}}\n"
        "  epochs: 3\n  batch_size: 4\n",
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = ("train", "words.yaml", "--weights")
    process = Forked(*command, "w.safetensors", "--epochs", 100000, cwd=tmp_path, env=environment)
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=60)
    assert first.split()[:2] == ["epoch", "loss"], first + rest
    assert process.returncode == 130
    assert "stopped; add  --resume w.checkpoint" in said
    done = cli(*command, "v.safetensors", "--epochs", 3)
    assert done.exit_code == 0, done.output
    # A file that is damaged later ends a training with its name.
    (tmp_path / "words/low/8.wav").write_bytes(b"RIFF")
    done = cli(*command, "x.safetensors")
    assert done.exit_code == 2
    assert "8.wav: not a readable WAV file" in done.output
