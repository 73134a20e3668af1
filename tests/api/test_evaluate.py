"""`netwright evaluate --classes --worst`: counts against NumPy and the metrics, places and losses of samples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright import Model, Program, RequestError
from netwright.evaluation.class_scores import ClassCounter, ClassScores
from netwright.evaluation.text import class_lines
from netwright.evaluation.worst import worst_samples
from netwright.specs.load import load_spec_text

from .conftest import samples

Cli = Callable[..., Result]

STEPS = """netwright: 1
model: steps
dims: {N: batch, T: time}
inputs:
  x: {shape: [N, T, 2], lengths: len}
  len: {shape: [N], dtype: int64}
layers:
  - {name: cell, type: gru, units: 4}
  - {name: head, type: dense, units: 3}
  - {name: size, type: dense, units: 1, inputs: [cell]}
outputs: {y: head, z: size}
train:
  targets: {t: {shape: [N, T], dtype: int64}, h: {shape: [N, T, 1], dtype: float32}}
  loss:
    - {type: mse, output: z, target: h}
    - {type: multi_class_hinge, output: y, target: t}
  metrics:
    - {type: accuracy, output: y}
    - {type: f1, output: y}
    - {type: precision, output: y}
    - {type: recall, output: y}
  batch_size: 4
"""
NAMED = """netwright: 1
model: named
dims: {N: batch}
inputs: {x: {shape: [N, 2]}}
layers: [{name: head, type: dense, units: 3}]
outputs: {y: head}
train:
  data:
    train: {type: csv, path: train.csv, columns: {x: [a, b], t: kind}}
    valid: {from: train, fraction: 0.5}
  loss: {type: softmax_cross_entropy, output: y, target: t}
  metrics: [accuracy]
  epochs: 1
"""


def model(text: str, *settings: str) -> Model:
    return Model(load_spec_text(text, "spec.yaml", settings))


def steps_data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "x": rng.normal(size=(10, 7, 2)).astype(np.float32),
        "len": np.array([7, 3, 1, 5, 7, 2, 6, 4, 7, 1]),
        "t": rng.integers(0, 3, (10, 7)),
        "h": rng.normal(size=(10, 7, 1)).astype(np.float32),
    }


def counted(spec: Model, program: Program, data: dict[str, np.ndarray], **options) -> ClassScores:
    dataset = spec.data({"valid": data})["valid"]
    (scores,) = ClassCounter(spec, program.weights, program.classes, **options).count(dataset, 4)
    return scores


def matrix(answered: np.ndarray, meant: np.ndarray, size: int) -> np.ndarray:
    made = np.zeros((size, size), np.int64)
    for right, said in zip(meant.reshape(-1), answered.reshape(-1), strict=True):
        made[right, said] += 1
    return made


def agree(scores: ClassScores, numbers: dict[str, float]) -> None:
    """The scores are those of the metrics, which the network's own code computes."""
    assert scores.confusion is not None
    assert numbers["accuracy"] == pytest.approx(np.trace(scores.confusion) / scores.confusion.sum(), rel=1e-6)
    for name, mean in scores.means.items():
        assert numbers[name] == pytest.approx(mean, rel=1e-6), name


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_class_per_sample(tiny: Path, engine) -> None:
    spec = netwright.load(tiny, ["train.metrics=[accuracy, f1, precision, recall]"])
    program, data = spec.compile(seed=5, engine=engine), samples(50, 3)
    scores = counted(spec, program, data, engine=engine)
    answered = program.predict(x=data["x"])["y"].argmax(axis=-1)
    np.testing.assert_array_equal(scores.confusion, matrix(answered, data["t"], 3))
    np.testing.assert_array_equal(scores.meant, np.bincount(data["t"], minlength=3))
    np.testing.assert_array_equal(scores.answered, np.bincount(answered, minlength=3))
    agree(scores, program.evaluate(data))


@pytest.mark.parametrize("steps", ["all", "last"])
@pytest.mark.parametrize("mask", [False, True])
def test_only_the_steps_that_the_loss_looks_at_are_counted(steps: str, mask: bool) -> None:
    data, settings = steps_data(), [f"train.loss.1.steps={steps}"]
    data["t"] = data["t"][:, 0] if steps == "last" else data["t"]
    if steps == "last":
        settings.append("train.targets.t={shape: [N], dtype: int64}")
    counts = np.arange(7) < data["len"][:, None]
    if mask:
        settings += ["train.loss.1.mask=m", "train.targets.m={shape: [N, T], dtype: float32}"]
        data["m"] = np.random.default_rng(1).integers(0, 2, (10, 7)).astype(np.float32)
        data["m"][4] = 0
        counts &= data["m"] != 0
    spec = model(STEPS, *settings)
    program = spec.compile(engine="reference")
    scores = counted(spec, program, data, engine="reference")
    answered = program.predict(x=data["x"], len=data["len"])["y"].argmax(axis=-1)
    if steps == "last":
        rows = np.flatnonzero(counts.any(axis=1))
        last = 6 - counts[rows, ::-1].argmax(axis=1)
        expected = matrix(answered[rows, last], data["t"][rows], 3)
    else:
        expected = matrix(answered[counts], data["t"][counts], 3)
    np.testing.assert_array_equal(scores.confusion, expected)
    agree(scores, program.evaluate(data))


def test_native_code_counts_steps_as_the_reference_does() -> None:
    spec, data = model(STEPS), steps_data()
    program = spec.compile(entries=["loss"])
    native = counted(spec, program, data)
    np.testing.assert_array_equal(
        native.confusion, counted(spec, program, data, engine="reference").confusion
    )


def test_targets_that_are_probabilities() -> None:
    spec = model(NAMED, "train.targets.t={shape: [N, 3], dtype: float32}", "train.data={}")
    rng = np.random.default_rng(2)
    data = {
        "x": rng.normal(size=(9, 2)).astype(np.float32),
        "t": rng.dirichlet([1, 1, 1], 9).astype(np.float32),
    }
    program = spec.compile(engine="reference")
    answered = program.predict(x=data["x"])["y"].argmax(axis=-1)
    scores = counted(spec, program, data, engine="reference")
    np.testing.assert_array_equal(scores.confusion, matrix(answered, data["t"].argmax(axis=-1), 3))
    assert scores.names == ("0", "1", "2")


def test_scores_by_hand() -> None:
    confusion = np.array([[3, 1, 0], [2, 2, 0], [0, 0, 0]])
    scores = ClassScores(
        "y", "t", ("a", "b", "c"), np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1), confusion
    )
    np.testing.assert_allclose(scores.precision, [3 / 5, 2 / 3, 0])
    np.testing.assert_allclose(scores.recall, [3 / 4, 2 / 4, 0])
    np.testing.assert_allclose(scores.f1, [6 / 9, 4 / 7, 0])
    assert scores.means == pytest.approx({"precision": 19 / 30, "recall": 5 / 8, "f1": 13 / 21})
    assert class_lines(scores, 80) == [
        "t     precision  recall      f1  support",
        "a        0.6000  0.7500  0.6667        4",
        "b        0.6667  0.5000  0.5714        4",
        "c        0.0000  0.0000  0.0000        0",
        "mean     0.6333  0.6250  0.6190        8",
        "",
        "t (down) was answered as (across):",
        "   a  b  c",
        "a  3  1  ·",
        "b  2  2  ·",
        "c  ·  ·  ·",
    ]
    assert (
        class_lines(scores, 8)[-1]
        == "the confusion matrix of 3 classes is too large to show: --format json has it"
    )


@pytest.mark.parametrize(
    ("classes", "listed", "matrix_kept"), [(13, 13, True), (60, 40, True), (1001, 40, False)]
)
def test_many_classes(classes: int, listed: int, matrix_kept: bool) -> None:
    spec = model(NAMED, f"layers.head.units={classes}", "train.data={}")
    data = {"x": np.ones((5, 2), np.float32), "t": np.array([0, classes - 1, 3, 3, 4])}
    scores = counted(spec, spec.compile(engine="reference"), data, engine="reference")
    assert (scores.confusion is not None) is matrix_kept
    lines = class_lines(scores, 200)
    assert sum(line[0].isdigit() for line in lines if line) == listed
    assert "too large to show" in lines[-1]
    assert scores.meant.sum() == scores.answered.sum() == 5


def test_the_largest_losses_are_those_of_single_samples(tiny: Path) -> None:
    spec = netwright.load(tiny)
    program, data = spec.compile(seed=5, engine="reference"), samples(30, 3)
    losses = [program.loss(x=data["x"][i : i + 1], t=data["t"][i : i + 1])["loss"] for i in range(30)]
    worst = worst_samples(spec, program, spec.data({"valid": data})["valid"], 7)
    order = sorted(range(30), key=lambda i: -losses[i])[:7]
    assert [sample.sample for sample in worst] == order
    assert [sample.loss for sample in worst] == pytest.approx([losses[i] for i in order])
    assert worst[0].targets == (("t", str(data["t"][order[0]])),)
    answered = program.predict(x=data["x"][order[:1]])["y"].argmax()
    assert worst[0].answers[0] == ("class", str(answered))


def test_a_loss_that_is_not_finite_is_the_largest_and_what_does_not_count_is_left_out() -> None:
    spec, data = (
        model(
            STEPS,
            "train.loss.1.mask=m",
            "train.loss.0.mask=m",
            "train.targets.m={shape: [N, T], dtype: float32}",
        ),
        steps_data(),
    )
    data["m"] = np.ones((10, 7), np.float32)
    data["m"][4] = 0
    data["h"][6, 0] = np.inf
    program = spec.compile(engine="reference")
    with np.errstate(all="ignore"):
        worst = worst_samples(spec, program, spec.data({"valid": data})["valid"], 20)
    assert len(worst) == 9
    assert worst[0].sample == 6
    assert worst[0].to_json()["loss"] is None
    assert 4 not in [sample.sample for sample in worst]
    short = next(sample for sample in worst if sample.sample == 1)
    assert np.shape(short.values["targets"]["t"]) == (3,)


def test_names_of_classes_and_lines_of_a_table(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows = [
        f"{a:.3f},{b:.3f},{kind}"
        for (a, b), kind in zip(rng.normal(size=(40, 2)), ["ox", "cat", "elk", "cat"] * 10, strict=True)
    ]
    (tmp_path / "train.csv").write_text("\n".join(["a,b,kind", *rows, ""]))
    (tmp_path / "named.yaml").write_text(NAMED)
    assert cli("train", "named.yaml", "--weights", "w.safetensors", "--engine", "reference").exit_code == 0
    arguments = ["evaluate", "named.yaml", "--weights", "w.safetensors", "--engine", "reference"]
    done = cli(*arguments, "--classes", "--worst", "3")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[3:8]] == ["t", "cat", "elk", "ox", "mean"]
    assert lines[-4].split() == ["place", "loss", "t", "answered", "class", "answered", "probability"]
    written = json.loads(cli(*arguments, "--classes", "--worst", "3", "--format", "json").stdout)["valid"]
    (scores,) = written["classes"]
    assert written["samples"] == np.sum(scores["confusion"]) == 20
    assert [row["class"] for row in scores["classes"]] == ["cat", "elk", "ox"]
    assert scores["classes"][0]["support"] == sum(scores["confusion"][0])
    for sample in written["worst"]:
        number = int(sample["place"].split()[-1])
        cells = (tmp_path / "train.csv").read_text().splitlines()[number - 1].split(",")
        assert sample["targets"]["t"] == cells[-1], sample
    assert written["source"] == "train.csv"


def test_json_has_only_what_was_asked(cli: Cli, tiny: Path) -> None:
    netwright.load(tiny).compile(engine="reference").save_weights(tiny.with_name("w.safetensors"))
    done = cli("evaluate", tiny, "--weights", "w.safetensors", "--engine", "reference", "--format", "json")
    assert json.loads(done.stdout)["valid"].keys() == {"source", "samples", "scores"}


def test_what_can_not_be_told() -> None:
    spec = model(NAMED, "train.loss.type=mse", "train.metrics=[]", "train.data={}")
    with pytest.raises(RequestError, match="no output of named answers with classes"):
        ClassCounter(spec, {}, {})
    multiple = netwright.Model(
        load_spec_text(
            NAMED.replace("N: batch", "N: {role: batch, multiple_of: 4}"), "s.yaml", ["train.data={}"]
        )
    )
    data = {"x": np.ones((4, 2), np.float32), "t": np.zeros(4, np.int64)}
    program = multiple.compile(engine="reference")
    with pytest.raises(RequestError, match="takes no batch of a single sample"):
        worst_samples(multiple, program, multiple.data({"valid": data})["valid"], 1)
