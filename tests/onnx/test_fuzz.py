"""Models whose bytes, attributes, constants and names are damaged at random: a clear error or a spec, and no defect of
the importer's own."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")

import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from netwright.onnx import OnnxError, import_model
from netwright.onnx.conversion import DEFECT

from .models import model

node = helper.make_node
FUNCTIONS = ["Sigmoid", "Tanh", "Tanh"]
NUMBERS = (0, 1, -1, 2, 3, 7, -2, 100, 2**31 - 1, 2**31, -(2**31), 2**40, 2**63 - 1, -(2**63))


def networks() -> dict[str, onnx.ModelProto]:
    """Small models of all families of operators."""
    generator = np.random.default_rng(0)

    def floats(*shape: int) -> np.ndarray:
        return generator.normal(size=shape).astype(np.float32)

    image = model(
        [
            node("Conv", ["x", "w", "b"], ["a"], pads=[1, 1, 1, 1], strides=[1, 1]),
            node("BatchNormalization", ["a", "b", "b", "b", "v"], ["c"]),
            node("Relu", ["c"], ["d"]),
            node("MaxPool", ["d"], ["e"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
            node("Resize", ["e", "", "scales"], ["f"], mode="linear"),
            node("Pad", ["f", "pads"], ["g"], mode="edge"),
            node("Slice", ["g", "starts", "ends", "axes"], ["h"]),
            node("Transpose", ["h"], ["i"], perm=[0, 2, 3, 1]),
            node("Flatten", ["i"], ["j"], axis=1),
            node("Gemm", ["j", "k"], ["l"], alpha=0.5),
            node("Softmax", ["l"], ["y"], axis=-1),
        ],
        {"x": ["N", 2, 4, 4]},
        ["y"],
        {
            "w": floats(3, 2, 3, 3),
            "b": floats(3),
            "v": np.ones(3, np.float32),
            "k": floats(3 * 4 * 4, 2),
            "scales": np.asarray([1, 1, 2, 2], np.float32),
            "pads": np.asarray([0, 0, 1, 1, 0, 0, 1, 1]),
            "starts": np.asarray([1, 1]),
            "ends": np.asarray([5, 5]),
            "axes": np.asarray([2, 3]),
        },
    )
    sequence = model(
        [
            node("Shape", ["x"], ["s"]),
            node("Gather", ["s", "one"], ["n"]),
            node("Concat", ["d", "n", "u"], ["t"], axis=0),
            node("Expand", ["zero", "t"], ["h0"]),
            node(
                "LSTM",
                ["x", "w", "r", "", "", "h0"],
                ["a", "h"],
                hidden_size=2,
                activations=["Sigmoid", "Tanh", "Tanh"],
            ),
            node("Squeeze", ["a", "d"], ["b"]),
            node("Reshape", ["b", "shape"], ["c"]),
            node("Split", ["c"], ["e", "f"], axis=2),
            node("Where", ["mask", "e", "f"], ["g"]),
            node("ReduceMean", ["g"], ["y"], axes=[1], keepdims=0),
        ],
        {"x": ["T", "N", 3]},
        ["y", "h"],
        {
            "w": floats(1, 8, 3),
            "r": floats(1, 8, 2),
            "one": np.asarray([1]),
            "d": np.asarray([1]),
            "u": np.asarray([2]),
            "zero": np.zeros(1, np.float32),
            "shape": np.asarray([0, -1, 2]),
            "mask": np.asarray([True]),
        },
    )
    body = helper.make_graph(
        [
            node("MatMul", ["v", "k"], ["p"]),
            node("Split", ["p"], ["q", "o"], axis=-1),
            node("Concat", ["o", "q"], ["z"], axis=1),
            node("Add", ["h", "z"], ["m"]),
            node("Tanh", ["m"], ["new"]),
            node("Identity", ["new"], ["out"]),
        ],
        "body",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("h", "v")],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("new", "out")],
    )
    loop = model(
        [node("Scan", ["h0", "x"], ["last", "y"], body=body, num_scan_inputs=1, scan_input_axes=[0])],
        {"h0": ["N", 4], "x": ["T", "N", 3]},
        ["y", "last"],
        {"k": floats(3, 4)},
    )
    return {"image": image, "sequence": sequence, "loop": loop}


NETWORKS = networks()


def attempt(found: onnx.ModelProto | Path) -> None:
    """Imports; fails where the importer does, and not the model."""
    text = "it was good all the same"
    try:
        import_model(found)
    except OnnxError as error:
        text = str(error)
    assert text
    assert DEFECT not in text


@pytest.mark.parametrize("name", NETWORKS)
def test_the_networks_are_good(name: str) -> None:
    import_model(NETWORKS[name])


@pytest.mark.parametrize("name", NETWORKS)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 8))
def test_damaged_bytes(name: str, seed: int, count: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    chance = random.Random(seed)
    data = bytearray(NETWORKS[name].SerializeToString())
    for _ in range(count):
        place = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[place] = chance.randrange(256)
            case 1:
                data[place] ^= 1 << chance.randrange(8)
            case 2:
                del data[place : place + chance.randrange(1, 5)]
            case _:
                data[place:place] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 5)))
    path = tmp_path_factory.mktemp("damaged") / "m.onnx"
    path.write_bytes(data)
    attempt(path)


@pytest.mark.parametrize("name", NETWORKS)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 3))
def test_damaged_meaning(name: str, seed: int, count: int) -> None:
    """Well-formed files that mean nonsense: numbers, operands and shapes exchanged."""
    chance = random.Random(seed)
    found = onnx.ModelProto()
    found.CopyFrom(NETWORKS[name])
    for _ in range(count):
        damage(found, chance)
    attempt(found)


def damage(found: onnx.ModelProto, chance: random.Random) -> None:
    graphs = [
        found.graph,
        *(one.g for node in found.graph.node for one in node.attribute if one.HasField("g")),
    ]
    graph = chance.choice([one for one in graphs if one.node] or [found.graph])
    if not graph.node:
        return
    one = chance.choice(list(graph.node))
    match chance.randrange(8):
        case 0 if one.attribute:
            attribute = chance.choice(list(one.attribute))
            attribute.i = chance.choice(NUMBERS)
            attribute.f = float(chance.choice(NUMBERS))
            if attribute.ints:
                attribute.ints[chance.randrange(len(attribute.ints))] = chance.choice(NUMBERS)
        case 1 if one.attribute:
            del chance.choice(list(one.attribute)).ints[:1]
        case 2 if one.attribute:
            chance.choice(list(one.attribute)).type = chance.choice(range(1, 12))  # type: ignore[assignment]
        case 3 if one.input:
            names = [name for other in graph.node for name in (*other.input, *other.output)]
            one.input[chance.randrange(len(one.input))] = chance.choice(["", *names])
        case 4 if found.graph.initializer:
            tensor = chance.choice(list(found.graph.initializer))
            try:
                array = numpy_helper.to_array(tensor)
            except ValueError:
                return  # damaged before
            if array.dtype == np.int64 and array.size:
                changed = array.copy()
                changed.flat[chance.randrange(array.size)] = chance.choice(NUMBERS)
                tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
            elif tensor.dims:
                tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice(NUMBERS)
        case 5:
            sizes = found.graph.input[0].type.tensor_type.shape.dim
            sizes[chance.randrange(len(sizes))].dim_value = chance.choice(NUMBERS)
        case 6:
            one.op_type = chance.choice([other.op_type for other in graph.node])
        case _:
            graph.node.remove(one)
