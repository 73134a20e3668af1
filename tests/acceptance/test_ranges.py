"""Lengths, classes and indices out of range: an error that names array, sample and value, wherever it comes up."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from netwright import Model
from netwright.cli import main
from netwright.runtime.engines.shared import load_shared
from netwright.runtime.errors import DataError, ExecutionError
from netwright.runtime.sessions.session import Session
from netwright.specs.load import load_spec_text

from .linking import need_linker

SPEC = """\
netwright: 1
model: words
dims: {N: batch, T: time}
inputs:
  w: {shape: [N, T], dtype: int64, lengths: l}
  l: {shape: [N], dtype: int64}
layers:
  - {name: e, type: embedding, input_dim: 7, output_dim: 3}
  - {name: r, type: gru, units: 4}
  - {name: head, type: dense, units: 3}
outputs: {y: head}
train:
  data: {train: train.npz}
  targets: {t: {shape: [N, T], dtype: int64}, m: {shape: [N, T], dtype: bool}}
  loss: {type: softmax_cross_entropy, output: y, target: t, mask: m}
  epochs: 1
  batch_size: 2
"""
ENGINES = ["reference", "native"]


def good():
    generator = np.random.default_rng(0)
    return {
        "w": generator.integers(0, 7, (6, 5)),
        "l": np.array([5, 2, 3, 1, 0, 4]),
        "t": generator.integers(0, 3, (6, 5)),
        "m": np.ones((6, 5), bool),
    }


def changed(name, place, value):
    arrays = good()
    arrays[name][place] = value
    return arrays


WRONG = {
    "a long length": (changed("l", 2, 9), "l: sample 2 has the length 9; lengths are 0 to T = 5"),
    "a negative length": (changed("l", 5, -4), "l: sample 5 has the length -4; lengths are 0 to T = 5"),
    "a word": (changed("w", (2, 1), 7), "w: sample 2 has the index 7 (at [1]); indices are 0 to 6"),
    "a class": (changed("t", (5, 3), 3), "t: sample 5 has the class 3 (at [3]); classes are 0 to 2"),
    "a negative class": (
        changed("t", (0, 4), -1),
        "t: sample 0 has the class -1 (at [4]); classes are 0 to 2",
    ),
}


def fed(arrays, entry):
    return {name: arrays[name] for name in (("w", "l") if entry == "predict" else arrays)}


@pytest.mark.parametrize("engine", ENGINES)
def test_calls(engine):
    program = Model(load_spec_text(SPEC, "spec.yaml")).compile(engine=engine)
    weights = program.weights
    for arrays, message in WRONG.values():
        for entry in ("predict", "loss", "train_step"):
            if message.startswith("t") and entry == "predict":
                continue
            with pytest.raises(ExecutionError) as caught:
                getattr(program, entry)(**fed(arrays, entry))
            assert message in str(caught.value)
            assert caught.value.code == (2 if message.startswith("l") else 1)
        for name, array in program.weights.items():
            np.testing.assert_array_equal(array, weights[name])


@pytest.mark.parametrize("engine", ENGINES)
def test_what_does_not_count_may_be_anything(engine):
    program = Model(load_spec_text(SPEC, "spec.yaml")).compile(engine=engine)
    arrays = good()
    clean = program.loss(**arrays)
    arrays["w"][1, 2:], arrays["t"][1, 2:] = -1, 99
    assert program.loss(**arrays) == clean
    arrays["m"][2, 1] = False
    arrays["t"][2, 1] = -100
    assert np.isfinite(program.train_step(**arrays)["loss"])
    arrays["t"][0, 0] = 50  # the first that matters is told, not those above
    with pytest.raises(ExecutionError, match="sample 0 has the class 50 "):
        program.loss(**arrays)


def test_positions_from_the_end():
    text = """\
netwright: 1
model: m
inputs: {x: {shape: [N, 4, 3]}, i: {shape: [N, 2], dtype: int64}}
dims: {N: batch}
layers: [{name: g, type: gather, inputs: [x, i], axis: 1}]
outputs: {y: g}
"""
    program = Model(load_spec_text(text, "spec.yaml")).compile()
    x = np.zeros((2, 4, 3), np.float32)
    program.predict(x=x, i=np.array([[-4, 3], [0, -1]]))
    with pytest.raises(
        ExecutionError, match=r"i: sample 1 has the index -5 \(at \[1\]\); indices are -4 to 3"
    ):
        program.predict(x=x, i=np.array([[-4, 3], [0, -5]]))


@pytest.mark.parametrize("bptt", ["", "  bptt: {window: 2}\n"])
@pytest.mark.parametrize("case", WRONG)
def test_training_looks_at_the_data_first(case, bptt):
    """The sample is counted in the data set, not in a shuffled batch; windows do not cut a length that is too large."""
    arrays, message = WRONG[case]
    program = Model(load_spec_text(SPEC + bptt, "spec.yaml")).compile(engine="reference")
    with pytest.raises(DataError) as caught:
        program.train(arrays)
    assert message in str(caught.value)
    if not bptt:
        with pytest.raises(DataError) as caught:
            program.evaluate(arrays)
        assert message in str(caught.value)


def test_the_command_line(tmp_path: Path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    weights = str(tmp_path / "w.safetensors")
    for arrays, message in WRONG.values():
        np.savez(tmp_path / "train.npz", **arrays)
        done = CliRunner().invoke(main, ["train", str(tmp_path / "spec.yaml"), "--weights", weights])
        assert done.exit_code != 0
        assert message in done.output
    Model(load_spec_text(SPEC, "spec.yaml")).compile(engine="reference").save_weights(weights)
    for arrays, message in list(WRONG.values())[:3]:
        for name in ("w", "l"):
            np.save(tmp_path / f"{name}.npy", arrays[name])
        given = ["-i", f"w={tmp_path}/w.npy", "-i", f"l={tmp_path}/l.npy", "-o", str(tmp_path / "out.npz")]
        done = CliRunner().invoke(main, ["run", str(tmp_path / "spec.yaml"), "--weights", weights, *given])
        assert done.exit_code != 0
        assert message in done.output


def test_executables_and_libraries(tmp_path: Path):
    need_linker()
    program = Model(load_spec_text(SPEC, "spec.yaml")).compile(entries=("predict",))
    program.save(tmp_path / "words")
    texts = [
        "input 'l': sample 2 has the length 9; the least is 0, the largest 5",
        "input 'l': sample 5 has the length -4; the least is 0, the largest 5",
        "input 'w': sample 2 has the index 7; the least is 0, the largest 6",
    ]
    for (arrays, _), text in zip(WRONG.values(), texts, strict=False):
        for name in ("w", "l"):
            np.save(tmp_path / f"{name}.npy", arrays[name])
        command = [tmp_path / "words", "-i", f"w={tmp_path}/w.npy", "-i", f"l={tmp_path}/l.npy", "--print"]
        done = subprocess.run(command, capture_output=True, timeout=60)
        assert done.returncode == 2
        assert text in done.stderr.decode()
    padded = good()
    padded["w"][1, 2:] = 99
    np.save(tmp_path / "w.npy", padded["w"])
    np.save(tmp_path / "l.npy", padded["l"])
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0

    _, header = sorted(program.save(tmp_path / "words.so", "shared"), key=lambda path: path.suffix == ".h")
    text = header.read_text()
    assert "input int64 [N], 0 to T */" in text
    assert "input int64 [N, T], 0 to 6 where l let it count */" in text
    engine = load_shared(tmp_path / "words.so")
    session = Session(engine, engine.embedded)
    for arrays, message in list(WRONG.values())[:3]:
        with pytest.raises(ExecutionError) as caught:
            session.predict(**fed(arrays, "predict"))
        assert message in str(caught.value)


def test_one_hot_targets():
    program = Model(load_spec_text(SPEC, "spec.yaml")).compile(engine="reference")
    arrays = {**good(), "t": np.eye(3, dtype=np.float32)[good()["t"]]}
    for call in (lambda: program.loss(**arrays), lambda: program.train(arrays)):
        with pytest.raises(
            ValueError, match=r"t is float32 \[6, 5, 3\], like one-hot rows of 3 classes.*argmax"
        ):
            call()
    tokens = {"w": np.eye(7, dtype=np.int64)[good()["w"]], "l": good()["l"]}
    with pytest.raises(ValueError, match=r"store np.argmax\(w, axis=-1\)$"):
        program.predict(**tokens)
