"""One size under several names, and networks that fit for some sizes alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from click.testing import CliRunner
from numpy.typing import NDArray
from onnx import helper

from netwright.cli import main
from netwright.onnx import ImportedModel, OnnxError, import_model
from netwright.onnx.files import check

from .models import model, onnxruntime_outputs

node = helper.make_node
FLOATS = np.random.default_rng(0)


def floats(*shape: int) -> NDArray:
    return FLOATS.normal(size=shape).astype(np.float32)


def agrees(graph: onnx.ModelProto, imported: ImportedModel, **inputs: NDArray) -> None:
    program = check(imported.spec).compile(dict(imported.weights), engine="reference", entries=["predict"])
    answers = program.predict(**{imported.inputs[own]: array for own, array in inputs.items()})
    for output, wanted in zip(graph.graph.output, onnxruntime_outputs(graph, inputs), strict=True):
        np.testing.assert_allclose(answers[imported.outputs[output.name]], wanted, rtol=1e-4, atol=1e-5)


SIAMESE = model(
    [
        node("MatMul", ["x", "w"], ["a"]),
        node("MatMul", ["z", "w"], ["b"]),
        node("Sub", ["a", "b"], ["d"]),
        node("Mul", ["d", "d"], ["y"], name="square"),
    ],
    {"x": ["x_batch", 4], "z": ["z_batch", 4]},
    ["y"],
    {"w": floats(4, 3)},
)


def test_what_is_subtracted_has_one_batch() -> None:
    imported = import_model(SIAMESE)
    assert list(imported.same) == ["z_batch"]
    assert imported.same["z_batch"].startswith("x_batch: ")
    assert "z: {shape: [x_batch, 4]}" in imported.spec
    for samples in (2, 3):
        agrees(SIAMESE, imported, x=floats(samples, 4), z=floats(samples, 4))


def test_the_import_says_so_and_takes_it_from_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(SIAMESE.SerializeToString())
    names = [
        "import",
        str(path),
        "-o",
        str(tmp_path / "m.yaml"),
        "--weights",
        str(tmp_path / "w.safetensors"),
    ]
    done = CliRunner().invoke(main, names)
    assert done.exit_code == 0, done.output
    assert "the open size z_batch is the same as x_batch: " in done.output
    done = CliRunner().invoke(main, [*names, "--dim", "x_batch=z_batch"])
    assert done.exit_code == 0, done.output
    assert "the same as" not in done.output
    assert "x: {shape: [z_batch, 4]}" in (tmp_path / "m.yaml").read_text()
    done = CliRunner().invoke(main, [*names, "--dim", "x_batch=y_batch"])
    assert done.exit_code == 1
    assert "can't be y_batch: it can be a number, a multiple such as 32k, or z_batch" in done.stderr


@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
def test_states_have_the_batch_of_the_sequences(op: str) -> None:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    states = ["h", "c"] if op == "LSTM" else ["h"]
    graph = model(
        [node(op, ["x", "w", "r", "", "", *states], ["y", "last"], hidden_size=4)],
        {"x": ["t", "n", 3], **{one: [1, f"{one}_n", 4] for one in states}},
        ["y", "last"],
        {"w": floats(1, gates * 4, 3), "r": floats(1, gates * 4, 4)},
    )
    imported = import_model(graph)
    assert set(imported.same) == {f"{one}_n" for one in states}
    for steps, samples in ((5, 2), (2, 3)):
        agrees(graph, imported, x=floats(steps, samples, 3), **{one: floats(1, samples, 4) for one in states})


def test_a_chain_of_names_becomes_one() -> None:
    nodes = [node("Add", ["a", "b"], ["ab"]), node("Concat", ["ab", "c"], ["abc"], axis=1)]
    nodes += [node("Concat", ["d", "e"], ["de"], axis=1), node("MatMul", ["abc", "w"], ["f"])]
    nodes.append(node("Add", ["f", "de"], ["y"]))
    shapes = {name: [f"{name}_0", 2] for name in "abcde"}
    graph = model(nodes, shapes, ["y"], {"w": floats(4, 4)})
    imported = import_model(graph)
    assert {one.partition(":")[0] for one in imported.same.values()} == {"a_0"}
    assert set(imported.same) == {"b_0", "c_0", "d_0", "e_0"}
    agrees(graph, imported, **{name: floats(3, 2) for name in "abcde"})


def test_a_shape_of_one_input_on_another() -> None:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Slice", ["s", "zero", "one"], ["n"]),
        node("Concat", ["n", "minus", "two"], ["target"], axis=0),
        node("Reshape", ["h", "target"], ["r"]),
        node("ReduceMean", ["r"], ["m"], axes=[1], keepdims=0),
        node("Concat", ["x", "m"], ["y"], axis=1),
    ]
    constants = {
        "zero": np.asarray([0]),
        "one": np.asarray([1]),
        "two": np.asarray([2]),
        "minus": np.asarray([-1]),
    }
    graph = model(nodes, {"x": ["x_0", 3], "h": ["h_0", 6]}, ["y"], constants)
    imported = import_model(graph)
    assert list(imported.same) == ["h_0"]
    agrees(graph, imported, x=floats(2, 3), h=floats(2, 6))


def test_names_that_need_not_be_the_same_stay() -> None:
    graph = model(
        [node("MatMul", ["x", "w"], ["y"]), node("MatMul", ["z", "w"], ["v"])],
        {"x": ["x_0", 4], "z": ["z_0", 4]},
        ["y", "v"],
        {"w": floats(4, 3)},
    )
    imported = import_model(graph)
    assert imported.same == {}
    agrees(graph, imported, x=floats(2, 4), z=floats(5, 4))


def ladder(strides: int, *, op: str = "Concat") -> onnx.ModelProto:
    """Down by halves, up by doubles, joined with what it was at each step."""
    nodes, down = [], ["x"]
    for i in range(strides):
        nodes.append(node("MaxPool", [down[-1]], [f"d{i}"], kernel_shape=[2, 2], strides=[2, 2]))
        down.append(f"d{i}")
    last = down.pop()
    for i in range(strides):
        nodes.append(node("Resize", [last, "", "scales"], [f"u{i}"], mode="nearest"))
        keys = {"axis": 1} if op == "Concat" else {}
        nodes.append(node(op, [f"u{i}", down.pop()], [f"j{i}"], **keys))
        last = f"j{i}"
    nodes.append(node("Relu", [last], ["y"]))
    constants = {"scales": np.asarray([1, 1, 2, 2], np.float32)}
    return model(nodes, {"x": ["N", 1, "H", "W"]}, ["y"], constants)


@pytest.mark.parametrize(("strides", "op"), [(1, "Add"), (2, "Concat"), (3, "Add"), (5, "Concat")])
def test_the_least_multiple_is_found_and_fits(strides: int, op: str) -> None:
    graph, of = ladder(strides, op=op), 2**strides
    with pytest.raises(OnnxError) as caught:
        import_model(graph)
    assert caught.value.help == (
        f"it fits where H is a multiple of {of} and W is a multiple of {of}: --dim H={of}k --dim W={of}k"
    )
    with pytest.raises(OnnxError):
        import_model(graph, dims={"H": f"{of // 2}k", "W": f"{of}k"} if of > 2 else {"W": "2k"})
    imported = import_model(graph, dims={"H": f"{of}k", "W": f"{of}k"})
    assert f"multiple_of: {of}" in imported.spec
    for height, width in ((of, 3 * of), (2 * of, of)):
        agrees(graph, imported, x=floats(2, 1, height, width))
    settled = import_model(graph, dims={"H": 2 * of, "W": of})
    agrees(graph, settled, x=floats(1, 1, 2 * of, of))


@pytest.mark.parametrize(
    ("nodes", "shape", "of"),
    [
        (
            [
                node("Split", ["x"], ["a", "b", "c"], axis=1, num_outputs=3),
                node("Sum", ["a", "b", "c"], ["y"]),
            ],
            "T",
            3,
        ),
        ([node("Reshape", ["x", "frames"], ["y"])], "T", 4),
        ([node("SpaceToDepth", ["image"], ["y"], blocksize=2)], "T", 2),
    ],
)
def test_equal_parts_of_an_open_axis(nodes: list[onnx.NodeProto], shape: str, of: int) -> None:
    before: Mapping[str, NDArray] = {"frames": np.asarray([0, -1, 4, 6]), "four": np.asarray([0, 1, -1, 6])}
    if "image" in nodes[0].input:
        nodes = [node("Reshape", ["x", "four"], ["image"]), *nodes]
    graph = model(nodes, {"x": ["N", shape, 6]}, ["y"], before, opset=18)
    with pytest.raises(OnnxError) as caught:
        import_model(graph)
    assert caught.value.help == f"it fits where T is a multiple of {of}: --dim T={of}k"
    imported = import_model(graph, dims={"T": f"{of}k"})
    for steps in (of, 3 * of):
        agrees(graph, imported, x=floats(2, steps, 6))


def test_a_table_bounds_the_steps() -> None:
    """Rows of positions up to the last step: there are no more steps than rows."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Slice", ["s", "one", "two"], ["t"]),
        node("Slice", ["rows", "zero", "t", "zero"], ["r"]),
        node("Add", ["x", "r"], ["y"]),
    ]
    constants = {
        "rows": floats(9, 3),
        "zero": np.asarray([0]),
        "one": np.asarray([1]),
        "two": np.asarray([2]),
    }
    graph = model(nodes, {"x": ["N", "T", 3]}, ["y"], constants)
    imported = import_model(graph)
    assert "max: 9" in imported.spec
    for steps in (1, 9):
        agrees(graph, imported, x=floats(2, steps, 3))
    check(imported.spec).compile(dict(imported.weights), entries=["predict"])


#: Nodes, and their inputs: an open size in each, of another name. `i` has integers.
OF_ONE_SIZE: dict[str, tuple[onnx.NodeProto, dict[str, list[int | str]]]] = {
    "einsum": (node("Einsum", ["x", "z"], ["y"], equation="nij,nj->ni"), {"x": ["A", 3, 4], "z": ["B", 4]}),
    "gather": (node("GatherND", ["x", "i"], ["y"], batch_dims=1), {"x": ["A", 4, 2], "i": ["B", 1]}),
    "reverse": (
        node("ReverseSequence", ["x", "i"], ["y"], batch_axis=0, time_axis=1),
        {"x": ["A", 4, 2], "i": ["B"]},
    ),
    "scatter": (
        node("ScatterElements", ["z", "i", "x"], ["y"], axis=1),
        {"z": ["A", 4], "i": ["A", 1], "x": ["B", 1]},
    ),
    "product": (node("MatMul", ["x", "z"], ["y"]), {"x": [2, "A"], "z": ["B", 3]}),
}


@pytest.mark.parametrize("name", OF_ONE_SIZE)
def test_operands_that_need_one_size_have_one(name: str) -> None:
    one, inputs = OF_ONE_SIZE[name]
    graph = model([one], inputs, ["y"])
    for given in graph.graph.input:
        if given.name == "i":
            given.type.tensor_type.elem_type = onnx.TensorProto.INT64
    imported = import_model(graph)
    assert len(imported.same) == 1
    for samples in (2, 3):
        shapes = {key: [samples if isinstance(s, str) else s for s in shape] for key, shape in inputs.items()}
        arrays = {
            key: np.ones(shape, np.int64) if key == "i" else floats(*shape) for key, shape in shapes.items()
        }
        agrees(graph, imported, **arrays)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_space_moves_to_a_batch_of_open_size(mode: str) -> None:
    """A dilated convolution as TensorFlow has it: its batch takes the place of channels while space moves there."""
    nodes = [
        node("Transpose", ["x"], ["a"], perm=[1, 0, 2, 3]),
        node("SpaceToDepth", ["a"], ["b"], blocksize=2),
        node("Relu", ["b"], ["c"]),
        node("DepthToSpace", ["c"], ["d"], blocksize=2, mode=mode),
        node("Transpose", ["d"], ["y"], perm=[1, 0, 2, 3]),
    ]
    graph = model(nodes, {"x": ["N", 3, 4, 6]}, ["y"])
    for samples in (1, 3):
        agrees(graph, import_model(graph), x=floats(samples, 3, 4, 6))


def test_layer_normalization_as_one_of_batches() -> None:
    """Keras makes a channel of each vector, of which there are as many as the batch has."""
    nodes = [
        node("Reshape", ["x", "rows"], ["r"]),
        node("ReduceMean", ["r"], ["m"], axes=[0, 2, 3]),
        node("Sub", ["r", "m"], ["d"]),
        node("ReduceSumSquare", ["d"], ["s"], axes=[0, 2, 3], keepdims=0),
        node("Div", ["s", "width"], ["v"]),
        node("Squeeze", ["m", "others"], ["mean"]),
        node("Shape", ["v"], ["count"]),
        node("Expand", ["one", "count"], ["ones"]),
        node("Expand", ["zero", "count"], ["zeros"]),
        node("BatchNormalization", ["r", "ones", "zeros", "mean", "v"], ["n"], epsilon=1e-3),
        node("Shape", ["x"], ["before"]),
        node("Reshape", ["n", "before"], ["y"]),
    ]
    constants = {
        "rows": np.asarray([1, -1, 6, 1]),
        "others": np.asarray([0, 2, 3]),
        "width": np.float32(6),
        "one": np.ones(1, np.float32),
        "zero": np.zeros(1, np.float32),
    }
    graph = model(nodes, {"x": ["N", "T", 6]}, ["y"], constants)
    for samples, steps in ((2, 3), (3, 5)):
        agrees(graph, import_model(graph), x=floats(samples, steps, 6))
