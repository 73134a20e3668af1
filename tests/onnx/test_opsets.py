"""Operators whose signature or meaning changed, as they were in opset 7 and in every step to the newest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from netwright.onnx import import_model
from netwright.onnx.files import check

from .models import onnxruntime_outputs

NEWEST = onnx.defs.onnx_opset_version()
OPSETS = (7, 9, 10, 11, 13, 15, 18, NEWEST)
#: The newest that every ONNX Runtime in use knows; beyond, ONNX's own evaluator is asked.
RUNTIME = 18


@dataclass(frozen=True)
class Operator:
    """A node that reads x [2, 3, 4, 6], with its constant operands and attributes."""

    op: str
    operands: Sequence[ArrayLike | None] = ()
    attributes: Mapping[str, object] = field(default_factory=dict)
    outputs: int = 1
    dtypes: Sequence[type] = ()
    """The element types of the operands; int64 for those that are not said."""


Build = Callable[[int], Operator | None]


def _slice(opset: int) -> Operator:
    cut = {"starts": [0, 1], "ends": [2, -1], "axes": [1, 3]}
    return Operator("Slice", attributes=cut) if opset < 10 else Operator("Slice", list(cut.values()))


def _slice_steps(opset: int) -> Operator | None:
    return None if opset < 10 else Operator("Slice", [[-1], [-100], [2], [-2]])


def _pad(opset: int) -> Operator:
    pads = [0, 0, 1, 2, 0, 0, 0, 1]
    if opset < 11:
        return Operator("Pad", attributes={"pads": pads, "value": 1.5, "mode": "constant"})
    return Operator("Pad", [pads, np.float32(1.5)], dtypes=[np.int64, np.float32])


def _pad_axes(opset: int) -> Operator | None:
    return None if opset < 18 else Operator("Pad", [[1, 2], None, [3]], {"mode": "reflect"})


def _clip(opset: int) -> Operator:
    if opset < 11:
        return Operator("Clip", attributes={"min": -0.5, "max": 0.25})
    return Operator("Clip", [np.float32(-0.5), np.float32(0.25)], dtypes=[np.float32] * 2)


def _unsqueeze(opset: int) -> Operator:
    return (
        Operator("Unsqueeze", attributes={"axes": [0, 3]}) if opset < 13 else Operator("Unsqueeze", [[0, -3]])
    )


def _softmax(op: str, axis: int | None) -> Build:
    """Before opset 13 the axes from `axis` on (1 when left out) are one; since then it is that axis (the last)."""
    return lambda opset: Operator(op, attributes={} if axis is None else {"axis": axis})


def _dropout(opset: int) -> Operator:
    if opset < 12:
        return Operator("Dropout", attributes={"ratio": 0.3})
    return Operator("Dropout", [np.float32(0.3)], dtypes=[np.float32])


def _upsample(opset: int) -> Operator | None:
    scales = [1.0, 1.0, 2.0, 3.0]
    if opset > 9:
        return None
    if opset < 9:
        return Operator("Upsample", attributes={"scales": scales, "mode": "nearest"})
    return Operator("Upsample", [scales], {"mode": "nearest"}, dtypes=[np.float32])


def _resize(opset: int) -> Operator | None:
    scales, floats = np.array([1, 1, 2, 1.5], np.float32), [np.float32]
    if opset < 10:
        return None
    if opset < 11:
        return Operator("Resize", [scales], {"mode": "linear"}, dtypes=floats)
    roi = np.zeros(0) if opset < 13 else None  # may be left out since opset 13
    return Operator("Resize", [roi, scales], {"mode": "linear"}, dtypes=[np.float32, *floats])


def _resize_sizes(opset: int) -> Operator | None:
    if opset < 11:
        return None
    keys: dict[str, object] = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    if opset < 18:
        left = np.zeros(0) if opset < 13 else None
        operands, floats = [left, left, [2, 3, 8, 3]], [np.float32, np.float32]
        return Operator("Resize", operands, {**keys, "nearest_mode": "floor"}, dtypes=floats)
    return Operator("Resize", [None, None, [8, 3]], {**keys, "nearest_mode": "floor", "axes": [2, 3]})


def _batch_normalization(opset: int) -> Operator:
    rows = [[1, 2, 0.5], [0, 1, -1], [0.1, 0.2, 0.3], [1, 2, 3]]
    return Operator("BatchNormalization", rows, {"epsilon": 0.01}, dtypes=[np.float32] * 4)


def _reduce(op: str, since: int) -> Build:
    def build(opset: int) -> Operator:
        if opset < since:
            return Operator(op, attributes={"axes": [1, 3], "keepdims": 0})
        return Operator(op, [[1, -1]], {"keepdims": 0})

    return build


def _reduce_nothing(opset: int) -> Operator | None:
    if opset < 13:
        return None
    return Operator("ReduceSum", [np.zeros(0)], {"noop_with_empty_axes": 1})


def _split(opset: int) -> Operator:
    if opset < 13:
        return Operator("Split", attributes={"axis": 3, "split": [1, 2, 3]}, outputs=3)
    return Operator("Split", [[1, 2, 3]], {"axis": -1}, outputs=3)


def _split_evenly(opset: int) -> Operator:
    if opset < 18:
        return Operator("Split", attributes={"axis": 3}, outputs=3)
    return Operator("Split", attributes={"axis": 1, "num_outputs": 2}, outputs=2)


def _max_pool(opset: int) -> Operator:
    keys: dict[str, object] = {"kernel_shape": [2, 3], "strides": [2, 2], "pads": [0, 1, 1, 1]}
    return Operator(
        "MaxPool", attributes=keys | ({"ceil_mode": 1, "dilations": [1, 2]} if opset >= 10 else {})
    )


def _average_pool(opset: int) -> Operator:
    keys: dict[str, object] = {"kernel_shape": [2, 2], "pads": [1, 0, 0, 1], "count_include_pad": 1}
    return Operator("AveragePool", attributes=keys | ({"dilations": [1, 2]} if opset >= 19 else {}))


def _p_relu(opset: int) -> Operator:
    return Operator("PRelu", [[[[0.1]], [[0.2]], [[0.3]]]], dtypes=[np.float32])


BUILDS: dict[str, Build] = {
    "Slice": _slice,
    "Slice with steps": _slice_steps,
    "Pad": _pad,
    "Pad of axes": _pad_axes,
    "Clip": _clip,
    "Unsqueeze": _unsqueeze,
    "Softmax": _softmax("Softmax", None),
    "Softmax of axis 1": _softmax("Softmax", 1),
    "LogSoftmax": _softmax("LogSoftmax", 2),
    "Hardmax": _softmax("Hardmax", 1),
    "Dropout": _dropout,
    "Upsample": _upsample,
    "Resize": _resize,
    "Resize to sizes": _resize_sizes,
    "BatchNormalization": _batch_normalization,
    "ReduceSum": _reduce("ReduceSum", 13),
    "ReduceMean": _reduce("ReduceMean", 18),
    "ReduceL2": _reduce("ReduceL2", 18),
    "ReduceSum of nothing": _reduce_nothing,
    "Split": _split,
    "Split evenly": _split_evenly,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "PRelu": _p_relu,
}
CASES = [(name, opset) for name, build in BUILDS.items() for opset in OPSETS if build(opset) is not None]


def model_of(operator: Operator, opset: int) -> onnx.ModelProto:
    constants: list[onnx.TensorProto] = []
    names = ["x"]
    for i, operand in enumerate(operator.operands):
        names.append("" if operand is None else f"c{i}")
        if operand is not None:
            dtype = operator.dtypes[i] if i < len(operator.dtypes) else np.int64
            constants.append(numpy_helper.from_array(np.asarray(operand, dtype), f"c{i}"))
    outputs = [f"y{i}" for i in range(operator.outputs)]
    node = helper.make_node(operator.op, names, outputs, **operator.attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 4, 6])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        constants,
    )
    ir = 8 if opset <= RUNTIME else onnx.IR_VERSION
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def expected(model: onnx.ModelProto, opset: int, x: NDArray) -> list[NDArray]:
    if opset <= RUNTIME:
        return onnxruntime_outputs(model, {"x": x})
    return [np.asarray(one) for one in ReferenceEvaluator(model).run(None, {"x": x})]  # type: ignore[arg-type]


@pytest.mark.alike(2)
@pytest.mark.parametrize(("name", "opset"), CASES, ids=[f"{name}, opset {opset}" for name, opset in CASES])
def test_an_operator_in_an_opset(name: str, opset: int) -> None:
    operator = BUILDS[name](opset)
    assert operator is not None
    model = model_of(operator, opset)
    onnx.checker.check_model(onnx.shape_inference.infer_shapes(model, strict_mode=True))
    x = np.random.default_rng(opset).normal(size=(2, 3, 4, 6)).astype(np.float32)
    imported = import_model(model, name="one")
    program = check(imported.spec).compile(dict(imported.weights), engine="reference", entries=["predict"])
    answers = program.predict(x=x)
    for own, answer in zip(imported.outputs, expected(model, opset, x), strict=True):
        np.testing.assert_allclose(answers[imported.outputs[own]], answer, rtol=1e-5, atol=1e-6, err_msg=own)


@pytest.mark.parametrize(
    ("operator", "opset", "reason"),
    [
        (Operator("Slice", attributes={"starts": [0], "ends": [1]}), 13, "is not one of Slice in opset 13"),
        (Operator("Clip", attributes={"min": 0.0}), 13, "attribute min"),
        (Operator("Squeeze", attributes={"axes": [0]}), 13, "attribute axes"),
        (Operator("Upsample", [[1.0, 1.0, 2.0, 2.0]], dtypes=[np.float32]), 13, "opset 13 no longer has"),
        (Operator("Softmax"), NEWEST + 1, f"there is 1 to {NEWEST}"),
    ],
    ids=["Slice", "Clip", "Squeeze", "Upsample", "too new"],
)
def test_what_an_opset_does_not_have_is_refused(operator: Operator, opset: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        import_model(model_of(operator, opset))
