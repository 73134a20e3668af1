"""Sequences of tensors: lists that a scripted recurrence fills, tensors that it grows, and lists by themselves."""

from __future__ import annotations

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
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def info(name: str, kind: int = FLOAT, shape: list | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def listed(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_sequence_value_info(name, FLOAT, None)


def weights(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32) * 0.5


CONSTANTS = {
    "zero": np.asarray([0]),
    "one": np.asarray([1]),
    "two": np.asarray([2]),
    "first": np.asarray(0),
    "second": np.asarray(1),
    "three": np.asarray(3),
    "units": np.asarray([4]),
    "far": np.asarray([2**63 - 1]),
    "yes": np.asarray(True),
    "weight": weights(4, 7),
    "bias": weights(4),
}
#: x [N, T, 3]: its sizes, and a state of zeros.
PREPARED = [
    node("Shape", ["x"], ["sizes"]),
    node("Gather", ["sizes", "first"], ["n"], axis=0),
    node("Gather", ["sizes", "second"], ["t"], axis=0),
    node("Unsqueeze", ["n", "zero"], ["n1"]),
    node("Concat", ["n1", "units"], ["start"], axis=0),
    node("ConstantOfShape", ["start"], ["h0"]),
]
#: h = tanh(linear(cat(x[:, t], h))) as TorchScript is exported.
CELL = [
    node("Slice", ["x", "zero", "far", "zero", "one"], ["all_x"]),
    node("Gather", ["all_x", "i"], ["/Gather_2_output_0"], axis=1),
    node("Concat", ["/Gather_2_output_0", "h.13"], ["both"], axis=1),
    node("Gemm", ["both", "weight", "bias"], ["sum"], transB=1),
    node("Tanh", ["sum"], ["new"]),
]


def body(
    nodes: list[onnx.NodeProto], inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]
) -> onnx.GraphProto:
    counted = [info("i", INT64, []), info("go", BOOL, [])]
    return helper.make_graph(nodes, "body", [*counted, *inputs], [info("go", BOOL), *outputs])


def scripted(time: int | str, further: list[onnx.NodeProto], outputs: list[str]) -> onnx.ModelProto:
    """`out = []; for t in range(x.size(1)): h = cell(x[:, t], h); out.append(h)` and what follows."""
    graph = body(
        [*CELL, node("SequenceInsert", ["out", "new"], ["out_next"])],
        [info("h.13"), listed("out")],
        [info("new"), listed("out_next")],
    )
    nodes = [
        *PREPARED,
        node("SequenceEmpty", [], ["none"]),
        node("Loop", ["t", "yes", "h0", "none"], ["last", "states"], body=graph),
        *further,
    ]
    return model(nodes, {"x": ["N", time, 3]}, outputs, CONSTANTS)


ENDS = {
    "stack in time": (node("ConcatFromSequence", ["states"], ["y"], axis=1, new_axis=1), "y"),
    "stack in front": (node("ConcatFromSequence", ["states"], ["y"], axis=0, new_axis=1), "y"),
    "stack behind": (node("ConcatFromSequence", ["states"], ["y"], axis=-1, new_axis=1), "y"),
    "concat": (node("ConcatFromSequence", ["states"], ["y"], axis=1), "y"),
    "concat samples": (node("ConcatFromSequence", ["states"], ["y"], axis=0), "y"),
    "first": (node("SequenceAt", ["states", "first"], ["y"]), "y"),
}


@pytest.mark.parametrize("time", ["T", 5])
@pytest.mark.parametrize("end", ENDS)
def test_a_list_of_states_is_what_a_recurrence_gives(time: int | str, end: str) -> None:
    last, result = ENDS[end]
    found = scripted(time, [last], [result, "last"])
    imported = agrees(found, {"x": (2, 5, 3)}, {"x": (3, 5 if time == 5 else 7, 3)})
    assert imported.spec.count("type: rnn") == 1
    assert "type: slice" not in imported.spec or end == "first"


def test_stacked_states_are_the_sequence_as_it_is() -> None:
    spec = agrees(scripted("T", [ENDS["stack in time"][0]], ["y"]), {"x": (2, 5, 3)}, {"x": (1, 1, 3)}).spec
    assert spec.count("type: ") == spec.count("type: rnn, units: 4}") == 1


def test_nothing_is_computed_of_a_tensor_without_elements_and_of_an_open_size() -> None:
    nodes = [
        *PREPARED[:4],
        node("Concat", ["n1", "zero"], ["empty"], axis=0),
        node("ConstantOfShape", ["empty"], ["nothing"]),
        node("MatMul", ["nothing", "weight"], ["y"]),
    ]
    with pytest.raises(OnnxError, match=r"an empty tensor \[N, 0\] has open sizes"):
        import_model(model(nodes, {"x": ["N", "T", 3]}, ["y"], CONSTANTS))


def test_the_number_of_states() -> None:
    further = [
        node("SequenceLength", ["states"], ["count"]),
        node("Cast", ["count"], ["number"], to=FLOAT),
        node("Mul", ["last", "number"], ["y"]),
    ]
    agrees(scripted("T", further, ["y"]), {"x": (2, 5, 3)}, {"x": (3, 2, 3)})


@pytest.mark.parametrize("time", ["T", 4])
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("part", ["unsqueezed", "whole"])
def test_a_tensor_that_grows_is_what_a_recurrence_gives(time: int | str, begun: bool, part: str) -> None:
    """`ys = torch.cat([ys, h.unsqueeze(1)], 1)`, and along the features; from nothing, and from what there is."""
    new = part == "unsqueezed"
    grow = [node("Unsqueeze", ["new", "one"], ["wide"])] if new else []
    grow += [node("Concat", ["ys", "wide" if new else "new"], ["ys_next"], axis=1)]
    graph = body([*CELL, *grow], [info("ys"), info("h.13")], [info("ys_next"), info("new")])
    sizes = ["n1", "two" if begun else "zero", *(["units"] if new else [])]
    nodes = [
        *PREPARED,
        node("Concat", sizes, ["empty"], axis=0),
        node("ConstantOfShape", ["empty"], ["ys0"]),
        node("Loop", ["t", "yes", "ys0", "h0"], ["y", "last"], body=graph),
    ]
    found = model(nodes, {"x": ["N", time, 3]}, ["y", "last"], CONSTANTS)
    imported = agrees(found, {"x": (2, 4, 3)}, {"x": (3, 4 if time == 4 else 6, 3)})
    assert imported.spec.count("type: rnn") == 1


@pytest.mark.parametrize("time", ["T", 4])
def test_steps_over_the_parts_of_a_split(time: int | str) -> None:
    """`for xt in x.unbind(1)`."""
    graph = body(
        [
            node("SequenceAt", ["parts", "i"], ["/Gather_2_output_0"]),
            *CELL[2:],
            node("SequenceInsert", ["out", "new"], ["out_next"]),
        ],
        [listed("out"), info("h.13")],
        [listed("out_next"), info("new")],
    )
    nodes = [
        *PREPARED,
        node("SplitToSequence", ["x", "second"], ["parts"], axis=1, keepdims=0),
        node("SequenceLength", ["parts"], ["count"]),
        node("SequenceEmpty", [], ["none"], dtype=FLOAT),
        node("Loop", ["count", "yes", "none", "h0"], ["states", "last"], body=graph),
        node("ConcatFromSequence", ["states"], ["y"], axis=1, new_axis=1),
    ]
    found = model(nodes, {"x": ["N", time, 3]}, ["y"], CONSTANTS)
    imported = agrees(found, {"x": (2, 4, 3)}, {"x": (3, 4 if time == 4 else 1, 3)})
    assert imported.spec.count("type: ") == 1


def test_a_list_in_a_loop_that_is_unrolled() -> None:
    """The body is no cell: a convolution."""
    graph = body(
        [
            node("Gather", ["x", "i"], ["xi"], axis=0),
            node("Concat", ["xi", "h.13"], ["joined"], axis=1),
            node("Conv", ["joined", "kernel"], ["new"], pads=[1, 1, 1, 1]),
            node("SequenceInsert", ["out", "new"], ["out_next"]),
        ],
        [info("h.13"), listed("out")],
        [info("new"), listed("out_next")],
    )
    nodes = [
        node("Gather", ["x", "first"], ["h0"], axis=0),
        node("SequenceConstruct", ["h0", "h0"], ["two_of_it"]),
        node("Loop", ["three", "yes", "h0", "two_of_it"], ["last", "states"], body=graph),
        node("ConcatFromSequence", ["states"], ["y"], axis=1),
    ]
    found = model(nodes, {"x": [3, "N", 2, 5, 4]}, ["y"], {**CONSTANTS, "kernel": weights(2, 4, 3, 3)})
    agrees(found, {"x": (3, 2, 2, 5, 4)}, {"x": (3, 1, 2, 5, 4)})


LISTS = {
    "constructed": "SequenceConstruct x twice q; ConcatFromSequence q y",
    "inserted": "SequenceConstruct x q; SequenceInsert q twice first r; ConcatFromSequence r y",
    "from the end": "SequenceConstruct x twice q; SequenceAt q minus y",
    "halves": "SplitToSequence x three q; SequenceAt q second y",
    "uneven": "SplitToSequence x sizes q; SequenceAt q first y",
    "appended to parts": "SplitToSequence x second q; SequenceAt q first a; SequenceInsert q a r;"
    " ConcatFromSequence r y",
    "one": "SplitToSequence x q; SequenceAt q minus y",
    "erased": "SequenceConstruct x twice x q; SequenceErase q r; SequenceErase r first s; SequenceAt s first y",
    "through": "SequenceConstruct x twice q; Identity q r; SequenceAt r second y",
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_by_themselves(name: str) -> None:
    nodes = [node("Add", ["x", "x"], ["twice"])]
    for part in LISTS[name].split("; "):
        op, *operands, result = part.split()
        axis = {"axis": 1} if op in ("ConcatFromSequence", "SplitToSequence") else {}
        nodes.append(node(op, operands, [result], **axis))
    constants = {**CONSTANTS, "minus": np.asarray(-1), "sizes": np.asarray([1, 4])}
    agrees(model(nodes, {"x": ["N", 5, 2]}, ["y"], constants), {"x": (2, 5, 2)}, {"x": (3, 5, 2)})


REFUSED = {
    "SequenceEmpty q; SequenceErase q r; SequenceLength r y": "a sequence without tensors is made shorter",
    "SequenceConstruct x q; SequenceAt q three y": "no position 3 among 1 tensors",
    "SequenceEmpty q; ConcatFromSequence q y": "a sequence without tensors gives nothing to stack",
    "SequenceConstruct x q; Identity q y": "the output y: a tensor is expected, not a sequence",
    "SequenceConstruct x q; Relu q y": "operand 0 can't be seq",
    "SplitToSequence x sizes q; SequenceAt q first y": r"parts of \[1, 4\] cells along an axis of 2",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_lists_can_not_be(text: str) -> None:
    nodes = []
    for part in text.split("; "):
        op, *operands, result = part.split()
        axis = {"axis": 1} if op in ("ConcatFromSequence", "SplitToSequence") else {}
        nodes.append(node(op, operands, [result], **axis))
    found = model(nodes, {"x": ["N", 2]}, ["y"], {**CONSTANTS, "sizes": np.asarray([1, 4])})
    with pytest.raises(OnnxError, match=REFUSED[text]):
        import_model(found)


def test_a_list_that_the_body_reads_is_no_result_of_a_recurrence() -> None:
    """A step that looks at what came before is unrolled."""
    graph = body(
        [
            *CELL,
            node("SequenceAt", ["out", "minus"], ["before"]),
            node("Add", ["before", "new"], ["sum_of_both"]),
            node("SequenceInsert", ["out", "sum_of_both"], ["out_next"]),
        ],
        [info("h.13"), listed("out")],
        [info("new"), listed("out_next")],
    )
    nodes = [
        *PREPARED,
        node("SequenceConstruct", ["h0"], ["begun"]),
        node("Loop", ["t", "yes", "h0", "begun"], ["last", "states"], body=graph),
        node("ConcatFromSequence", ["states"], ["y"], axis=1, new_axis=1),
    ]
    found = model(nodes, {"x": ["N", 3, 3]}, ["y"], {**CONSTANTS, "minus": np.asarray(-1)})
    agrees(found, {"x": (2, 3, 3)}, {"x": (1, 3, 3)})
