"""What exporters spell out is read as what it is, however it is spelled; what only looks like it is left alone."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from onnx import helper

from netwright.onnx import import_model

from .models import agrees, model

node = helper.make_node
RANDOM = np.random.default_rng(0)
NUMBERS = {
    name: np.asarray(value, np.float32)
    for name, value in {
        "half": 0.5,
        "one": 1,
        "two": 2,
        "three": 3,
        "zero": 0,
        "six": 6,
        "sixth": 1 / 6,
        "root2": np.sqrt(2),
        "inverse": 1 / np.sqrt(2),
        "rootpi": np.sqrt(2 / np.pi),
        "cubic": 0.044715,
        "eps": 1e-5,
        "quick": 1.702,
    }.items()
}
GAMMA = RANDOM.normal(size=6).astype(np.float32)
BETA = RANDOM.normal(size=6).astype(np.float32)
CONSTANTS = {**NUMBERS, "gamma": GAMMA, "beta": BETA}

ACTIVATIONS = {
    "gelu": "Div x root2 a; Erf a b; Add b one c; Mul x c d; Mul d half y",
    "gelu halved first": "Mul x half h; Mul x inverse a; Erf a b; Add one b c; Mul h c y",
    "gelu tanh": "Pow x three a; Mul a cubic b; Add x b c; Mul c rootpi d; Tanh d e; Add e one f; Mul x f g;"
    " Mul half g y",
    "hard_swish": "Add x three a; Clip a zero six b; Mul x b c; Div c six y",
    "hard_swish by a sixth": "Add x three a; Clip a zero six b; Mul b sixth c; Mul x c y",
    "hard_swish by parts": "Add x three a; Relu a b; Min b six c; Div c six d; Mul d x y",
    "hard_sigmoid": "Add x three a; Clip a zero six b; Div b six y",
    "swish": "Sigmoid x a; Mul x a y",
    "swish of its own": "Neg x a; Exp a b; Add b one c; Div x c y",
    "swish quick": "Mul x quick a; Sigmoid a b; Mul x b y",
    "mish": "Softplus x a; Tanh a b; Mul x b y",
    "softplus": "Exp x a; Add a one b; Log b y",
    "sigmoid": "Neg x a; Exp a b; Add one b c; Div one c y",
}
NORMALIZATIONS = {
    "layer_norm": "Mean x m; Sub x m d; Pow d two s; Mean s v; Add v eps e; Sqrt e r; Div d r n; Mul n gamma g;"
    " Add g beta y",
    "layer_norm multiplied": "Mean x m; Sub x m d; Mul d d s; Mean s v; Add v eps e; Sqrt e r; Reciprocal r i;"
    " Mul i gamma k; Mul d k g; Add g beta y",
    "layer_norm plain": "Mean x m; Sub x m d; Mul d d s; Mean s v; Add v eps e; Sqrt e r; Div d r y",
    "rms_norm": "Mul x x s; Mean s v; Add v eps e; Sqrt e r; Div x r n; Mul gamma n y",
    "softmax": "Exp x e; Sum e s; Div e s y",
    "softmax safe": "Max x m; Sub x m d; Exp d e; Sum e s; Div e s y",
}


def along(op: str, axes: str) -> str:
    """A normalization over axes of an image, with a scale and a bias of some shape."""
    root = f"Mean{axes} s v; Add v eps e; Sqrt e r"
    if op == "rms":
        return f"Mul x x s; {root}; Div x r n; Mul n gamma y"
    return f"Mean{axes} x m; Sub x m d; Pow d two s; {root}; Div d r n; Mul n gamma g; Add g beta y"


#: Nodes, shape of scale and bias, and the layer with its keys.
OVER_AXES = {
    "instance": (along("layer", "[2,3]"), (6, 1, 1), "instance_norm"),
    "instance from the end": (along("layer", "[-2,-1]"), (1, 6, 1, 1), "instance_norm"),
    "channels": (along("layer", "[1]"), (6, 1, 1), "layer_norm"),
    "channels by their squares": (along("rms", "[1]"), (6, 1, 1), "rms_norm"),
    "the last two": (along("layer", "[-2,-1]"), (4, 5), "layer_norm, axis: -2"),
    "all of a sample": (along("layer", "[1,2,3]"), (6, 4, 5), "layer_norm, axis: -3"),
    "all of a sample, squares": (along("rms", "[1,2,3]"), (6, 4, 5), "rms_norm, axis: -3"),
}


@pytest.mark.parametrize("name", OVER_AXES)
def test_a_norm_over_any_axes_is_one_layer(name: str) -> None:
    text, shape, layer = OVER_AXES[name]
    constants = {
        "gamma": RANDOM.normal(size=shape).astype(np.float32),
        "beta": RANDOM.normal(size=shape).astype(np.float32),
    }
    found = model(spelled(text), {"x": ["N", 6, 4, 5]}, ["y"], {**CONSTANTS, **constants})
    imported = agrees(found, {"x": (2, 6, 4, 5)}, {"x": (3, 6, 4, 5)}, tolerance=1e-5)
    (made,) = [line for line in imported.spec.splitlines() if "type: " in line and "transpose" not in line]
    assert f"type: {layer}}}" in made


@pytest.mark.parametrize("sizes", [[0, 3, -1], [0, 3, 2, 4, 5]])
def test_a_group_norm_in_pieces_of_its_own(sizes: list[int]) -> None:
    """The groups are an axis while mean and variance are taken."""
    axes = [*range(2, len(sizes))]
    inner = along("layer", str(axes).replace(" ", "")).replace(" x", " grouped").partition("; Mul n gamma")[0]
    text = f"Reshape x sizes grouped; {inner}; Reshape n back k; Mul k gamma g; Add g beta y"
    constants = {
        "gamma": RANDOM.normal(size=(6, 1, 1)).astype(np.float32),
        "beta": RANDOM.normal(size=(6, 1, 1)).astype(np.float32),
        "sizes": np.asarray(sizes),
        "back": np.asarray([0, 6, 4, 5]),
    }
    found = model(spelled(text), {"x": ["N", 6, 4, 5]}, ["y"], {**CONSTANTS, **constants})
    imported = agrees(found, {"x": (2, 6, 4, 5)}, tolerance=1e-5)
    assert re.findall(r"type: (\w+)", imported.spec) == ["transpose", "group_norm", "transpose"]
    assert "groups: 3}" in imported.spec


@pytest.mark.parametrize(
    "text",
    [
        along("layer", "[1]").replace("Mean[1] s v", "Mean[2] s v"),
        along("layer", "[2]"),
        along("layer", "[0]"),
        along("rms", "[2,3]"),
    ],
)
def test_a_norm_that_no_layer_computes_stays_as_it_is(text: str) -> None:
    constants = {**CONSTANTS, "gamma": np.ones((6, 1, 1), np.float32), "beta": np.ones((6, 1, 1), np.float32)}
    found = model(spelled(text), {"x": ["N", 6, 4, 5]}, ["y"], constants)
    assert not re.search(r"type: \w+_norm", agrees(found, {"x": (2, 6, 4, 5)}, tolerance=1e-4).spec)


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("Mul x half a; Sub a three y", "scale: 0.5, offset: -3.0"),
        ("Mul x half a; Sub three a y", "scale: -0.5, offset: 3.0"),
        ("Div x two a; Add a three y", "scale: 0.5, offset: 3.0"),
        ("Div x two y", "scale: 0.5"),
    ],
)
def test_a_line_is_one_rescaling(text: str, layer: str) -> None:
    imported = agrees(model(spelled(text), {"x": ["N", 6]}, ["y"], CONSTANTS), {"x": (2, 6)})
    assert imported.spec.count("type: ") == 1
    assert f"type: rescale, {layer}}}" in imported.spec


def test_squeeze_and_excite_is_a_gate() -> None:
    weights = {
        name: RANDOM.normal(size=size).astype(np.float32)
        for name, size in {"k": (6, 3, 1, 1), "down": (2, 6, 1, 1), "up": (6, 2, 1, 1)}.items()
    }
    for pool in (node("GlobalAveragePool", ["c"], ["p"]), node("ReduceMean", ["c"], ["p"], axes=[2, 3])):
        nodes = [
            node("Conv", ["x", "k"], ["c"]),
            pool,
            node("Conv", ["p", "down"], ["a"]),
            node("Relu", ["a"], ["b"]),
            node("Conv", ["b", "up"], ["d"]),
            node("Sigmoid", ["d"], ["s"]),
            node("Mul", ["c", "s"], ["y"]),
        ]
        imported = agrees(model(nodes, {"x": ["N", 3, 4, 5]}, ["y"], weights), {"x": (2, 3, 4, 5)})
        made = re.findall(r"type: (\w+)", imported.spec)
        assert made == [
            "transpose", "conv2d", "global_mean_pool", "conv2d", "conv2d", "multiply", "transpose",
        ]  # fmt: skip
        assert "keepdims: true" in imported.spec


def spelled(text: str, last: str = "y") -> list[onnx.NodeProto]:
    """Nodes from `Op operands… result; …`; Mean, Sum and Max with one operand go over the last axis, `Mean[1,2]` over
    others."""
    found = []
    for part in text.split("; "):
        op, *operands, result = part.split()
        if op.startswith("Mean["):
            found.append(node("ReduceMean", operands, [result], axes=[*map(int, op[5:-1].split(","))]))
        elif op in ("Mean", "Sum", "Max") and len(operands) == 1:
            axes: dict[str, Any] = {} if op == "Sum" else {"axes": [-1]}
            extra = ["last_axis"] if op == "Sum" else []
            found.append(node(f"Reduce{op}", [*operands, *extra], [result], keepdims=1, **axes))
        else:
            found.append(node(op, operands, [last if result == "y" else result]))
    return found


@pytest.mark.parametrize("name", [*ACTIVATIONS, *NORMALIZATIONS])
def test_what_is_spelled_out_is_one_layer(name: str) -> None:
    text = {**ACTIVATIONS, **NORMALIZATIONS}[name]
    found = model(spelled(text), {"x": ["N", 5, 6]}, ["y"], {**CONSTANTS, "last_axis": np.asarray([-1])})
    imported = agrees(found, {"x": (2, 5, 6)}, {"x": (3, 5, 6)}, tolerance=1e-5)
    assert re.findall(r"type: (\w+)", imported.spec) == [name.split()[0]]


@pytest.mark.parametrize(
    "text",
    [
        "Div x root2 a; Erf a b; Add b half c; Mul x c d; Mul d half y",
        "Add x three a; Clip a zero three b; Mul x b c; Div c six y",
        "Mean x m; Sub x m d; Pow d two s; Mean s v; Add v one e; Sqrt e r; Div d r n; Mul n half g; Mul g x y",
        "Exp x e; Sum x s; Div e s y",
    ],
)
def test_what_only_looks_alike_stays_as_it_is(text: str) -> None:
    found = model(spelled(text), {"x": ["N", 5, 6]}, ["y"], {**CONSTANTS, "last_axis": np.asarray([-1])})
    imported = agrees(found, {"x": (2, 5, 6)}, tolerance=1e-4)
    assert not re.search(r"type: (gelu|hard|layer_norm|rms_norm|softmax|swish)", imported.spec)


def test_a_value_inside_that_somebody_else_reads_is_kept() -> None:
    """The sigmoid of a swish is an output of its own."""
    nodes = [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])]
    imported = agrees(model(nodes, {"x": ["N", 3]}, ["s", "y"]), {"x": (2, 3)})
    assert "type: sigmoid" in imported.spec


def test_a_norm_over_another_axis_is_of_that_axis() -> None:
    """The exporter counts axes from the front: where 1 is not the last one, the mean is of something else."""
    nodes = spelled("Mean[1] x m; Sub x m d; Mul d d s; Mean[1] s v; Add v eps e; Sqrt e r; Div d r y")
    wide = agrees(model(nodes, {"x": ["N", 4, 6]}, ["y"], CONSTANTS), {"x": (2, 4, 6)}, {"x": (3, 4, 6)})
    flat = agrees(model(nodes, {"x": ["N", 6]}, ["y"], CONSTANTS), {"x": (2, 6)}, {"x": (3, 6)})
    assert re.findall(r"type: (\w+)", wide.spec) == ["transpose", "layer_norm", "transpose"]
    assert re.findall(r"type: (\w+)", flat.spec) == ["layer_norm"]


def test_a_softmax_over_another_axis_is_spelled_out_after_all() -> None:
    nodes = [
        node("Exp", ["x"], ["e"]),
        node("ReduceSum", ["e", "one_axis"], ["s"]),
        node("Div", ["e", "s"], ["y"]),
    ]
    constants = {"one_axis": np.asarray([1])}
    wide = agrees(model(nodes, {"x": ["N", 4, 6]}, ["y"], constants), {"x": (2, 4, 6)}, {"x": (3, 4, 6)})
    flat = agrees(model(nodes, {"x": ["N", 6]}, ["y"], constants), {"x": (2, 6)}, {"x": (3, 6)})
    assert "softmax" not in wide.spec
    assert "type: softmax" in flat.spec


def test_a_recognized_activation_belongs_to_its_convolution() -> None:
    """Both branches of `x·sigmoid(x)` read the convolution, which is no reason to keep it apart."""
    nodes = [node("Conv", ["x", "w"], ["c"]), *spelled("Sigmoid c a; Mul c a y")]
    found = model(
        nodes, {"x": ["N", 3, 4, 4]}, ["y"], {"w": RANDOM.normal(size=(2, 3, 1, 1)).astype(np.float32)}
    )
    imported = agrees(found, {"x": (2, 3, 4, 4)})
    assert "activation: swish" in imported.spec


def test_a_number_with_axes_is_a_number_unless_it_adds_axes() -> None:
    """Keras' exporter writes 3 as [[[[3]]]]."""
    nodes = spelled("Add x wide a; Clip a zero six b; Mul b sixth c; Mul x c y")
    constants = {**CONSTANTS, "wide": np.full((1, 1, 1, 1), 3, np.float32)}
    image = agrees(model(nodes, {"x": ["N", 2, 3, 4]}, ["y"], constants), {"x": (2, 2, 3, 4)})
    assert re.findall(r"type: (\w+)", image.spec) == ["hard_swish"]
    vector = agrees(model(nodes, {"x": ["N", 4]}, ["y"], constants), {"x": (2, 4)})
    assert "hard_swish" not in vector.spec


def test_a_scale_and_a_bias_after_a_convolution_are_its_own() -> None:
    """A batch normalization that the exporter took apart; a scale by itself stays one."""
    weights = {
        "k": RANDOM.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "s": RANDOM.normal(size=(1, 4, 1, 1)).astype(np.float32),
        "b": RANDOM.normal(size=(1, 4, 1, 1)).astype(np.float32),
    }
    nodes = [
        node("Conv", ["x", "k"], ["c"], group=4),
        node("Mul", ["c", "s"], ["d"]),
        node("Add", ["d", "b"], ["e"]),
        node("Relu", ["e"], ["y"]),
    ]
    whole = agrees(model(nodes, {"x": ["N", 4, 5, 5]}, ["y"], weights), {"x": (2, 4, 5, 5)}, tolerance=1e-5)
    assert re.findall(r"type: (\w+)", whole.spec) == ["transpose", "conv2d", "transpose"]
    assert "activation: relu" in whole.spec
    part = agrees(
        model(nodes[:2], {"x": ["N", 4, 5, 5]}, ["d"], weights), {"x": (2, 4, 5, 5)}, tolerance=1e-5
    )
    assert "x * scale" in part.spec


def test_a_pool_whose_axes_go_and_come_back_keeps_them() -> None:
    weights = {"k": RANDOM.normal(size=(2, 4, 1, 1)).astype(np.float32), "shape": np.asarray([-1, 4, 1, 1])}
    nodes = [
        node("GlobalAveragePool", ["x"], ["p"]),
        node("Squeeze", ["p", "axes"], ["q"]),
        node("Reshape", ["q", "shape"], ["r"]),
        node("Conv", ["r", "k"], ["y"]),
    ]
    found = model(nodes, {"x": ["N", 4, 5, 5]}, ["y"], {**weights, "axes": np.asarray([2, 3])})
    imported = agrees(found, {"x": (2, 4, 5, 5)})
    assert "reshape, shape: [N, 1, 1, 4]" not in imported.spec
    assert "type: global_mean_pool, keepdims: true" in imported.spec


def test_many_nodes_take_no_longer_than_few() -> None:
    """Clusters are bounded, so recognition is linear in the number of nodes."""
    nodes, above = [], "x"
    for i in range(300):
        nodes += [node("Sigmoid", [above], [f"s{i}"]), node("Mul", [above, f"s{i}"], [f"x{i}"])]
        above = f"x{i}"
    assert import_model(model(nodes, {"x": ["N", 3]}, [above])).spec.count("type: swish") == 300


VIEWS = {
    "reshape": (node("Reshape", ["a", "flat"], ["p"]), node("Reshape", ["a", "flat"], ["q"])),
    "squeeze": (node("Unsqueeze", ["a", "first"], ["p"]), node("Unsqueeze", ["a", "first"], ["q"])),
    "transpose": (node("Transpose", ["a"], ["p"], perm=[1, 0]), node("Transpose", ["a"], ["q"], perm=[1, 0])),
    "identity": (node("Identity", ["a"], ["p"]), node("Identity", ["a"], ["q"])),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("later", ["Add", "Sub", "Relu"])
@pytest.mark.parametrize("turn", [1, -1])
def test_a_layer_that_is_read_under_two_names_takes_over_nothing(view: str, later: str, turn: int) -> None:
    """Each of both values has one reader, but they are one layer's."""
    nodes = [
        node("MatMul", ["x", "w"], ["m"]),
        node("Add", ["m", "b"], ["a"]),
        *VIEWS[view][::turn],
        node(later, ["p"] if later == "Relu" else ["p", "two"], ["y"]),
        node("Exp", ["q"], ["z"]),
    ]
    constants = {
        "w": RANDOM.normal(size=(3, 6)).astype(np.float32),
        "b": GAMMA,
        "two": NUMBERS["two"],
        "flat": np.asarray([-1, 2, 3]),
        "first": np.asarray([1]),
    }
    agrees(model(nodes, {"x": ["N", 3]}, ["y", "z"], constants), {"x": [4, 3]})


@pytest.mark.parametrize("op", ["Mean", "Sum"])
@pytest.mark.parametrize("shape", [(6,), (5, 6)])
def test_a_sum_in_place_of_a_mean_follows_the_width(op: str, shape: tuple[int, ...]) -> None:
    """TensorFlow writes `l2_normalize` so. No constant says how wide rows are, and only a mean makes that no matter."""
    nodes = spelled(f"Mul x x s; {op} s v; Max v tiny m; Sqrt m r; Reciprocal r i; Mul x i y")
    constants = {"tiny": np.float32(1e-12), "last_axis": np.asarray([-1])}
    found = model(nodes, {"x": ["N", *shape]}, ["y"], constants)
    imported = agrees(found, {"x": (2, *shape)}, {"x": (3, *shape)}, tolerance=1e-5)
    assert ("type: rms_norm" in imported.spec) == (op == "Mean")


@pytest.mark.parametrize("op", ["Mean", "Sum"])
def test_a_sum_along_an_axis_that_no_constant_sizes(op: str) -> None:
    """The scale has the channels; the sum goes over what lies behind them."""
    nodes = spelled("Mul x x s; Mean[2] s v; Add v eps e; Sqrt e r; Div x r n; Mul n scale y")
    if op == "Sum":
        nodes[1] = node("ReduceSum", ["s", "axes"], ["v"])
    constants = {**CONSTANTS, "scale": GAMMA[:, None], "axes": np.asarray([2])}
    agrees(model(nodes, {"x": ["N", 6, 4]}, ["y"], constants), {"x": (2, 6, 4)}, tolerance=1e-5)
