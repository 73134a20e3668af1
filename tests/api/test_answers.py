"""What outputs are shown as, by their losses, with numbers that were worked out by hand."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.graph.types import TensorType
from netwright.errors import RequestError
from netwright.model import Model, load
from netwright.prediction.answers import Answer, Numbers
from netwright.prediction.class_answers import Chances, Classes
from netwright.prediction.meaning import answers_of, steps_of
from netwright.runtime.errors import WeightsError
from netwright.specs.dims import dim

N, T = dim("N"), dim("T")


def typed(*sizes: object, dtype: str = "float32") -> TensorType:
    return TensorType(dtype, (N, *sizes))


def floats(*values: object) -> np.ndarray:
    return np.array(values, np.float32)


def test_a_class_and_the_next_ones() -> None:
    answer = Classes("y", typed(3), ("cat", "dog"), 2, logits=True, last=False)
    value = np.log(floats(2, 1, 5))  # probabilities 2/8, 1/8, 5/8
    assert answer.headings == ("class", "probability", "next")
    assert answer.cells(value) == ("2", "0.6250", "cat 0.2500")
    assert answer.columns == ("class", "probability", "class_2", "probability_2")
    assert answer.fields(value) == ("2", "0.625", "cat", "0.25")
    assert answer.to_json(value) == {
        "class": "2",
        "probability": 0.625,
        "next": [{"class": "cat", "probability": 0.25}],
    }
    assert answer.arrays(value[None])["y.class"].tolist() == [2]
    answer.alone = False
    assert answer.headings == ("y.class", "y.probability", "y.next")


def test_scores_are_not_probabilities_and_nan_is_no_number() -> None:
    answer = Classes("y", typed(2), (), 1, logits=False, last=False)
    assert answer.columns == ("class", "score")
    assert answer.cells(floats(-1, 7)) == ("1", "7.0000")
    assert answer.arrays(floats([-1, 7])).keys() == {"y.class"}
    sick = Classes("y", typed(2), (), 1, logits=True, last=False)
    assert sick.to_json(floats(np.nan, 1)) == {"class": "0", "probability": None}
    assert sick.cells(floats(np.inf, 1))[1] == "nan"
    assert sick.cells(floats(1000, 0)) == ("0", "1.0000")


def test_a_class_per_step_and_per_cell() -> None:
    steps = Classes("y", typed(T, 2), ("low", "high"), 3, logits=True, last=False)
    value = np.log(floats([3, 1], [1, 1], [1, 4]))  # 3/4, 1/2, 4/5
    assert steps.headings == ("classes", "probability")
    assert steps.cells(value) == ("low low high", f"{(0.75 + 0.5 + 0.8) / 3:.4f}")
    assert steps.to_json(value)["classes"] == ["low", "low", "high"]
    assert steps.to_json(value)["probabilities"] == pytest.approx([0.75, 0.5, 0.8])
    assert steps.fields(value)[0] == '["low", "low", "high"]'
    assert steps.cells(value[:0]) == ("", "nan")
    long = np.tile(value, (10, 1))
    assert steps.cells(long)[0].endswith("low low high … (30 steps)")
    grid = Classes("y", typed(2, 2, 2), ("road", "sky"), 3, logits=True, last=False)
    cells = floats([[0, 1], [0, 2]], [[5, 1], [0, 1]])
    assert grid.headings == ("classes",)
    assert grid.cells(cells) == ("sky 75.0%, road 25.0%",)
    assert grid.to_json(cells)["classes"] == [["sky", "sky"], ["road", "sky"]]
    with pytest.raises(RequestError, match=r"y has 5,000 values per sample"):
        steps.fields(np.zeros((5000, 2), np.float32))


def test_chances_of_yes() -> None:
    single = Chances("spam", typed(1), (), last=False)
    value = np.log(floats(3))  # 3/4
    assert (single.headings, single.cells(value)) == (("probability",), ("0.7500",))
    assert single.to_json(value) == {"probability": 0.75}
    assert single.fields(value) == ("0.75",)
    assert Chances("spam", typed(), (), last=False).to_json(value[0]) == {"probability": 0.75}
    several = Chances("tags", typed(3), ("a", "b", "c"), last=False)
    values = np.log(floats(1, 9, 1 / 3))
    assert several.cells(values) == ("b 0.9000, a 0.5000",)
    assert several.cells(values - 9) == ("none",)
    assert several.columns == ("a", "b", "c")
    assert several.fields(values) == ("0.5", "0.9", "0.25")
    assert several.to_json(values)["probabilities"] == {"a": 0.5, "b": 0.9, "c": 0.25}
    assert Chances("tags", typed(2), (), last=False).columns == ("0", "1")
    steps = Chances("on", typed(T, 1), (), last=False)
    assert steps.cells(floats([0], [0])) == ("0.5 0.5",)
    assert steps.to_json(floats([0], [-1000])) == {"probabilities": [[0.5], [0.0]]}
    assert steps.fields(floats([0])) == ("[[0.5]]",)


def test_numbers_are_shown_or_described() -> None:
    single, vector, grid = Numbers("y", typed()), Numbers("y", typed(2)), Numbers("y", typed(T, 2))
    assert single.cells(floats(1.25)[0]) == ("1.25",)
    assert single.to_json(floats(0.1)[0]) == 0.1
    assert (vector.columns, vector.fields(floats(0.1, -2))) == (("y.0", "y.1"), ("0.1", "-2.0"))
    assert vector.cells(floats(0.1, -2)) == ("0.1 -2",)
    long = np.arange(10, dtype=np.float32).reshape(5, 2)
    assert grid.cells(long) == ("[5, 2] from 0 to 9",)
    long[0, 0] = np.inf
    assert grid.cells(long) == ("[5, 2] from 1 to 9, 1 not finite",)
    assert grid.cells(long * np.nan) == ("[5, 2], none of them finite",)
    assert grid.to_json(long[:1]) == [[None, 1.0]]
    assert grid.fields(long[1:2]) == ("[[2.0, 3.0]]",)
    truth = Numbers("y", typed(dtype="bool"))
    assert truth.fields(np.array(True)) == ("true",)
    assert truth.to_json(np.array(True)) is True
    assert truth.cells(np.arange(9) > 4) == ("[9] from 0 to 1",)
    named = Numbers("y", typed(dtype="int64"), ("cat", "dog"))
    assert [named.fields(np.array(i)) for i in (0, 1, 2)] == [("cat",), ("dog",), ("2",)]
    assert Numbers("y", typed(T, dtype="int64"), ("a", "b")).to_json(np.array([1, 0])) == ["b", "a"]


SPEC = """\
netwright: 1
model: many
dims: {{N: batch, T: time}}
inputs: {{x: {{shape: [N, T, 2], lengths: n}}, n: {{shape: [N], dtype: int64}}}}
layers:
  - {{name: read, type: gru, units: 4, inputs: [x]}}
  - {{name: head, type: dense, units: 3}}
  - {{name: kind, type: argmax}}
  - {{name: other, type: argmax, inputs: [read]}}
outputs: {outputs}
train:
  targets: {{t: {{shape: [N, T], dtype: int64}}}}
  loss: {loss}
"""


def made(folder: Path, outputs: str, loss: str) -> Model:
    path = folder / "many.yaml"
    path.write_text(SPEC.format(outputs=outputs, loss=loss), encoding="utf-8")
    model = load(path)
    assert model.is_valid, model.diagnostics.to_text()
    return model


def shown(model: Model, kept: Mapping[str, tuple[str, ...]] | None = None) -> list[Answer]:
    return answers_of(model.load, model.network, kept or {}, 3)


def test_losses_say_what_outputs_mean(tmp_path: Path) -> None:
    loss = "{type: softmax_cross_entropy, output: y, target: t}"
    model = made(tmp_path, "{y: head, kind: kind, other: other, raw: read}", loss)
    answers = shown(model, {"t": ("a", "b", "c")})
    assert [(type(answer), answer.output) for answer in answers] == [
        (Classes, "y"),
        (Numbers, "other"),
        (Numbers, "raw"),
    ]
    value = np.zeros((1, 3), np.float32)
    assert answers[0].to_json(value)["classes"] == ["a"]
    assert steps_of(model.load, model.network) == {"y": "n", "kind": "n", "other": "n", "raw": "n"}
    last = made(tmp_path, "{y: head}", loss.replace("target: t", "target: t, steps: last"))
    assert shown(last)[0].headings == ("class", "probability", "next")
    hinge = made(tmp_path, "{y: head}", loss.replace("softmax_cross_entropy", "multi_class_hinge"))
    assert shown(hinge)[0].headings == ("classes", "score")
    labels = made(tmp_path, "{y: {from: head, labels: [u, v, w]}}", loss)
    assert shown(labels, {"t": ("a", "b", "c")})[0].to_json(value)["classes"] == ["u"]
    with pytest.raises(WeightsError, match="in another order"):
        shown(labels, {"t": ("v", "u", "w")})
    borrowed = made(tmp_path, "{y: head, kind: {from: kind, labels: [u, v, w]}}", loss)
    assert shown(borrowed)[0].to_json(value)["classes"] == ["u"]
