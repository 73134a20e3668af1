"""Steps past the longest sequence of a batch are not computed, and nothing changes by that."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import netwright
from netwright.runtime.errors import ExecutionError

from ..acceptance.linking import need_linker

HEAD = """\
netwright: 1
model: m
dims: {N: batch, T: {role: time, min: 2}}
inputs: {x: {shape: [N, SIZE], dtype: TYPE, lengths: n}, n: {shape: [N], dtype: int64}}
"""
TAIL = """
outputs: {y: y, all: a}
train:
  targets: {t: {shape: [N], dtype: int64}}
  loss: {type: softmax_cross_entropy, output: y, target: t}
  optimizer: {type: sgd, learning_rate: 0.1}
"""
LAST = "  - {name: y, type: dense, units: 3, inputs: [last]}"
LAYERS = {
    "forward": "  - {name: a, type: lstm, units: 4}\n  - {name: last, type: gru, units: 3, return_sequences: false}",
    "reverse": "  - {name: a, type: gru, units: 4, reverse: true}\n"
    "  - {name: last, type: rnn, units: 3, return_sequences: false, inputs: [a]}",
    "both directions": "  - {name: a, type: lstm, units: 4, bidirectional: true, layers: 2, initial_state: learned}\n"
    "  - {name: last, type: relu, inputs: [a.h]}",
    "noise": "  - {name: a, type: lstm, units: 4, input_dropout: 0.3, recurrent_dropout: 0.3, zoneout: 0.2}\n"
    "  - {name: last, type: global_mean_pool}",
    "unrolled": "  - {name: a, type: gru, units: 4, unroll: 3}\n  - {name: last, type: global_mean_pool}",
    "attention": "  - {name: q, type: gru, units: 4}\n  - {name: a, type: attention}\n"
    "  - {name: last, type: gru, units: 3, return_sequences: false}",
}


def model(tmp_path: Path, layers: str, size: str = "T, 3", dtype: str = "float64") -> netwright.Model:
    path = tmp_path / "m.yaml"
    head = HEAD.replace("SIZE", size).replace("TYPE", dtype)
    path.write_text(f"{head}layers:\n{layers}\n{LAST}{TAIL}", encoding="utf-8")
    found = netwright.load(path)
    assert found.is_valid, found.diagnostics.to_text()
    return found


def batch(lengths: list[int], steps: int, seed: int = 0) -> dict[str, NDArray]:
    rng = np.random.default_rng(seed)
    count = len(lengths)
    x = rng.normal(size=(count, steps, 3))
    return {"x": x, "n": np.array(lengths), "t": rng.integers(0, 3, count)}


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("layers", "size"),
    [
        *(
            pytest.param(
                layers,
                "T, 3",
                id=name,
                marks=[pytest.mark.deep] * (name in ("forward", "reverse", "unrolled")),
            )
            for name, layers in LAYERS.items()
        ),
        pytest.param(LAYERS["forward"], "9, 3", id="forward of 9 steps"),
        pytest.param(LAYERS["attention"], "9, 3", id="attention of 9 steps", marks=pytest.mark.deep),
    ],
)
def test_all_entries_compute_the_same(tmp_path: Path, layers: str, size: str) -> None:
    """The interpreter computes all steps."""
    one = model(tmp_path, layers, size)
    native, reference = one.compile(seed=1, threads=1), one.compile(seed=1, engine="reference")
    assert [dim.longest_of for dim in native.manifest.dims if dim.longest_of] == ["n"]
    assert not [dim for dim in reference.manifest.dims if dim.longest_of]
    for step, lengths in enumerate(([4, 2, 0, 3], [9, 1, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1])):
        arrays = batch(lengths, 9, step)
        found, expected = (program.predict(x=arrays["x"], n=arrays["n"]) for program in (native, reference))
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-9, err_msg=name)
        assert native.loss(**arrays) == pytest.approx(reference.loss(**arrays), rel=1e-9)
        assert native.train_step(**arrays) == pytest.approx(reference.train_step(**arrays), rel=1e-9)
        for name, array in reference.weights.items():
            np.testing.assert_allclose(native.weights[name], array, rtol=1e-8, atol=1e-9, err_msg=name)


def test_a_length_out_of_range_is_still_an_error(tmp_path: Path) -> None:
    program = model(tmp_path, LAYERS["forward"]).compile(entries=["predict"])
    for wrong in (10, -1, 2**40):
        arrays = batch([4, wrong], 9)
        with pytest.raises(ExecutionError):
            program.predict(x=arrays["x"], n=arrays["n"])


def test_the_time_follows_the_longest_sequence(tmp_path: Path) -> None:
    layers = LAYERS["forward"].replace("units: 4", "units: 64")
    program = model(tmp_path, layers, dtype="float32").compile(entries=["train_step"])

    def fastest(steps: int) -> float:
        arrays = batch([10] * 8, steps)
        arrays["x"] = arrays["x"].astype(np.float32)
        times = []
        for _ in range(12):
            start = time.perf_counter()
            program.train_step(**arrays)
            times.append(time.perf_counter() - start)
        return min(times)

    assert fastest(2000) < 20 * fastest(10)  # 200 if all steps were computed


def test_frames_of_sound_end_with_it(tmp_path: Path) -> None:
    layers = (
        "  - {name: mel, type: log_mel, frame_length: 8, hop_length: 4, sample_rate: 100, mels: 3}\n"
        "  - {name: a, type: gru, units: 4}\n  - {name: last, type: global_mean_pool}"
    )
    one = model(tmp_path, layers, "T")
    native, reference = one.compile(seed=1, threads=1), one.compile(seed=1, engine="reference")
    for lengths in ([5, 0, 17], [40, 1, 2], [0, 0, 0]):
        arrays = {"x": np.random.default_rng(3).normal(size=(3, 40)), "n": np.array(lengths)}
        expected = reference.predict(**arrays)
        for name, array in native.predict(**arrays).items():
            np.testing.assert_allclose(array, expected[name], rtol=1e-9, atol=1e-9)
        assert native.loss(**arrays, t=np.array([0, 1, 2])) == pytest.approx(
            reference.loss(**arrays, t=np.array([0, 1, 2])), rel=1e-9
        )


def test_an_executable_stops_too(tmp_path: Path) -> None:
    need_linker()
    program = model(tmp_path, LAYERS["both directions"]).compile(seed=1, engine="reference")
    program.save(tmp_path / "m", "exe")
    for lengths in ([4, 2, 0], [9, 9, 1], [0, 0, 0]):
        arrays = batch(lengths, 9)
        command = [str(tmp_path / "m"), "-o", str(tmp_path / "out.npz")]
        for name in ("x", "n"):
            np.save(tmp_path / f"{name}.npy", arrays[name])
            command += ["-i", f"{name}={tmp_path / f'{name}.npy'}"]
        subprocess.run(command, check=True)
        expected = program.predict(x=arrays["x"], n=arrays["n"])
        with np.load(tmp_path / "out.npz") as found:
            for name, array in expected.items():
                np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-9)
