"""Loops whose state is an image: cells that convolve, whatever the order in which the file has the axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.helper import make_node

from netwright.onnx import OnnxError, export_model, import_model
from netwright.onnx.files import check

from .compared import built, compare
from .test_loops import convolutional

RNG = np.random.default_rng(6)
F = np.float32


def draw(*shape: int) -> NDArray:
    return RNG.normal(size=shape).astype(F)


def value(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)


def images(
    sizes: list[int],
    kernel: list[int],
    *,
    first: bool = True,
    bias: bool = True,
    groups: int = 1,
    **attributes: Any,
) -> onnx.ModelProto:
    """A convolutional LSTM as a Scan; with ``first`` the channels of its images are first, else last."""
    rank, state = len(sizes), 4
    same = {"pads": [(size - 1) // 2 for size in kernel] + [size // 2 for size in kernel]}
    inside, outside = [0, rank + 1, *range(1, rank + 1)], [0, *range(2, rank + 2), 1]
    nodes, x, h = [], "xi", "h"
    if not first:
        nodes += [make_node("Transpose", [name], [f"{name}_first"], perm=inside) for name in (x, h)]
        nodes += [make_node("Transpose", ["c"], ["c_first"], perm=inside)]
        x, h = "xi_first", "h_first"
    nodes += [
        make_node("Conv", [x, "k", *(["b"] if bias else [])], ["zx"], **(attributes or same), group=groups),
        make_node("Conv", [h, "r"], ["zh"], **same),
        make_node("Add", ["zx", "zh"], ["z"]),
        make_node("Split", ["z"], ["i", "f", "g", "o"], axis=1),
        *(make_node("Sigmoid", [name], [f"{name}s"]) for name in "ifo"),
        make_node("Tanh", ["g"], ["gt"]),
        make_node("Mul", ["fs", "c" if first else "c_first"], ["kept"]),
        make_node("Mul", ["is", "gt"], ["added"]),
        make_node("Add", ["kept", "added"], ["c_new" if first else "c_raw"]),
        make_node("Tanh", ["c_new" if first else "c_raw"], ["ct"]),
        make_node("Mul", ["os", "ct"], ["h_new" if first else "h_raw"]),
    ]
    if not first:
        nodes += [make_node("Transpose", [f"{name}_raw"], [f"{name}_new"], perm=outside) for name in "hc"]
    nodes += [make_node("Identity", ["h_new"], ["y"])]
    body = helper.make_graph(
        nodes, "body", [value(n) for n in ("h", "c", "xi")], [value(n) for n in ("h_new", "c_new", "y")]
    )
    scan = make_node("Scan", ["h0", "c0", "x"], ["last", "cell", "all"], body=body, num_scan_inputs=1)
    constants = {"k": draw(4 * state, 2 // groups, *kernel) / 2, "r": draw(4 * state, state, *kernel) / 3}
    constants |= {"b": draw(4 * state)} if bias else {}
    cells = (
        [1 + (size + 2 * attributes["pads"][0] - kernel[0]) // attributes["strides"][0] for size in sizes]
        if attributes
        else sizes
    )
    shapes = ([2, *sizes], [state, *cells]) if first else ([*sizes, 2], [*cells, state])
    inputs = {"x": (F, ["T", "N", *shapes[0]]), **{n: (F, ["N", *shapes[1]]) for n in ("h0", "c0")}}
    return built([scan], inputs, ["all", "last", "cell"], constants)


def bindings(model: onnx.ModelProto) -> list[dict[str, NDArray]]:
    found = []
    for steps, samples in ((4, 2), (2, 3)):
        given = {}
        for port in model.graph.input:
            sizes = [dim.dim_value for dim in port.type.tensor_type.shape.dim if dim.dim_value]
            given[port.name] = draw(*([steps, samples] if port.name == "x" else [samples]), *sizes)
        found.append(given)
    return found


@pytest.mark.alike(2)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("sizes", "kernel"), [([7], [3]), ([5, 4], [3, 3]), ([5, 4], [3, 2]), ([4, 3, 3], [3, 3, 3])]
)
def test_states_that_are_images(sizes: list[int], kernel: list[int], first: bool) -> None:
    model = images(sizes, kernel, first=first)
    imported = compare(model, *bindings(model))
    assert imported.spec.count("type: recurrent") == 1
    assert imported.spec.count("convolve(") == 2


@pytest.mark.parametrize(
    "attributes", [{"pads": [1] * 4, "strides": [2, 2]}, {"pads": [0] * 4, "strides": [1, 1]}]
)
def test_windows_that_leave_cells_out(attributes: dict[str, Any]) -> None:
    model = images([5, 5], [3, 3], **attributes)
    assert "convolve(x" in compare(model, *bindings(model)).spec


@pytest.mark.parametrize("groups", [1, 2])
def test_groups_and_no_bias(groups: int) -> None:
    model = images([5, 4], [3, 3], bias=False, groups=groups)
    compare(model, *bindings(model))


def test_an_image_joined_with_the_state() -> None:
    """As PyTorch's users write it: one convolution of both."""
    imported = compare(convolutional("T"), {"x": draw(2, 3, 2, 5, 4)}, {"x": draw(1, 6, 2, 5, 4)})
    assert "convolve(concat(" in imported.spec


def test_a_convolving_cell_is_exported_and_imported_again(tmp_path: Path) -> None:
    model = images([5, 4], [3, 3])
    imported = import_model(model)
    exported = export_model(check(imported.spec), dict(imported.weights)).proto
    again = compare(exported, *({imported.inputs[k]: v for k, v in one.items()} for one in bindings(model)))
    assert again.spec.count("convolve(") == 2


def test_windows_that_differ_from_axis_to_axis_are_refused() -> None:
    model = images([5, 5], [3, 3], pads=[1, 0, 1, 0], strides=[1, 1])
    with pytest.raises(OnnxError, match="pads: differs from axis to axis"):
        import_model(model)


@pytest.mark.parametrize("first", [True, False])
def test_an_image_that_all_samples_start_from(first: bool) -> None:
    model = images([5, 4], [3, 3], first=first)
    for name in ("h0", "c0"):
        (port,) = [one for one in model.graph.input if one.name == name]
        sizes = [dim.dim_value for dim in port.type.tensor_type.shape.dim][1:]
        model.graph.input.remove(port)
        model.graph.initializer.append(numpy_helper.from_array(draw(*sizes), f"{name}_one"))
        model.graph.node.insert(0, make_node("Expand", [f"{name}_one", "start"], [name]))
    sizes = [1, 1, 1]
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(sizes), "ones"))
    model.graph.initializer.append(numpy_helper.from_array(np.asarray([1]), "at"))
    model.graph.initializer.append(numpy_helper.from_array(np.asarray([2]), "end"))
    shape = [make_node("Shape", ["x"], ["xs"]), make_node("Slice", ["xs", "at", "end"], ["n"])]
    shape.append(make_node("Concat", ["n", "ones"], ["start"], axis=0))
    for node in reversed(shape):
        model.graph.node.insert(0, node)
    imported = compare(model, *bindings(model))
    assert imported.spec.count("learn_init: true") == 2


# Masks of steps, and of cells of images.


def masked(first: bool, cells: bool, way: str) -> onnx.ModelProto:
    """States that stay as they are where a mask says so, a mask whose sizes have names of their own."""
    model = images([5, 4], [3, 3], first=first)
    (scan,) = model.graph.node
    body = scan.attribute[0].g
    axes = [1] if first else [3]
    axes = axes if cells else [1, 2, 3]
    renamed = {"h_new": "h_made", "c_new": "c_made"}
    nodes = []
    for node in body.node:
        for names in (node.input, node.output):
            names[:] = [renamed.get(name, name) for name in names]
    nodes.append(make_node("Unsqueeze", ["mi", "axes"], ["wide"]))
    for name in "hc":
        if way == "where":
            nodes.append(make_node("Where", ["wide", f"{name}_made", name], [f"{name}_new"]))
            continue
        repeats = [1, 4, 1, 1] if first else [1, 1, 1, 4]
        repeats = repeats if cells else ([1, 4, 5, 4] if first else [1, 5, 4, 4])
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(repeats), f"{name}_repeats"))
        nodes += [
            make_node("Tile", ["wide", f"{name}_repeats"], [f"{name}_wide"]),
            make_node("Not", [f"{name}_wide"], [f"{name}_not"]),
            make_node("Cast", [f"{name}_wide"], [f"{name}_there"], to=onnx.TensorProto.FLOAT),
            make_node("Cast", [f"{name}_not"], [f"{name}_else"], to=onnx.TensorProto.FLOAT),
            make_node("Mul", [f"{name}_there", f"{name}_made"], [f"{name}_taken"]),
            make_node("Mul", [name, f"{name}_else"], [f"{name}_stays"]),
            make_node("Add", [f"{name}_taken", f"{name}_stays"], [f"{name}_new"]),
        ]
    body.node.extend(nodes)
    body.input.append(helper.make_tensor_value_info("mi", onnx.TensorProto.BOOL, None))
    scan.input.append("m")
    next(one for one in scan.attribute if one.name == "num_scan_inputs").i = 2
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(axes), "axes"))
    shape = ["S", "M", *([5, 4] if cells else [])]
    model.graph.input.append(helper.make_tensor_value_info("m", onnx.TensorProto.BOOL, shape))
    return model


@pytest.mark.alike(2)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("cells", [False, True])
@pytest.mark.parametrize("way", ["where", "product"])
def test_states_that_a_mask_keeps(first: bool, cells: bool, way: str) -> None:
    model = masked(first, cells, way)
    given = bindings(model)
    for one in given:
        one["m"] = RNG.random((*one["x"].shape[:2], *([5, 4] if cells else []))) < 0.6
    imported = compare(model, *given)
    assert imported.spec.count("type: recurrent") == 1
    assert set(imported.same) == {"M", "S"}
