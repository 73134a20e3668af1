"""Damaged and hostile ONNX files end in a clear error: no crash, and no file read outside the model's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from netwright.onnx import OnnxError, import_model

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
    "location", ["../secret", "a/../../secret", "", "/etc/passwd", "link", "folder", "a\0b"]
)
def test_external_data_stays_in_the_folder(location: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(24))
    home = tmp_path / "model"
    (home / "folder").mkdir(parents=True)
    (home / "a").mkdir()
    (home / "link").symlink_to(tmp_path / "secret")
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
        ([node("Relu", [], ["y"])], "operand 0 is missing"),
        ([node("Transpose", ["x"], ["y"], perm=[0, 0])], "is no order"),
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
