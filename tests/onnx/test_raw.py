"""Weights are read where they lie: the same arrays as through the message, in memory once, whatever the bytes are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from netwright.onnx import OnnxError, import_model
from netwright.onnx.importing import import_graph
from netwright.onnx.raw import LEAST, read_bytes, read_file
from netwright.onnx.reading import read_graph
from netwright.runtime.files.tensors import contiguous

from .models import agrees, model

node = helper.make_node


def dense(units: int = 64, layers: int = 3) -> onnx.ModelProto:
    """Products with matrices of 16 KB each, and with a bias that is small."""
    generator = np.random.default_rng(0)
    nodes, constants, above = [], {}, "x"
    for i in range(layers):
        constants[f"w{i}"] = generator.normal(size=(units, units)).astype(np.float32)
        constants[f"b{i}"] = generator.normal(size=units).astype(np.float32)
        nodes.append(node("Gemm", [above, f"w{i}", f"b{i}"], [f"y{i}"], transB=1))
        above = f"y{i}"
    return model(nodes, {"x": ["N", units]}, [above], constants)


BYTES = dense().SerializeToString()


def test_large_weights_are_not_in_the_message() -> None:
    raw = read_bytes(BYTES)
    assert [raw.weights_of(i) is not None for i in range(6)] == [True, False] * 3
    assert raw.proto.ByteSize() < len(BYTES) // 10
    for i, tensor in enumerate(onnx.ModelProto.FromString(BYTES).graph.initializer):
        if (found := raw.weights_of(i)) is not None:
            assert found.bytes() == tensor.raw_data


def test_files_and_messages_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(BYTES)
    one, other = import_model(tmp_path / "m.onnx"), import_model(onnx.ModelProto.FromString(BYTES), name="m")
    assert one.spec == other.spec
    assert {**one.weights}.keys() == {**other.weights}.keys()
    for name, array in one.weights.items():
        np.testing.assert_array_equal(array, other.weights[name])
        assert array.flags.c_contiguous
        assert array.flags.aligned


def test_a_graph_in_two_parts_is_one() -> None:
    """Protocol buffers join a message that comes in pieces."""
    whole = onnx.ModelProto.FromString(BYTES)
    first, second = onnx.ModelProto(), onnx.ModelProto()
    first.CopyFrom(whole)
    del first.graph.initializer[3:]
    del first.graph.output[:]
    second.graph.output.extend(whole.graph.output)
    second.graph.initializer.extend(whole.graph.initializer[3:])
    raw = read_bytes(first.SerializeToString() + second.SerializeToString())
    assert [tensor.name for tensor in raw.proto.graph.initializer] == [
        tensor.name for tensor in whole.graph.initializer
    ]
    assert [raw.weights_of(i) is not None for i in range(6)] == [True, False] * 3


def test_weights_of_a_wrong_length() -> None:
    found = dense()
    found.graph.initializer[0].raw_data += b"1234"
    with pytest.raises(OnnxError, match="'w0' is damaged"):
        import_model(found)
    with pytest.raises(OnnxError, match="'w0' is damaged"):
        read_and_import(found.SerializeToString())


def read_and_import(data: bytes) -> None:
    import_graph(read_graph(read_bytes(data)), "m")


@given(edits=st.lists(st.tuples(st.integers(0, len(BYTES) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_bytes(edits: list[tuple[int, int]]) -> None:
    """What the library reads is read, with the same weights; what it does not read is refused."""
    data = bytearray(BYTES)
    for position, value in edits:
        data[position] = value
    try:
        wanted = onnx.ModelProto.FromString(bytes(data))
    except Exception:
        with pytest.raises(OnnxError):
            read_bytes(bytes(data))
        return
    try:
        raw = read_bytes(bytes(data))
    except OnnxError:
        return
    for i, tensor in enumerate(wanted.graph.initializer):
        inside = raw.proto.graph.initializer[i]
        found = raw.weights_of(i)
        if tensor.HasField("raw_data"):
            assert (inside.raw_data if found is None else found.bytes()) == tensor.raw_data
        inside.ClearField("raw_data")
        tensor.ClearField("raw_data")
        assert inside.SerializeToString(deterministic=True) == tensor.SerializeToString(deterministic=True)


@pytest.mark.parametrize("kind", ["inside", "beside"])
def test_memory_of_an_import(kind: str, tmp_path: Path) -> None:
    """No more than 2.5 times the file, with what is written: matrices are turned around on the way."""
    found = dense(units=1024, layers=6)
    path = tmp_path / "m.onnx"
    onnx.save(found, path, save_as_external_data=kind == "beside", location="m.bin")
    del found
    size = sum(one.stat().st_size for one in tmp_path.iterdir())
    assert size > 24_000_000
    tracemalloc.start()
    try:
        import_model(path).save(tmp_path / "m.yaml", tmp_path / "m.safetensors")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * size


def of_halves() -> onnx.ModelProto:
    """Matrices in float16 that are cast to float32 one by one."""
    found = dense(units=1024, layers=8)
    for tensor in found.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.ndim == 2:
            tensor.CopyFrom(onnx.numpy_helper.from_array(array.astype(np.float16), tensor.name))
    casts = [node("Cast", [f"w{i}"], [f"wide{i}"], to=onnx.TensorProto.FLOAT) for i in range(8)]
    products = [*found.graph.node]
    for i, one in enumerate(products):
        one.input[1] = f"wide{i}"
    del found.graph.node[:]
    found.graph.node.extend([*casts, *products])
    return found


def standardized() -> onnx.ModelProto:
    """Matrices from which their means are taken, and which are scaled twice."""
    found = dense(units=1024, layers=4)
    nodes = []
    for i, one in enumerate([*found.graph.node]):
        nodes += [
            node("ReduceMean", [f"w{i}"], [f"mean{i}"], axes=[1]),
            node("Sub", [f"w{i}", f"mean{i}"], [f"centered{i}"]),
            node("Mul", [f"centered{i}", f"b{i}"], [f"scaled{i}"]),
            node("Tanh", [f"scaled{i}"], [f"bounded{i}"]),
        ]
        one.input[1] = f"bounded{i}"
    products = [*found.graph.node]
    del found.graph.node[:]
    found.graph.node.extend([*nodes, *products])
    return found


@pytest.mark.parametrize("kind", [of_halves, standardized])
def test_memory_of_an_import_that_computes_weights(kind: Callable, tmp_path: Path) -> None:
    """What weights are made of is gone when they are made, and read again where it is wanted again."""
    path = tmp_path / "m.onnx"
    onnx.save(kind(), path)
    size = path.stat().st_size
    tracemalloc.start()
    try:
        import_model(path).save(tmp_path / "m.yaml", tmp_path / "m.safetensors")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (2.5 if kind is of_halves else 1.8) * size
    agrees(kind(), {"x": [2, 1024]})


def test_constants_are_read_when_they_are_wanted(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(dense(units=256).SerializeToString())
    constants = read_graph(read_file(path)).constants
    kept = constants["w0"]
    assert constants["w0"] is kept
    assert constants.dtype("w0") == "float32"
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - 1)
    assert constants["w0"] is kept
    del kept
    for name in ("w0", "w1"):
        with pytest.raises(OnnxError, match="changed while it was read"):
            constants[name]


@given(
    shape=st.lists(st.integers(1, 300), min_size=2, max_size=4).filter(lambda s: np.prod(s) < 2**22),
    data=st.data(),
)
def test_arrays_that_are_turned_around(shape: list[int], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(shape))))
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape).transpose(order)
    found = contiguous(array)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, array)


def test_a_large_constant_that_many_read_is_one_layer() -> None:
    large = np.random.default_rng(0).normal(size=(1, 200, 200)).astype(np.float32)
    nodes = [node("Concat", ["x", "c"], ["a"], axis=1), node("Concat", ["a", "c"], ["y"], axis=1)]
    found = model(nodes, {"x": [1, 200, 200]}, ["y"], {"c": large})
    assert large.nbytes > LEAST
    assert import_model(found).spec.count("type: constant") == 1
