"""Damaged and hostile ONNX files end in a clear error: no crash, and no file read outside the model's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")

import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from netwright.onnx import OnnxError, import_model
from netwright.onnx.files import check

from .models import model

node = helper.make_node


def small() -> onnx.ModelProto:
    """A model with a bit of everything."""
    generator = np.random.default_rng(0)
    return model(
        [
            node("Conv", ["x", "w", "b"], ["a"], pads=[1, 1, 1, 1]),
            node("Relu", ["a"], ["c"]),
            node("Flatten", ["c"], ["d"]),
            node("Gemm", ["d", "k"], ["y"]),
        ],
        {"x": ["N", 2, 4, 4]},
        ["y"],
        {
            "w": generator.normal(size=(3, 2, 3, 3)).astype(np.float32),
            "b": generator.normal(size=3).astype(np.float32),
            "k": generator.normal(size=(48, 2)).astype(np.float32),
        },
    )


BYTES = small().SerializeToString()


def read(data: bytes, folder: Path) -> None:
    path = folder / "m.onnx"
    path.write_bytes(data)
    try:
        import_model(path)
    except OnnxError as error:
        text = str(error)
    else:
        text = "it was good all the same"
    assert text


@given(length=st.integers(0, len(BYTES) - 1))
def test_truncated_files(length: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    read(BYTES[:length], tmp_path_factory.mktemp("truncated"))


@given(edits=st.lists(st.tuples(st.integers(0, len(BYTES) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_files(edits: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory) -> None:
    data = bytearray(BYTES)
    for position, value in edits:
        data[position] = value
    read(bytes(data), tmp_path_factory.mktemp("damaged"))


def external(location: str, **entries: str) -> onnx.ModelProto:
    found = model([node("MatMul", ["x", "w"], ["y"])], {"x": ["N", 3]}, ["y"])
    tensor = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[3, 2], data_location=TensorProto.EXTERNAL
    )
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    found.graph.initializer.append(tensor)
    return found


def test_external_data_inside_the_folder(tmp_path: Path) -> None:
    weights = np.arange(6, dtype=np.float32).reshape(3, 2)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(b"1234" + weights.tobytes())
    (tmp_path / "m.onnx").write_bytes(external("data/w.bin", offset="4", length="24").SerializeToString())
    imported = import_model(tmp_path / "m.onnx")
    (kernel,) = imported.weights.values()
    np.testing.assert_array_equal(kernel, weights)


@pytest.mark.parametrize(
    "location",
    ["../secret", "a/../../secret", "", "/etc/passwd", "link", "folder", "a\0b", "outside/secret", "loop/x"],
)
def test_external_data_stays_in_the_folder(location: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(24))
    home = tmp_path / "model"
    (home / "folder").mkdir(parents=True)
    (home / "a").mkdir()
    (home / "link").symlink_to(tmp_path / "secret")
    (home / "outside").symlink_to(tmp_path)
    (home / "loop").symlink_to(home / "loop")
    (home / "m.onnx").write_bytes(external(location).SerializeToString())
    with pytest.raises(OnnxError, match="'w'"):
        import_model(home / "m.onnx")


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"offset": "1"}, "does not lie in"),
        ({"length": "23"}, "does not lie in"),
        ({"offset": "-4"}, "does not lie in"),
        ({"offset": "x"}, "is no number"),
    ],
)
def test_external_data_that_does_not_fit(entries: dict[str, str], reason: str, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(24))
    (tmp_path / "m.onnx").write_bytes(external("w.bin", **entries).SerializeToString())
    with pytest.raises(OnnxError, match=reason):
        import_model(tmp_path / "m.onnx")


def test_huge_shapes_are_refused_before_anything_is_allocated() -> None:
    found = model([node("Add", ["x", "w"], ["y"])], {"x": ["N", 3]}, ["y"])
    found.graph.initializer.append(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**40, 2**40]))
    with pytest.raises(OnnxError, match="impossible shape"):
        import_model(found)
    fill = model(
        [node("ConstantOfShape", ["s"], ["c"]), node("Add", ["x", "c"], ["y"])],
        {"x": ["N", 3]},
        ["y"],
        {"s": np.asarray([2**40])},
    )
    with pytest.raises(OnnxError, match="is impossible"):
        import_model(fill)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([node("Relu", ["nothing"], ["y"])], "which nothing before it gives"),
        ([node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"])], "a second time"),
        ([node("Relu", ["x"], ["z"])], "nothing gives the output"),
        ([node("Relu", [], ["y"])], "there are 0 operands, 1 is needed"),
        ([node("Transpose", ["x"], ["y"], perm=[0, 0])], "is no order"),
        (
            [node("Relu", ["b"], ["a"]), node("Relu", ["a"], ["b"])],
            "reads 'b', which nothing before it gives",
        ),
        ([node("Transpose", ["x"], ["y"], perm=1)], "attribute perm: is of another type than INTS"),
        ([node("Flatten", ["x"], ["y"], axis="1")], "attribute axis: is of another type than INT"),
        ([node("Cast", ["x"], ["y"])], "attribute to: is missing"),
        ([node("And", ["x", "x"], ["y"])], "operand 0 can't be float32"),
        ([node("Relu", ["x"], ["y", "z"])], "2 outputs, there can be 1"),
    ],
)
def test_graphs_that_are_none(nodes: list[onnx.NodeProto], reason: str) -> None:
    with pytest.raises(OnnxError, match=reason):
        import_model(model(nodes, {"x": [1, 2]}, ["y"]))


def test_files_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(OnnxError, match="can't be read"):
        import_model(tmp_path / "missing.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(OnnxError, match="no ONNX model"):
        import_model(tmp_path / "empty.onnx")


INTEGERS = {
    "large": np.asarray([2**20, 2**20]),
    "far": np.asarray([1, 2**30]),
    "long": np.asarray([2**31 - 1]),
}


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (
            [node("Expand", ["one", "large"], ["c"]), node("Exp", ["c"], ["d"])],
            "is impossible for a constant",
        ),
        ([node("Tile", ["one", "long"], ["c"]), node("Exp", ["c"], ["d"])], "is impossible for a constant"),
        (
            [node("ConstantOfShape", ["long"], ["c"]), node("Exp", ["c"], ["d"])],
            "is impossible for a constant",
        ),
        ([node("Resize", ["x", "", "", "far"], ["d"], mode="cubic")], "is too long"),
        ([node("Pad", ["x", "pads"], ["d"])], "is too large"),
        ([node("Pad", ["x", "pads"], ["d"], mode="edge")], "is too long"),
        (
            [node("Concat", ["x"] * 2, ["c0"], axis=0)]
            + [node("Concat", [f"c{i}"] * 2, [f"c{i + 1}"], axis=0) for i in range(70)]
            + [node("Exp", ["c70"], ["d"])],
            "is too large",
        ),
    ],
    ids=["expand", "tile", "constant", "resize", "pad", "edge", "doubled"],
)
def test_small_files_that_ask_for_large_arrays(nodes: list[onnx.NodeProto], reason: str) -> None:
    constants = {"one": np.ones(1, np.float32), "pads": np.asarray([0, 2**40, 2**40, 0]), **INTEGERS}
    with pytest.raises(OnnxError, match=reason):
        import_model(model([*nodes, node("Add", ["x", "d"], ["y"])], {"x": [1, 1]}, ["y"], constants))


def test_constants_that_double(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netwright.onnx.conversion.MAX_COMPUTED", 2**12)  # rather than gigabytes
    nodes = [node("Concat", [f"c{i}"] * 2, [f"c{i + 1}"], axis=0) for i in range(40)]
    found = model(
        [*nodes, node("Add", ["x", "c40"], ["y"])], {"x": [1]}, ["y"], {"c0": np.ones(1, np.float32)}
    )
    with pytest.raises(OnnxError, match="are too large"):
        import_model(found)


def functions(calls: dict[str, list[str]]) -> onnx.ModelProto:
    """A model that calls the function A; functions call others in a row."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    made = []
    for name, called in calls.items():
        names = ["x", *(f"t{i}" for i in range(len(called) - 1)), "y"]
        nodes = [
            node(one, [names[i]], [names[i + 1]], domain="own" if one in calls else "")
            for i, one in enumerate(called)
        ]
        made.append(helper.make_function("own", name, ["x"], ["y"], nodes, opsets))
    graph = model([node("A", ["x"], ["y"], domain="own")], {"x": [1, 2]}, ["y"]).graph
    return helper.make_model(graph, functions=made, opset_imports=opsets, ir_version=8)


def test_functions_are_put_in_place() -> None:
    assert import_model(functions({"A": ["B", "B"], "B": ["Relu", "Tanh"]})).spec.count("type: tanh") == 2


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ({"A": ["A"]}, "calls itself"),
        ({"A": ["B"], "B": ["C"], "C": ["A"]}, "calls itself"),
        (
            {"A": ["B0"], **{f"B{i}": [f"B{i + 1}"] * 2 for i in range(60)}, "B60": ["Relu"]},
            "1,000,000 nodes",
        ),
    ],
    ids=["itself", "in a circle", "too often"],
)
def test_functions_that_never_end(calls: dict[str, list[str]], reason: str) -> None:
    with pytest.raises(OnnxError, match=reason):
        import_model(functions(calls))


def test_graphs_inside_graphs_inside_graphs(tmp_path: Path) -> None:
    """As many as a file can hold."""
    inner = helper.make_graph(
        [node("Identity", ["x"], ["z"])],
        "g",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )
    for depth in range(30):
        out = helper.make_tensor_value_info(f"z{depth}", TensorProto.FLOAT, None)
        branch = node("If", ["c"], [out.name], then_branch=inner, else_branch=inner if depth < 4 else None)
        inner = helper.make_graph([branch], "g", [], [out])
    inner.input.extend(
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        ]
    )
    found = helper.make_model(inner, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "m.onnx").write_bytes(found.SerializeToString())
    with pytest.raises(OnnxError, match=r"\(If\)"):
        import_model(tmp_path / "m.onnx")


def test_marks_of_open_sizes_are_no_names() -> None:
    """Several axes of "?" are not the same size."""
    found = model([helper.make_node("Relu", ["x"], ["y"])], {"x": [-1, 3, "?", "?"]}, ["y"])
    program = check(import_model(found, name="marks").spec).compile()
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5), np.float32)
    np.testing.assert_array_equal(program.predict(x=x)["y"], np.maximum(x, 0))


def test_names_that_are_no_text(tmp_path: Path) -> None:
    data = small().SerializeToString().replace(b"Conv", b"C\xff\xfev")
    (tmp_path / "m.onnx").write_bytes(data)
    with pytest.raises(OnnxError, match=r"no text|no ONNX model"):
        import_model(tmp_path / "m.onnx")
