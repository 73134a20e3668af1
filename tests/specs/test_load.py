"""Valid specs: the models, where their parts stand, and how they are wired. JSON and YAML are one language."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from netwright.specs import ModelSpec, load_spec, load_spec_text
from netwright.specs.checks.wiring import Ref
from netwright.specs.equations.builtin_cells import cell_of
from netwright.specs.models.layers import LAYERS

from .specs import LENET, PENDULUM


def load(text: str):
    result = load_spec_text(text, "spec.yaml")
    assert result.model is not None, result.diagnostics.to_text()
    return result, result.model


def test_lenet() -> None:
    result, model = load(LENET)
    assert len(result.diagnostics) == 0
    c1, p1, c2, p2, *_, head, argmax = model.layers
    assert c1.activation.type == "relu"
    assert c1.kernel_init.type == "he_normal"
    assert c1.window == (5, 5)
    assert c1.strides == c1.dilations == (1, 1)
    assert c1.padding == ("same", "same")
    assert p1.strides == (2, 2)
    assert p1.rounding == "ceil"
    assert c2.activation.type == "tanh"
    assert p2.strides == (1, 2)
    assert head.expect == ("N", 10)
    assert argmax.axis == -1
    assert model.train is not None
    assert model.train.optimizer.learning_rate.warm_up == 5
    assert model.train.metrics[1].target == "label"
    assert result.wiring.order == ("c1", "p1", "c2", "p2", "flat", "d1", "head", "class")
    assert result.wiring.inputs["c1"] == (Ref("image"),)
    assert result.wiring.outputs == {"logits": Ref("head"), "digit": Ref("class")}


def test_recurrent_layers() -> None:
    result, model = load(PENDULUM)
    assert [str(item.message) for item in result.diagnostics] == []
    enc, mid, dyn, mem, old, _ = model.layers
    assert result.wiring.given == {"enc": {"h": Ref("h0")}}
    assert result.wiring.inputs["enc"] == (Ref("x"),)
    assert mid.unroll == 4
    cell, arguments = cell_of(dyn, result.cells)
    assert arguments == {"H": 16, "O": 8}
    assert cell.states["h"].learned
    assert [one.type for one in cell.params["b"].init] == ["zeros", "ones"]
    memory, _ = cell_of(mem, result.cells)
    assert list(memory.states) == ["output"]
    assert memory.steps[-1].targets == ("output",)
    assert cell_of(enc, {})[1] == {"H": 32}
    assert old.initial_state == {"h": "learned"}


@pytest.mark.parametrize("text", [LENET, PENDULUM], ids=["lenet", "pendulum"])
def test_json_is_the_same_language(text: str) -> None:
    result, model = load(text)
    assert result.source is not None
    for indent in (None, 2, "\t"):
        other = load_spec_text(json.dumps(result.source.value, indent=indent), "spec.json")
        assert other.model == model
        assert other.source is not None
        assert other.source.value == result.source.value


def test_spans_of_layers() -> None:
    result, _ = load(LENET)
    lines = LENET.splitlines()

    def text(span) -> str:
        return lines[span.line - 1][span.column - 1 : span.end_column - 1]

    assert text(result.layer_span("c1")) == "c1"
    assert text(result.layer_span("c1", "kernel_size")) == "5"
    assert text(result.layer_span("c1", "kernel_size", key=True)) == "kernel_size"
    assert text(result.layer_span("c1", "activation")) == "relu"
    assert result.layer_span("c1", "activation").line == 7
    assert text(result.layer_span("c1", "groups")) == "conv2d"
    assert text(result.layer_span("d1", "activation", "negative_slope")) == "0.1"
    assert text(result.layer_span("head", "expect", 1)) == "10"
    assert text(result.span(("train", "loss", "target"))) == "label"


def test_spans_count_code_points() -> None:
    result = load_spec_text('netwright: 1\r\n"ключ 𝛼": 2\r\n', "spec.yaml")
    (unknown,) = [item for item in result.diagnostics if item.code == "NW0201"]
    assert (unknown.span.line, unknown.span.column, unknown.span.end_column) == (2, 1, 9)


def test_core_schema_scalars() -> None:
    text = "a: [1e-3, on, no, 010, 0x1F, 0o17, 1_000, 12:30:00, .5, 5., -0, ~, NULL, True, yes, 2020-01-01, +1, '1', =]"
    result = load_spec_text(text, "spec.yaml")
    assert result.source is not None
    assert result.source.value["a"] == [
        *(0.001, "on", "no", 10, 31, 15, "1_000", "12:30:00", 0.5, 5.0, 0, None, None, True, "yes"),
        *("2020-01-01", 1, "1", "="),
    ]


def test_aliases_share_their_place() -> None:
    result = load_spec_text("a: &x {k: 1}\nb: *x\n", "spec.yaml")
    assert result.source is not None
    assert result.source.value == {"a": {"k": 1}, "b": {"k": 1}}
    assert result.span(("b", "k")).line == 1


def test_a_broken_layer_leaves_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(LENET.replace("pool_size: 2}", "pool_size: 0}"), encoding="utf-8")
    result = load_spec(path)
    assert result.model is None
    assert [item.code for item in result.diagnostics] == ["NW0204"]
    assert result.partial is not None
    assert [layer.name for layer in result.partial.layers] == [
        "c1",
        "c2",
        "p2",
        "flat",
        "d1",
        "head",
        "class",
    ]
    assert result.wiring.poisoned == {"p1"}
    assert result.wiring.inputs["c2"] == (Ref("p1"),)


def test_every_layer_type_has_a_class_with_documented_keys() -> None:
    assert len(LAYERS) >= 37
    for kind, cls in LAYERS.items():
        assert cls.model_fields["type"].default == kind
        assert cls.__doc__


def test_dims_do_not_load_pydantic() -> None:
    code = "import sys, netwright.specs.dims; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_model_is_frozen() -> None:
    _, model = load(LENET)
    assert isinstance(model, ModelSpec)
    with pytest.raises(ValueError):
        model.model = "other"  # type: ignore[misc]
    assert model.layers[0] != model.layers[2]
    assert len(set(model.layers)) == len(model.layers)
