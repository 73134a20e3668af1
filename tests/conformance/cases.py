"""The backend tests of the installed `onnx` package as plain cases, and the list of what is not supported."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
UNSUPPORTED = Path(__file__).with_name("unsupported.txt")


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of unsupported.txt: an op, a domain, an element type, a kind of value or a single case."""

    kind: str
    name: str
    reason: str

    def matches(self, case: str, traits: set[tuple[str, str]]) -> bool:
        """Whether a case falls under it."""
        return (self.kind, self.name) in traits or (
            self.kind == "case" and re.fullmatch(self.name, case) is not None
        )


def listed() -> list[Listed]:
    """The lines of unsupported.txt: `kind name: reason`."""
    found = []
    for line in UNSUPPORTED.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"(op|domain|type|value|case) (\S+): (\S.*)", line)
        assert match, f"{UNSUPPORTED.name}: no `kind name: reason`: {line}"
        found.append(Listed(*match.groups()))
    return found


@functools.cache
def all_cases() -> dict[str, TestCase]:
    """Every case of the installed package, `kind/name`."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # the package computes its expected values with overflows and NaN
        return {f"{kind}/{case.name}": case for kind in KINDS for case in load_model_tests(kind=kind)}


def model_of(case: TestCase) -> onnx.ModelProto:
    """The model of a case."""
    if case.model is not None:
        return case.model
    if case.url:
        return onnx.load(LIGHT / Path(case.url).name)
    return onnx.load(Path(str(case.model_dir)) / "model.onnx")


def data_of(case: TestCase) -> Iterator[tuple[list[NDArray], list[NDArray]]]:
    """Inputs and expected outputs of a case, once for each set of data."""
    if case.data_sets is not None:
        for inputs, outputs in case.data_sets:
            yield [_array(one) for one in inputs], [_array(one) for one in outputs]
    elif case.url:
        yield _light(case)
    else:
        for folder in sorted(Path(str(case.model_dir)).glob("test_data_set_*")):
            yield _read(folder, "input"), _read(folder, "output")


def _light(case: TestCase) -> tuple[list[NDArray], list[NDArray]]:
    model = model_of(case)
    constant = {tensor.name for tensor in model.graph.initializer}
    shapes = [
        [size.dim_value or 1 for size in value.type.tensor_type.shape.dim]
        for value in model.graph.input
        if value.name not in constant
    ]
    # As onnx.backend.test.runner makes them.
    inputs = [
        (np.arange(np.prod(shape)) / np.prod(shape)).astype(np.float32).reshape(shape) for shape in shapes
    ]
    path = LIGHT / f"{Path(str(case.url)).stem}_output_0.pb"
    return inputs, [_tensor(path)]


def _read(folder: Path, prefix: str) -> list[NDArray]:
    count = len(list(folder.glob(f"{prefix}_*.pb")))
    return [_tensor(folder / f"{prefix}_{position}.pb") for position in range(count)]


def _tensor(path: Path) -> NDArray:
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def _array(value: object) -> NDArray:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value  # type: ignore


def traits(model: onnx.ModelProto) -> set[tuple[str, str]]:
    """What a model has: ops, domains, element types, kinds of values."""
    found: set[tuple[str, str]] = set()
    for value in (*model.graph.input, *model.graph.output):
        kind = value.type.WhichOneof("value") or "no"
        if kind == "tensor_type":
            found.add(("type", onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)))
        else:
            found.add(("value", kind.removesuffix("_type")))
    for tensor in model.graph.initializer:
        found.add(("type", onnx.TensorProto.DataType.Name(tensor.data_type)))
    for node in (*model.graph.node, *(node for function in model.functions for node in function.node)):
        _node_traits(node, found)
    return found


def _node_traits(node: onnx.NodeProto, found: set[tuple[str, str]]) -> None:
    found.add(("domain", node.domain) if node.domain not in ("", "ai.onnx") else ("op", node.op_type))
    for attribute in node.attribute:
        if attribute.name in ("to", "dtype") and attribute.type == onnx.AttributeProto.INT:
            found.add(("type", onnx.TensorProto.DataType.Name(attribute.i)))
        if attribute.type == onnx.AttributeProto.TENSOR:
            found.add(("type", onnx.TensorProto.DataType.Name(attribute.t.data_type)))
        if attribute.type == onnx.AttributeProto.GRAPH:
            for inner in attribute.g.node:
                _node_traits(inner, found)
