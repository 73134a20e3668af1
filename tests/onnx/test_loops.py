"""Loop and Scan: recurrences as tf2onnx and PyTorch write them become recurrent layers, other bodies are unrolled."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from onnx import TensorProto, helper

from netwright.onnx import OnnxError, import_model

from .models import agrees, model

node = helper.make_node
RANDOM = np.random.default_rng(0)
FLOAT, INT32, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL


def info(name: str, kind: int = FLOAT, shape: list | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def weights(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32) * 0.5


def body(
    nodes: list[onnx.NodeProto], inputs: list[onnx.ValueInfoProto], outputs: list[tuple[str, int]]
) -> onnx.GraphProto:
    """A loop's body, whose first inputs are the number of the step and the condition."""
    counted = [info("i", INT64, []), info("go", BOOL, [])]
    return helper.make_graph(nodes, "body", [*counted, *inputs], [info(name, kind) for name, kind in outputs])


CONSTANTS = {
    "zero": np.asarray([0]),
    "one": np.asarray([1]),
    "nothing": np.asarray(0.0, np.float32),
    "units": np.asarray([4]),
    "counter": np.asarray(0, np.int32),
    "step": np.asarray(1, np.int32),
    "yes": np.asarray(True),
}
#: x [N, T, 3] with the time in front, the number of steps, and a state of zeros.
PREPARED = [
    node("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
    node("Shape", ["xt"], ["sizes"]),
    node("Slice", ["sizes", "zero", "one", "zero"], ["t1"]),
    node("Squeeze", ["t1", "zero"], ["t"]),
    node("Slice", ["sizes", "one", "two", "zero"], ["n1"]),
    node("Concat", ["n1", "units"], ["start"], axis=0),
    node("Expand", ["nothing", "start"], ["h0"]),
]
CONSTANTS["two"] = np.asarray([2])
CELL = [
    node("MatMul", ["xi", "kernel"], ["a"]),
    node("MatMul", ["h", "recurrent"], ["b"]),
    node("Add", ["a", "b"], ["c"]),
    node("Tanh", ["c"], ["new"]),
    node("Identity", ["new"], ["h_out"]),
]


def keras(time: int | str = "T", further: str = "less", index: str = "j") -> onnx.ModelProto:
    """A SimpleRNN as tf2onnx writes it: a counter of int32 in the state, sizes that are compared as floats, weights
    that are passed through, the sequence from the graph around."""
    nodes = [
        node("Add", ["j", "step"], ["j_out"]),
        node("Gather", ["xt", index], ["xi"], axis=0),
        *CELL,
        node("Identity", ["kernel"], ["kernel_out"]),
        node("Cast", ["j_out"], ["j_float"], to=FLOAT),
        node("Cast", ["t"], ["t_float"], to=FLOAT),
        node("Less", ["j_float", "t_float"], ["l"]),
        node("And", ["l", "l"], ["further"]),
    ]
    outputs = [("further" if further == "less" else "go", BOOL), ("j_out", INT32), ("h_out", FLOAT)]
    graph = body(
        nodes,
        [info("j", INT32, []), info("h", FLOAT, [None, 4]), info("kernel", FLOAT, [3, 4])],
        [*outputs, ("kernel_out", FLOAT), ("new", FLOAT)],
    )
    limited = "" if further == "only" else "limit"
    loop = node("Loop", [limited, "yes", "counter", "h0", "w"], ["j_end", "last", "w_end", "all"], body=graph)
    return model(
        [
            *PREPARED,
            node("Cast", ["t"], ["limit"], to=INT64),
            loop,
            node("Transpose", ["all"], ["y"], perm=[1, 0, 2]),
        ],
        {"x": ["N", time, 3]},
        ["y", "last"],
        {**CONSTANTS, "w": weights(3, 4), "recurrent": weights(4, 4)},
    )


@pytest.mark.parametrize("time", ["T", 5])
@pytest.mark.parametrize("further", ["less", "go"])
def test_a_counted_loop_is_a_recurrent_layer(time: int | str, further: str) -> None:
    found = keras(time, further)
    imported = agrees(found, {"x": (3, 5, 3)}, {"x": (2, 5 if time == 5 else 7, 3)})
    assert imported.spec.count("type: rnn, units: 4, use_bias: false}") == 1


def test_a_loop_that_only_its_condition_ends() -> None:
    found = keras(6)
    loop = next(one for one in found.graph.node if one.op_type == "Loop")
    loop.input[0] = ""
    agrees(found, {"x": (3, 6, 3)}, {"x": (1, 6, 3)})
    found = keras("T")
    loop = next(one for one in found.graph.node if one.op_type == "Loop")
    loop.input[0] = ""
    agrees(found, {"x": (3, 6, 3)}, {"x": (1, 2, 3)})


def test_a_sequence_that_is_read_backwards() -> None:
    """Position T − 1 − i; the results are in the order of the steps."""
    nodes = [
        node("Sub", ["t", "i"], ["left"]),
        node("Sub", ["left", "unit"], ["position"]),
        node("Gather", ["xt", "position"], ["xi"], axis=0),
        *CELL,
    ]
    graph = body(nodes, [info("h")], [("go", BOOL), ("h_out", FLOAT), ("new", FLOAT)])
    found = model(
        [*PREPARED, node("Loop", ["t", "yes", "h0"], ["last", "all"], body=graph)],
        {"x": ["N", "T", 3]},
        ["all", "last"],
        {**CONSTANTS, "unit": np.asarray(1), "kernel": weights(3, 4), "recurrent": weights(4, 4)},
    )
    imported = agrees(found, {"x": (3, 5, 3)}, {"x": (2, 1, 3)})
    assert "type: rnn" in imported.spec


def test_steps_over_part_of_a_sequence() -> None:
    """The first position is 1, so the last step is not the sequence's last."""
    nodes = [
        node("Add", ["i", "one"], ["position"]),
        node("Gather", ["xt", "position"], ["xw"], axis=0),
        node("Squeeze", ["xw", "zero"], ["xi"]),
        *CELL,
    ]
    graph = body(nodes, [info("h")], [("go", BOOL), ("h_out", FLOAT)])
    found = model(
        [*PREPARED, node("Loop", ["three", "yes", "h0"], ["last"], body=graph)],
        {"x": ["N", 6, 3]},
        ["last"],
        {**CONSTANTS, "three": np.asarray(3), "kernel": weights(3, 4), "recurrent": weights(4, 4)},
    )
    agrees(found, {"x": (3, 6, 3)}, {"x": (2, 6, 3)})


def convolutional(time: int | str, *, pooled: bool = False) -> onnx.ModelProto:
    """A state that is an image; no cell has pools."""
    nodes = [
        node("Gather", ["xt", "i"], ["xi"], axis=0),
        node("Concat", ["xi", "h"], ["both"], axis=1),
        node("Conv", ["both", "kernel"], ["c"], pads=[1, 1, 1, 1]),
        node("Tanh", ["c"], ["before" if pooled else "new"]),
    ]
    if pooled:
        nodes.append(node("MaxPool", ["before"], ["new"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
    graph = body(nodes, [info("h")], [("go", BOOL), ("new", FLOAT), ("new", FLOAT)])
    return model(
        [
            node("Transpose", ["x"], ["xt"], perm=[1, 0, 2, 3, 4]),
            node("Shape", ["xt"], ["sizes"]),
            node("Gather", ["sizes", "first"], ["t"]),
            node("Gather", ["xt", "first"], ["x0"], axis=0),
            node("Mul", ["x0", "nothing"], ["h0"]),
            node("Loop", ["t", "yes", "h0"], ["last", "all"], body=graph),
        ],
        {"x": ["N", time, 2, 5, 4]},
        ["all", "last"],
        {**CONSTANTS, "first": np.asarray(0), "kernel": weights(2, 4, 3, 3)},
    )


def test_a_body_that_is_no_cell_is_unrolled() -> None:
    imported = agrees(convolutional(3, pooled=True), {"x": (2, 3, 2, 5, 4)}, {"x": (1, 3, 2, 5, 4)})
    assert imported.spec.count("type: conv2d") == 3


def test_a_body_that_is_no_cell_needs_the_number_of_steps() -> None:
    with pytest.raises(OnnxError, match="unrolling it needs a known number of steps, not T") as caught:
        import_model(convolutional("T", pooled=True))
    assert "--dim T=" in caught.value.help
    imported = import_model(convolutional("T", pooled=True), dims={"T": 2})
    assert imported.spec.count("type: conv2d") == 2


def test_a_number_of_steps_that_is_computed() -> None:
    """A body that stops by what it computes is refused, by name."""
    nodes = [
        node("Add", ["h", "h"], ["new"]),
        node("ReduceMax", ["new"], ["m"], keepdims=0),
        node("Less", ["m", "hundred"], ["more"]),
    ]
    graph = body(nodes, [info("h")], [("more", BOOL), ("new", FLOAT)])
    found = model(
        [node("Loop", ["", "yes", "x"], ["y"], body=graph)],
        {"x": ["N", 2]},
        ["y"],
        {**CONSTANTS, "hundred": np.asarray(100.0, np.float32)},
    )
    with pytest.raises(OnnxError, match="whether there is a further step depends on what is computed"):
        import_model(found)


def test_a_loop_that_computes_with_the_number_of_its_step() -> None:
    """Positions are numbers at each step of an unrolled loop; counters and constants come out as they are."""
    nodes = [
        node("Cast", ["i"], ["number"], to=FLOAT),
        node("Mul", ["h", "number"], ["scaled"]),
        node("Add", ["scaled", "x"], ["new"]),
        node("Add", ["j", "step"], ["j_out"]),
    ]
    graph = body(
        nodes,
        [info("h"), info("j", INT32, [])],
        [("go", BOOL), ("new", FLOAT), ("j_out", INT32), ("scaled", FLOAT)],
    )
    found = model(
        [
            node("Loop", ["four", "yes", "x", "counter"], ["last", "j_end", "all"], body=graph),
            node("Cast", ["j_end"], ["count"], to=FLOAT),
            node("Mul", ["last", "count"], ["y"]),
        ],
        {"x": ["N", 3]},
        ["y", "all"],
        {**CONSTANTS, "four": np.asarray(4)},
    )
    agrees(found, {"x": (2, 3)}, {"x": (1, 3)})


def test_no_steps_leave_the_states_as_they_are() -> None:
    graph = body([node("Exp", ["h"], ["new"])], [info("h")], [("go", BOOL), ("new", FLOAT)])
    found = model(
        [node("Loop", ["none", "", "x"], ["h_end"], body=graph), node("Relu", ["h_end"], ["y"])],
        {"x": ["N", 3]},
        ["y"],
        {"none": np.asarray(0)},
    )
    agrees(found, {"x": (2, 3)}, {"x": (1, 3)})


def test_steps_that_a_mask_leaves_out() -> None:
    """Keras' Masking: the state stays where the mask is false."""
    nodes = [
        node("Gather", ["xt", "i"], ["xi"], axis=0),
        node("Gather", ["mask", "i"], ["m"], axis=0),
        *CELL,
        node("Where", ["m", "h_out", "h"], ["kept"]),
    ]
    graph = body(nodes, [info("h")], [("go", BOOL), ("kept", FLOAT), ("kept", FLOAT)])
    found = model(
        [
            *PREPARED,
            node("ReduceMax", ["xt"], ["top"], axes=[2], keepdims=1),
            node("Greater", ["top", "nothing"], ["mask"]),
            node("Loop", ["t", "yes", "h0"], ["last", "all"], body=graph),
        ],
        {"x": ["N", "T", 3]},
        ["all", "last"],
        {**CONSTANTS, "kernel": weights(3, 4), "recurrent": weights(4, 4)},
    )
    imported = agrees(found, {"x": (3, 5, 3)}, {"x": (2, 7, 3)})
    assert "type: recurrent" in imported.spec


def test_a_scan_that_is_no_cell_is_unrolled() -> None:
    nodes = [
        node("CumSum", ["xi", "last_axis"], ["s"]),
        node("Add", ["s", "h"], ["new"]),
        node("Identity", ["new"], ["out"]),
    ]
    graph = helper.make_graph(nodes, "body", [info("h"), info("xi")], [info("new"), info("out")])
    for directions in ([0], [1]):
        scan = node(
            "Scan",
            ["h0", "x"],
            ["last", "all"],
            body=graph,
            num_scan_inputs=1,
            scan_input_directions=directions,
            scan_output_directions=directions,
            scan_output_axes=[1],
        )
        found = model(
            [scan], {"h0": ["N", 3], "x": [4, "N", 3]}, ["all", "last"], {"last_axis": np.asarray(1)}
        )
        if "CumSum" in str(_refused(found)):
            pytest.skip("CumSum is not supported")
        agrees(found, {"h0": (2, 3), "x": (4, 2, 3)}, {"h0": (1, 3), "x": (4, 1, 3)})


def _refused(found: onnx.ModelProto) -> OnnxError | None:
    try:
        import_model(found)
    except OnnxError as error:
        return error
    return None


def test_a_sequence_that_is_reversed_as_a_whole() -> None:
    """Keras goes backwards by ReverseSequence with the number of steps, which is open, for each sample."""
    graph = body(
        [node("Gather", ["xr", "i"], ["xi"], axis=0), *CELL],
        [info("h")],
        [("go", BOOL), ("h_out", FLOAT)],
    )
    found = model(
        [
            *PREPARED,
            node("Expand", ["t1", "n1"], ["lengths"]),
            node("ReverseSequence", ["xt", "lengths"], ["xr"], batch_axis=1, time_axis=0),
            node("Loop", ["t", "yes", "h0"], ["last"], body=graph),
        ],
        {"x": ["N", "T", 3]},
        ["last"],
        {**CONSTANTS, "kernel": weights(3, 4), "recurrent": weights(4, 4)},
    )
    imported = agrees(found, {"x": (3, 5, 3)}, {"x": (2, 1, 3)})
    assert imported.spec.count("type: rnn") == imported.spec.count("type: reverse") == 1


def one_step(kind: str, *, bias: bool = True, peepholes: bool = False, **options: Any) -> onnx.ModelProto:
    """A loop each of whose steps is a recurrence over a sequence of one, as a scripted cell is written."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    states = ["h", "c"] if kind == "LSTM" else ["h"]
    shapes = {"w": (1, gates * 4, 3), "r": (1, gates * 4, 4), "b": (1, gates * 8), "p": (1, 12)}
    read = ["xi1", "w", "r", "b" if bias else "", "", *(f"{name}1" for name in states)]
    nodes = [
        node("Gather", ["xt", "i"], ["xi"], axis=0),
        *(node("Unsqueeze", [name, "zero"], [f"{name}1"]) for name in ("xi", *states)),
        node(
            kind,
            [*read, *(["p"] if peepholes else [])],
            ["", *(f"{name}2" for name in states)],
            hidden_size=4,
            **options,
        ),
        *(node("Squeeze", [f"{name}2", "zero"], [f"{name}3"]) for name in states),
    ]
    new = [(f"{name}3", FLOAT) for name in states]
    graph = body(nodes, [info(name) for name in states], [("go", BOOL), *new, ("h3", FLOAT)])
    results = [f"last_{name}" for name in states]
    loop = node("Loop", ["t", "yes", *["h0"] * len(states)], [*results, "all"], body=graph)
    constants = {**CONSTANTS, **{name: weights(*shape) for name, shape in shapes.items()}}
    return model([*PREPARED, loop], {"x": ["N", "T", 3]}, ["all", *results], constants)


@pytest.mark.alike(2)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kind", "options", "keys"),
    [
        ("LSTM", {}, ""),
        ("LSTM", {"peepholes": True}, ", peepholes: true"),
        ("LSTM", {"input_forget": 1, "clip": 0.5}, ", clip: 0.5, input_forget: true"),
        (
            "LSTM",
            {"activations": ["HardSigmoid", "Relu", "Softsign"], "activation_alpha": [0.25]},
            ", recurrent_activation: {type: hard_sigmoid, alpha: 0.25}, activation: relu, output_activation: softsign",
        ),
        ("GRU", {"linear_before_reset": 1}, ""),
        ("GRU", {}, ", reset_after: false"),
        (
            "GRU",
            {"clip": 0.25, "activations": ["Sigmoid", "Relu"]},
            ", activation: relu, clip: 0.25, reset_after: false",
        ),
        ("RNN", {"activations": ["LeakyRelu"], "direction": "reverse"}, ", activation: leaky_relu"),
    ],
)
def test_a_step_that_is_a_recurrence_over_a_sequence_of_one(
    kind: str, options: dict[str, Any], keys: str, bias: bool
) -> None:
    found = one_step(kind, bias=bias, **options)
    imported = agrees(found, {"x": (3, 5, 3)}, {"x": (2, 7, 3)})
    (layer,) = re.findall(rf"type: {kind.lower()}, units: 4(.*)\}}", imported.spec)
    assert set(layer.split(", ")) == set((keys + ("" if bias else ", use_bias: false")).split(", "))


def test_a_step_over_what_no_layer_has_says_why() -> None:
    with pytest.raises(OnnxError, match="ScaledTanh has numbers without a default"):
        import_model(one_step("RNN", activations=["ScaledTanh"]))
