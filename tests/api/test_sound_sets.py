"""From a folder of recordings to a program that takes raw sound: the spectra are part of the network."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray

import netwright

from ..acceptance.linking import need_linker
from .epoch_table import epochs

Cli = Callable[..., Result]
RATE = 8000
SPEC = """\
netwright: 1
model: sweep
dims: {N: batch, T: time}
inputs:
  sound: {shape: [N, T], lengths: samples}
  samples: {shape: [N], dtype: int64}
layers:
  - {name: mel, type: log_mel, frame_length: 256, hop_length: 128, sample_rate: 8000, mels: 20, floor: 1.0e-6}
  - {name: norm, type: batch_norm}
  - {name: conv, type: conv1d, filters: 16, kernel_size: 3, padding: same, activation: relu}
  - {name: memory, type: gru, units: 12, return_sequences: false}
  - {name: head, type: dense, units: 2}
outputs: {direction: {from: head, labels: [falling, rising]}}
train:
  data:
    train: {type: audio, path: sweeps, rate: 8000, length: 4000}
    valid: {from: train, fraction: 0.25, stratify: label, seed: 1}
  loss: {type: softmax_cross_entropy, output: direction, target: label}
  metrics: [accuracy]
  optimizer: {type: adam, learning_rate: 0.01}
  batch_size: 8
  epochs: 4
  seed: 1
"""


def sweep(kind: str, rng: np.random.Generator) -> NDArray[np.int16]:
    """A tone between 400 and 1600 Hz that rises or falls, of a quarter to half a second, with some noise."""
    steps = int(rng.integers(2000, 4000))
    low, high = (400, 1600) if kind == "rising" else (1600, 400)
    times = np.arange(steps) / RATE
    phase = 2 * np.pi * (low * times + (high - low) * times**2 / (2 * steps / RATE))
    sound = rng.uniform(0.1, 0.9) * np.sin(phase + rng.uniform(0, 6)) + 0.02 * rng.normal(size=steps)
    return (np.clip(sound, -1, 1) * 32767).astype("<i2")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for kind in ("rising", "falling"):
        folder = tmp_path / "sweeps" / kind
        folder.mkdir(parents=True)
        for number in range(24):
            with wave.open(str(folder / f"{number}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                file.writeframes(sweep(kind, rng).tobytes())
    path = tmp_path / "sweep.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def test_a_trained_program_takes_raw_sound(spec: Path, cli: Cli) -> None:
    need_linker()
    checked = cli("validate", spec, "--data")
    assert checked.exit_code == 0, checked.output
    weights, program = spec.with_name("w.safetensors"), spec.with_name("sweep")
    trained = cli("train", spec, "--weights", weights)
    assert trained.exit_code == 0, trained.output
    assert float(epochs(trained.output)[-1]["valid accuracy"]) == 1, trained.output
    compiled = cli("compile", spec, "--weights", weights, "--emit", "exe", "-o", program)
    assert compiled.exit_code == 0, compiled.output

    rng = np.random.default_rng(5)
    kinds = ["rising", "falling", "rising"]
    sounds = [sweep(kind, rng) / np.float32(32768) for kind in kinds]
    lengths = np.array([len(sound) for sound in sounds])
    batch = np.stack([np.pad(sound, (0, lengths.max() - len(sound))) for sound in sounds]).astype(np.float32)
    given = {"sound": batch, "samples": lengths}
    command = [str(program), "-o", str(spec.with_name("out.npy"))]
    for name, array in given.items():
        np.save(spec.with_name(f"{name}.npy"), array)
        command += ["-i", f"{name}={spec.with_name(f'{name}.npy')}"]
    subprocess.run(command, check=True)
    scores = np.load(spec.with_name("out.npy"))
    assert [["falling", "rising"][row.argmax()] for row in scores] == kinds
    by_interpreter = netwright.load(spec).compile(engine="reference", weights=weights, entries=["predict"])
    np.testing.assert_allclose(scores, by_interpreter.predict(**given)["direction"], rtol=1e-3, atol=1e-3)
