"""Operators that read and write at computed positions, products of many axes, samplers: against ONNX Runtime, with open
sizes at two bindings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

from numpy.typing import NDArray
from onnx import TensorProto
from onnx.helper import make_node

from netwright.onnx import import_model
from netwright.onnx.errors import OnnxError

from ..draw.networks import Case
from ..draw.onnx import check_round_trip
from .compared import Port, built, compare, run

F, INT = np.float32, np.int64
Arrays = dict[str, NDArray]


def draw(shape: tuple[int, ...], turn: int) -> NDArray:
    return np.random.default_rng(turn).normal(size=shape).astype(F)


def case(
    op: str,
    inputs: Mapping[str, Port],
    arrays: Callable[[int], Arrays],
    constants: Arrays | None = None,
    outputs: int = 1,
    opset: int = 17,
    operands: str = "",
    marks: Any = (),
    **attributes: Any,
) -> Any:
    names = [f"y{i}" for i in range(outputs)]
    read = operands.split() if operands else [*inputs, *(constants or {})]
    node = make_node(op, ["" if name == "-" else name for name in read], names, **attributes)
    keys = "-".join(f"{key}={value}" for key, value in attributes.items())
    label = f"{op}-{opset}-{keys}"
    found = built([node], inputs, names, constants, opset)
    return pytest.param(found, [arrays(0), arrays(1)], marks=marks, id=label)


def sequence(turn: int) -> tuple[int, int]:
    return (2, 7) if turn else (3, 5)


def last(turn: int) -> Arrays:
    n, t = sequence(turn)
    lengths = np.random.default_rng(turn).integers(-t, t, (n, 1, 1))
    return {"x": draw((n, t, 4), turn), "i": np.broadcast_to(lengths, (n, 1, 4)).copy()}


def steps(turn: int) -> Arrays:
    n, t = sequence(turn)
    return {"x": draw((n, t, 4), turn), "i": np.random.default_rng(turn).integers(0, t, (n, 1))}


def written(turn: int) -> Arrays:
    return last(turn) | {"u": draw((sequence(turn)[0], 1, 4), turn + 5)}


def image(turn: int) -> Arrays:
    n = 2 + turn
    return {"x": draw((n, 3, 5, 6), turn), "g": draw((n, 4, 2, 2), turn + 9)}


def ties(turn: int) -> Arrays:
    n, t = sequence(turn)
    return {"x": np.random.default_rng(turn).integers(0, 5, (n, t, 4)).astype(F)}


def lengths(turn: int) -> Arrays:
    n, t = sequence(turn)
    return {"x": draw((t, n, 4), turn), "n": np.random.default_rng(turn).integers(1, t + 1, n)}


def places(shape: tuple[int, ...], low: int, high: int) -> Callable[[int], Arrays]:
    return lambda turn: {"x": draw(shape, turn), "i": np.random.default_rng(turn).integers(low, high, (2, 3))}


def numbers(turn: int) -> Arrays:
    return {"x": np.random.default_rng(turn).integers(-6, 6, sequence(turn))}


def rows(turn: int) -> Arrays:
    return {"x": draw((3, 4, 2), turn), "i": np.array([[0, 3], [-1, -4]] * (turn + 1))}


def scattered(turn: int) -> Arrays:
    return {"x": draw((3, 4), turn), "i": np.array([[0, 2, 1, 2]]), "u": draw((1, 4), turn + 3)}


def samples_first(turn: int) -> Arrays:
    found = lengths(turn)
    return {"x": found["x"].swapaxes(0, 1).copy(), "n": found["n"]}


def matrix(turn: int) -> Arrays:
    return {"x": draw(sequence(turn), turn)}


def factors(turn: int) -> Arrays:
    return {"x": ties(turn)["x"], "b": draw((sequence(turn)[0], 4, 3), turn)}


def volume(turn: int) -> Arrays:
    return {"x": draw((2, 2, 3, 4, 5), turn), "g": draw((2, 2, 2, 2, 3), turn)}


SEQUENCE: dict[str, Port] = {"x": (F, ["N", "T", 4])}
POSITIONS = {**SEQUENCE, "i": (INT, ["N", 1, 4])}
UPDATES = {**POSITIONS, "u": (F, ["N", 1, 4])}
FACTORS = {**SEQUENCE, "b": (F, ["N", 4, 3])}
MATRIX: dict[str, Port] = {"x": (F, ["N", "T"])}
IMAGE: dict[str, Port] = {"x": (F, ["N", 3, 5, 6]), "g": (F, ["N", 4, 2, 2])}
SCATTERED: dict[str, Port] = {"x": (F, [3, 4]), "i": (INT, [1, 4]), "u": (F, [1, 4])}
PAIRS = {"i": np.array([[1, 2], [0, 4]]), "u": np.ones((2, 4), F)}
TWICE = {"i": np.array([[1, 2], [1, 2]]), "u": np.ones((2, 4), F)}
CASES = [
    case("GatherElements", POSITIONS, last, axis=1),
    case("GatherElements", {"x": (F, [5, 4]), "i": (INT, [2, 3])}, places((5, 4), -5, 5), axis=0),
    case("GatherND", {**SEQUENCE, "i": (INT, ["N", 1])}, steps, batch_dims=1),
    case("GatherND", {"x": (F, [3, 4, 2]), "i": (INT, ["N", 2])}, rows),
    case("ScatterElements", UPDATES, written, axis=1),
    case("ScatterElements", UPDATES, written, axis=1, reduction="add", opset=16),
    *(
        case("ScatterElements", UPDATES, written, axis=1, reduction=r, opset=18)
        for r in ("mul", "max", "min")
    ),
    case("Scatter", SCATTERED, scattered, opset=10),
    case("ScatterND", SEQUENCE, ties, PAIRS),
    case("ScatterND", SEQUENCE, ties, TWICE, reduction="add"),
    case("TopK", SEQUENCE, ties, {"k": np.array([3])}, outputs=2, axis=1),
    case("TopK", SEQUENCE, ties, {"k": np.array([2])}, outputs=2, axis=-1, largest=0),
    case("TopK", {"x": (F, [5])}, lambda t: {"x": draw((5,), t)}, {"k": np.array([5])}, outputs=2, axis=0),
    case("TopK", SEQUENCE, ties, outputs=2, opset=9, axis=1, k=3),
    case("OneHot", {"x": (INT, ["N", "T"])}, numbers, {"d": np.array(5), "v": np.array([0, 1], F)}),
    case("OneHot", {"x": (INT, ["N", "T"])}, numbers, {"d": np.array(5), "v": np.array([-1, 3])}, axis=1),
    *(
        case("CumSum", SEQUENCE, ties, {"a": np.array(axis)}, exclusive=e, reverse=r)
        for axis, e, r in ((1, 0, 0), (-1, 1, 0), (1, 0, 1), (2, 1, 1))
    ),
    case("ReverseSequence", {"x": (F, ["T", "N", 4]), "n": (INT, ["N"])}, lengths),
    case("ReverseSequence", {**SEQUENCE, "n": (INT, ["N"])}, samples_first, batch_axis=0, time_axis=1),
    case("Trilu", SEQUENCE, ties, {"k": np.array(1)}),
    case("Trilu", SEQUENCE, ties, {"k": np.array(-1)}, upper=0),
    case("Trilu", SEQUENCE, ties),
    case("EyeLike", MATRIX, matrix, k=1),
    case("EyeLike", MATRIX, matrix, dtype=6),
    case("Compress", SEQUENCE, ties, {"c": np.array([True, False, True, True])}, axis=2),
    *(
        case("Einsum", FACTORS, factors, equation=e)
        for e in ("ntc,ncd->ntd", "ntc,ncd->dnt", "ntc,ncd->nd", "abc, ace", "...tc,...cd->...dt")
    ),
    case("Einsum", SEQUENCE, ties, {"b": draw((4, 4), 2), "c": draw((4,), 3)}, equation="ntc,cd,d->tn"),
    case("Einsum", SEQUENCE, ties, equation="ntc->cn"),
    *(
        case(
            "GridSample",
            IMAGE,
            image,
            marks=() if (number + other + align) % 2 == 0 else pytest.mark.deep,
            mode=mode,
            padding_mode=padding,
            align_corners=align,
        )
        for number, mode in enumerate(("bilinear", "nearest", "bicubic"))
        for other, padding in enumerate(("zeros", "border", "reflection"))
        for align in (0, 1)
    ),
    case("GridSample", IMAGE, image, opset=20, mode="cubic"),
    case("GridSample", {"x": (F, ["N", 2, 3, 4, 5]), "g": (F, ["N", 2, 2, 2, 3])}, volume, opset=20),
    case(
        "AffineGrid",
        {"m": (F, [2, 2, 3])},
        lambda turn: {"m": draw((2, 2, 3), turn)},
        {"s": np.array([2, 3, 4, 5])},
        opset=20,
    ),
    case(
        "AffineGrid",
        {"m": (F, [2, 3, 4])},
        lambda turn: {"m": draw((2, 3, 4), turn)},
        {"s": np.array([2, 3, 4, 5, 2])},
        opset=20,
        align_corners=1,
    ),
]


@pytest.mark.alike(2)
@pytest.mark.parametrize(("found", "bindings"), CASES)
def test_operator(found: Any, bindings: list[Arrays]) -> None:
    compare(found, *bindings)


@pytest.mark.parametrize(("size", "open"), [(8, False), (9, False), (8, True)])
def test_a_pool_and_its_inverse(size: int, open: bool) -> None:
    """SegNet: what is unpooled has the size that the pool read."""
    shape = ["N", 2, "H", "W"] if open else ["N", 2, size, size]
    nodes = [
        make_node("MaxPool", ["x"], ["p", "i"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Shape", ["x"], ["s"]),
        make_node("MaxUnpool", ["p", "i", "s"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    found = built(nodes, {"x": (F, shape)}, ["y"])
    compare(found, *({"x": draw((2 + turn, 2, size, size), turn)} for turn in range(2)))


def test_positions_that_are_given() -> None:
    node = make_node("MaxUnpool", ["x", "i"], ["y"], kernel_shape=[2, 2], strides=[2, 2])
    found = built([node], {"x": (F, ["N", 1, 2, 2]), "i": (INT, ["N", 1, 2, 2])}, ["y"])
    compare(found, {"x": draw((1, 1, 2, 2), 0), "i": np.array([[[[5, 7], [13, 15]]]])})


def test_positions_of_a_size_that_is_known() -> None:
    """torch.ones(n).nonzero(), which only counts."""
    nodes = [
        make_node("Shape", ["x"], ["s"], start=0, end=1),
        make_node("ConstantOfShape", ["s"], ["ones"], value=None)
        if False
        else make_node("Expand", ["one", "s"], ["ones"]),
        make_node("NonZero", ["ones"], ["y"]),
    ]
    found = built(nodes, {"x": (F, ["N", 3])}, ["y"], {"one": np.ones(1, F)})
    compare(found, {"x": draw((2, 3), 0)}, {"x": draw((4, 3), 1)})


def test_a_result_whose_shape_depends_on_the_data_is_refused() -> None:
    found = built([make_node("NonZero", ["x"], ["y"])], {"x": (F, ["N", 3])}, ["y"])
    with pytest.raises(OnnxError, match="known at run time only"):
        import_model(found)


def test_what_an_index_outside_its_axis_does() -> None:
    """It is an error, as in ONNX Runtime, and reads nothing of another sample."""
    node = make_node("GatherElements", ["x", "i"], ["y"], axis=1)
    found = built([node], {"x": (F, ["N", 3]), "i": (INT, ["N", 1])}, ["y"])
    imported = compare(found, {"x": draw((2, 3), 0), "i": np.array([[1], [2]])})
    with pytest.raises(Exception, match="out of range"):
        run(imported, {"x": draw((2, 3), 0), "i": np.array([[3], [0]])})


@pytest.mark.parametrize("dtype", [F, INT])
def test_sizes_are_numbers_that_are_computed_with(dtype: type) -> None:
    """All sizes at once, their multiples and products: `x` plus [N + 1, T * N, 3 * N], and times [0, T, 2 T]."""
    kind = TensorProto.FLOAT if dtype is F else TensorProto.INT64
    nodes = [
        make_node("Shape", ["x"], ["sizes"]),
        make_node("Gather", ["sizes", "first"], ["n"]),
        make_node("Gather", ["sizes", "second"], ["t"]),
        make_node("Mul", ["sizes", "n"], ["products"]),
        make_node("Add", ["sizes", "ones"], ["more"]),
        make_node("Where", ["mask", "more", "products"], ["chosen"]),
        make_node("Cast", ["chosen"], ["added"], to=kind),
        make_node("Mul", ["steps", "t"], ["rows"]),
        make_node("Cast", ["rows"], ["factors"], to=kind),
        make_node("Add", ["x", "added"], ["sum"]),
        make_node("Mul", ["sum", "factors"], ["y"]),
    ]
    if dtype is F:  # quotients of sizes
        nodes[-1:] = [
            make_node("Div", ["factors", "half"], ["quotients"]),
            make_node("Div", ["quotients", "added"], ["shares"]),
            make_node("Mul", ["sum", "shares"], ["y"]),
        ]
    constants: Arrays = {
        "half": np.array(7, F),
        "first": np.array(0),
        "second": np.array(1),
        "ones": np.ones(3, INT),
        "mask": np.array([True, False, False]),
        "steps": np.arange(3).reshape(1, 1, 3),
    }
    proto = built(nodes, {"x": (dtype, ["N", "T", 3])}, ["y"], constants)
    compare(proto, *({"x": draw((*sequence(turn), 3), turn).astype(dtype)} for turn in range(2)))


@pytest.mark.parametrize("layer", ["grid_sample", "scatter_elements", "instance_norm"])
def test_layers_over_an_open_axis_and_a_fixed_batch_come_back(layer: str) -> None:
    """The rows of each sample begin at multiples of the open size."""
    options: dict[str, Any] = {"axis": 1, "reduction": "add"} if layer == "scatter_elements" else {}
    before = {
        "grid_sample": [{"name": "at", "type": "dense", "inputs": ["x"], "units": 2}],
        "scatter_elements": [
            {"name": "at", "type": "argmax", "inputs": ["x"], "axis": 1, "keepdims": True},
            {"name": "new", "type": "reduce", "inputs": ["x"], "op": "sum", "axes": [1], "keepdims": True},
        ],
        "instance_norm": [],
    }[layer]
    last = {"name": "y", "type": layer, "inputs": ["x", *(one["name"] for one in before)], **options}
    spec = {
        "netwright": 1,
        "model": "m",
        "dims": {"T": {"role": "size", "min": 1}},
        "inputs": {"x": {"shape": [2, "T", 3, 2], "dtype": "float32"}},
        "layers": [*before, last],
        "outputs": {"y": "y"},
    }
    for steps in (1, 4):
        check_round_trip(Case(spec, seed=1, bindings=[{"T": steps}]))
