"""What PyTorch writes around its layers leaves no trace: first states of zeros, group norms in pieces, names of
modules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from numpy.typing import NDArray
from onnx import helper

from netwright.onnx import ImportedModel, import_model
from netwright.onnx.files import check

from .models import model, onnxruntime_outputs

node = helper.make_node
FLOATS = np.random.default_rng(0)


def floats(*shape: int) -> NDArray:
    return FLOATS.normal(size=shape).astype(np.float32)


def layers(imported: ImportedModel) -> list[str]:
    """The lines of the layers."""
    return [line[4:] for line in imported.spec.splitlines() if line.startswith("  - {name")]


def agrees(found: onnx.ModelProto, imported: ImportedModel, **inputs: NDArray) -> None:
    program = check(imported.spec).compile(dict(imported.weights), engine="reference", entries=["predict"])
    answers = program.predict(**{imported.inputs[own]: array for own, array in inputs.items()})
    for output, expected in zip(found.graph.output, onnxruntime_outputs(found, inputs), strict=True):
        np.testing.assert_allclose(answers[imported.outputs[output.name]], expected, rtol=1e-4, atol=1e-5)


def test_first_states_of_zeros_and_learned_ones() -> None:
    """A bidirectional LSTM of two layers: one Expand of zeros for all first states, a Slice of it for each layer."""
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "one"], ["n"], axis=0),
        node("Unsqueeze", ["n", "axis0"], ["n1"]),
        node("Concat", ["four", "n1", "units"], ["sizes"], axis=0),
        node("Expand", ["zero", "sizes"], ["zeros"]),
        node("Expand", ["learned", "sizes2"], ["starts"]),
        node("Slice", ["zeros", "axis0", "two", "axis0"], ["z1"]),
        node(
            "LSTM",
            ["x", "w", "r", "b", "", "z1", "z1"],
            ["y1"],
            hidden_size=4,
            direction="bidirectional",
            name="/rnn/LSTM",
        ),
        node("Transpose", ["y1"], ["t1"], perm=[0, 2, 1, 3]),
        node("Reshape", ["t1", "joined"], ["x2"]),
        node(
            "GRU",
            ["x2", "w2", "r2", "b2", "", "starts"],
            ["y2", "h2"],
            hidden_size=3,
            linear_before_reset=1,
            name="/top/GRU",
        ),
        node("Squeeze", ["y2", "axis1"], ["y"]),
    ]
    nodes.insert(5, node("Concat", ["single", "n1", "three"], ["sizes2"], axis=0))
    found = model(
        nodes,
        {"x": ["T", "N", 5]},
        ["y", "h2"],
        {
            "one": np.asarray(1),
            "axis0": np.asarray([0]),
            "axis1": np.asarray([1]),
            "two": np.asarray([2]),
            "single": np.asarray([1]),
            "three": np.asarray([3]),
            "four": np.asarray([4]),
            "units": np.asarray([4]),
            "joined": np.asarray([0, 0, -1]),
            "zero": np.zeros((1, 1, 1), np.float32),
            "learned": floats(1, 1, 3),
            "w": floats(2, 16, 5),
            "r": floats(2, 16, 4),
            "b": floats(2, 32),
            "w2": floats(1, 9, 8),
            "r2": floats(1, 9, 3),
            "b2": floats(1, 18),
        },
    )
    imported = import_model(found, name="m", layout="native")
    assert layers(imported) == [
        "{name: rnn, type: lstm, units: 4, bidirectional: true}",
        "{name: top, type: gru, units: 3, initial_state: learned}",
        "{name: reshape2, type: reshape, inputs: [top.h], shape: [1, N, 3]}",
    ]
    assert imported.weights["top.h_init"].shape == (3,)
    agrees(found, import_model(found), x=floats(6, 2, 5))


def test_a_group_norm_in_pieces() -> None:
    found = model(
        [
            node("Conv", ["x", "conv.weight"], ["a"], name="/conv/Conv"),
            node("Reshape", ["a", "grouped"], ["b"], name="/norm/Reshape"),
            node(
                "InstanceNormalization",
                ["b", "ones", "zeros"],
                ["c"],
                epsilon=1e-5,
                name="/norm/InstanceNormalization",
            ),
            node("Shape", ["a"], ["s"], name="/norm/Shape"),
            node("Reshape", ["c", "s"], ["d"], name="/norm/Reshape_1"),
            node("Mul", ["d", "norm.weight"], ["e"], name="/norm/Mul"),
            node("Add", ["e", "norm.bias"], ["f"], name="/norm/Add"),
            node("Relu", ["f"], ["y"], name="/act/Relu"),
        ],
        {"x": ["N", 3, 6, 7]},
        ["y"],
        {
            "conv.weight": floats(4, 3, 1, 1),
            "grouped": np.asarray([0, 2, -1]),
            "ones": np.ones(2, np.float32),
            "zeros": np.zeros(2, np.float32),
            "norm.weight": floats(4, 1, 1),
            "norm.bias": floats(4, 1, 1),
        },
    )
    imported = import_model(found, name="m", layout="native")
    assert layers(imported) == [
        "{name: conv, type: conv2d, filters: 4, kernel_size: 1, use_bias: false}",
        "{name: norm, type: group_norm, groups: 2}",
        "{name: act, type: relu}",
    ]
    agrees(found, import_model(found), x=floats(2, 3, 6, 7))


def test_a_shuffle_of_channels_is_no_group_norm() -> None:
    """Reshape, Transpose, Reshape back: not what it was."""
    found = model(
        [
            node("Reshape", ["x", "parted"], ["a"]),
            node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3, 4]),
            node("Reshape", ["b", "whole"], ["y"]),
        ],
        {"x": [1, 6, 2, 3]},
        ["y"],
        {"parted": np.asarray([1, 2, 3, 2, 3]), "whole": np.asarray([1, 6, 2, 3])},
    )
    agrees(found, import_model(found), x=floats(1, 6, 2, 3))


@pytest.mark.parametrize("newer", [False, True], ids=["node names", "name scopes"])
def test_layers_have_the_names_of_modules(newer: bool) -> None:
    """`layer1.0.conv1` in both exporters' spellings; a module of several layers gives its name to none of them."""
    places = ["layer1.0.conv1", "layer1.0.relu", "layer1.0", "pool"]
    found = model(
        [
            node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
            node("Relu", ["a"], ["b"]),
            node("Add", ["b", "x"], ["c"]),
            node("GlobalMaxPool", ["c"], ["y"]),
        ],
        {"x": [1, 2, 4, 4]},
        ["y"],
        {"w": floats(2, 2, 3, 3)},
    )
    for one, place in zip(found.graph.node, places, strict=True):
        parts = place.split(".")
        scopes = [".".join(parts[: i + 1]) for i in range(len(parts))]
        if newer:
            one.name = f"node_{one.op_type}_7"
            one.metadata_props.add(
                key="pkg.torch.onnx.name_scopes", value=repr(["", *scopes, one.op_type.lower()])
            )
        else:
            scopes = [scope for scope in scopes if scope not in ("layer1",)] if place == "pool" else scopes
            one.name = "/" + "/".join([scopes[0], *scopes[1:2], *(parts[2:])]) + f"/{one.op_type}"
    names = [
        line.split(",")[0].removeprefix("{name: ") for line in layers(import_model(found, layout="native"))
    ]
    assert names[:3] == ["layer1_0_conv1", "layer1_0_add", "pool"]


def test_weights_of_batch_norms_stay_apart(tmp_path: Path) -> None:
    """Conv and BatchNormalization are two layers."""
    rows = {
        name: np.abs(floats(4)) + 0.5
        for name in ("bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
    }
    found = model(
        [
            node("Conv", ["x", "conv.weight"], ["a"]),
            node("BatchNormalization", ["a", *rows], ["b"]),
            node("HardSwish", ["b"], ["7"]),
        ],
        {"x": ["N", 3, 6, 7]},
        ["7"],
        {"conv.weight": floats(4, 3, 3, 3), **rows},
    )
    imported = import_model(found, name="m", layout="native")
    assert [line.split(",")[0] for line in layers(imported)] == [
        "{name: conv",
        "{name: bn",
        "{name: bn_hard_swish",
    ]
    imported.save(tmp_path / "m.yaml", tmp_path / "m.safetensors")
    agrees(found, import_model(found), x=floats(2, 3, 6, 7))
