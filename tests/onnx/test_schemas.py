"""Each attribute of each operator that is imported is honoured or refused: ONNX's own schemas say which there are,
values other than the default are drawn, and the answer is that of ONNX Runtime, or of ONNX's evaluator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.defs import OpSchema
from onnx.reference import ReferenceEvaluator

from netwright.compiler.interpreter import bind_dims, evaluate
from netwright.onnx.conversion import DEFECT
from netwright.onnx.errors import OnnxError
from netwright.onnx.files import check
from netwright.onnx.fold import FOLDS
from netwright.onnx.fold.reference import EVALUATED
from netwright.onnx.importing import Imported, import_graph
from netwright.onnx.ops import OPS
from netwright.onnx.raw import RawModel
from netwright.onnx.reading import read_graph
from netwright.onnx.spec import UNUSED
from netwright.yaml_text import to_yaml

from .example import Example
from .examples import EXAMPLES
from .models import onnxruntime_outputs

#: Operators with graphs inside, or of lists, which have tests of their own.
ELSEWHERE = (
    *("If", "Loop", "Scan"),
    # Lists are no values that a model of one node could give: tests/onnx/test_sequences.py.
    *(
        "SequenceAt",
        "SequenceConstruct",
        "SequenceEmpty",
        "SequenceErase",
        "SequenceInsert",
        "SequenceLength",
    ),
    *("ConcatFromSequence", "SplitToSequence"),
)
NEWEST = onnx.defs.onnx_opset_version()
#: The oldest opset that ONNX Runtime has: what is older is compared where ONNX's evaluator knows it.
OLDEST = 7
#: Where ONNX's evaluator is wrong and ONNX Runtime has no answer: LRN sums over neighbours of channels up to the number
#: of samples only, ONNX Runtime knows no even sizes and no negative numbers.
UNANSWERED = ("LRN",)
#: What attributes of a type are drawn from besides the example's own values; `nonsense` is no word of any.
DRAWN: dict[Any, Sequence[Any]] = {
    OpSchema.AttrType.INT: (0, 1, 2, -1),
    OpSchema.AttrType.FLOAT: (0.0, 0.3, -1.5),
    OpSchema.AttrType.STRING: ("nonsense", "NONE"),
}


@cache
def schemas() -> tuple[OpSchema, ...]:
    """The versions of the operators that are imported."""
    return tuple(
        schema
        for schema in onnx.defs.get_all_schemas_with_history()
        if not (schema.domain or schema.deprecated)
        and schema.name in OPS
        and schema.name not in ELSEWHERE
        and schema.since_version >= min(OPS[schema.name].since, 6)
    )


def opset_of(schema: OpSchema) -> int:
    """An opset that has this version of an operator."""
    return max(schema.since_version, OPS[schema.name].since, 6 if schema.since_version < 6 else 1)


def model_of(op: str, example: Example, opset: int, changes: Mapping[str, Any]) -> onnx.ModelProto:
    """The example's node with other attributes."""
    names = [f"x{i}" if operand is not None else "" for i, operand in enumerate(example.operands)]
    attributes = {**example.attributes, **changes}
    node = helper.make_node(op, names, [f"y{i}" for i in range(example.outputs)])
    for key, value in attributes.items():
        value = numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        node.attribute.append(helper.make_attribute(key, value))
    inputs, constants = [], []
    for i, operand in enumerate(example.operands):
        if operand is None:
            continue
        array = np.asarray(operand)
        if i in example.inputs:
            code = helper.np_dtype_to_tensor_dtype(array.dtype)
            inputs.append(helper.make_tensor_value_info(names[i], code, array.shape))
        else:
            constants.append(numpy_helper.from_array(array, names[i]))
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = helper.make_graph([node], "walk", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def ours(
    model: onnx.ModelProto, inputs: Mapping[str, NDArray], bound: Mapping[str, NDArray] | None = None
) -> list[NDArray]:
    """What the imported model answers in the interpreter, or while it is imported where inputs are bound. Raises
    OnnxError where it is refused."""
    imported: Imported = import_graph(read_graph(RawModel(model)), "walk", bound=bound, keep_constants=True)
    found: dict[str, NDArray] = dict(imported.constants)
    if imported.outputs:
        graph = check(to_yaml(imported.tree)).network.graphs["predict"]
        given = {here: inputs[name] for name, here in imported.inputs.items()}
        given = {UNUSED: np.zeros(1, np.float32), **given, **imported.weights}
        types = {name: graph.type(value).dtype for name, value in graph.inputs.items()}
        arrays = {name: given[name].astype(types[name]) for name in graph.inputs if name in given}
        results = evaluate(graph, arrays, bind_dims(graph, {name: a.shape for name, a in arrays.items()}))
        for name, here in imported.outputs.items():
            dtype = imported.narrow.get(name, results[here].dtype)
            found[name] = results[here].astype(dtype)
    return [found[port.name] for port in model.graph.output]


def theirs(model: onnx.ModelProto, inputs: Mapping[str, NDArray]) -> list[list[NDArray]]:
    """What ONNX Runtime answers, or ONNX's own evaluator; none where both refuse."""
    for opset in (
        model.opset_import[0].version,
        21,
        17,
    ):  # versions that only take further types mean the same
        earlier = onnx.ModelProto()
        earlier.CopyFrom(model)
        if opset <= model.opset_import[0].version:
            earlier.opset_import[0].version = opset
            with suppress(Exception):
                return [onnxruntime_outputs(earlier, inputs)]
    with suppress(Exception), np.errstate(all="ignore"):
        return [[np.asarray(one) for one in ReferenceEvaluator(model).run(None, dict(inputs))]]
    return []


def answers_of_runtime(model: onnx.ModelProto, inputs: Mapping[str, NDArray]) -> bool:
    """Whether ONNX Runtime answers."""
    with suppress(Exception):
        onnxruntime_outputs(model, inputs)
        return True
    return False


def disagreement(
    op: str, example: Example, opset: int, changes: Mapping[str, Any], *, known: bool = False
) -> str | None:
    """What is wrong with a node, or with what is computed while importing where its inputs are ``known``; None where
    it is right or refused."""
    model = model_of(op, example, opset, changes)
    inputs = {f"x{i}": np.asarray(example.operands[i]) for i in example.inputs}
    shown = f"{op} of opset {opset} with {dict(changes)}"
    try:
        with np.errstate(all="ignore"):
            found = ours(model, inputs, inputs if known else None)
    except OnnxError as error:
        return f"{shown}: {error}" if DEFECT in str(error) or not str(error) else None
    answers = theirs(model, inputs)  # what is refused here may crash there
    if op in UNANSWERED and not answers_of_runtime(model, inputs):
        return None
    if not answers:
        return f"{shown}: ONNX has no answer, this is one" if opset >= OLDEST else None
    for value, expected in zip(found, answers[0], strict=True):
        if op == "TopK" and changes.get("sorted") == 0:  # in no order that anybody says
            value, expected = np.sort(value), np.sort(expected)
        if value.shape != expected.shape or value.dtype != expected.dtype:
            return f"{shown}: {value.dtype} {value.shape}, not {expected.dtype} {expected.shape}"
        if not np.allclose(
            value.astype(np.float64), expected.astype(np.float64), rtol=2e-4, atol=2e-5, equal_nan=True
        ):
            return f"{shown}: off by {np.abs(value.astype(np.float64) - expected).max()}"
    return None


def values_of(schema: OpSchema, name: str, example: Example) -> list[Any]:
    """Values of an attribute other than the default."""
    attribute = schema.attributes[name]
    default = helper.get_attribute_value(attribute.default_value) if attribute.default_value.name else None
    default = default.decode() if isinstance(default, bytes) else default
    found = [*example.draws.get(name, ()), *DRAWN.get(attribute.type, ())]
    return [value for value in found if isinstance(value, np.ndarray) or value != default]


def first_or_last(schema: OpSchema) -> bool:
    """Versions of an operator with the same attributes are alike: the oldest and the newest of them are walked."""
    versions = [one for one in schemas() if one.name == schema.name]
    same = sorted(one.since_version for one in versions if one.attributes.keys() == schema.attributes.keys())
    return schema.since_version in (same[0], same[-1])


WALK = [
    pytest.param(
        schema,
        name,
        marks=() if first_or_last(schema) else pytest.mark.deep,
        id=f"{schema.name}-{schema.since_version}-{name}",
    )
    for schema in sorted(schemas(), key=lambda one: (one.name, one.since_version))
    for name in sorted(schema.attributes)
]


@pytest.mark.alike(4)
@pytest.mark.parametrize(("schema", "name"), WALK)
def test_each_attribute_is_honoured_or_refused(schema: OpSchema, name: str) -> None:
    opset = opset_of(schema)
    example = EXAMPLES[schema.name](opset)
    values = values_of(schema, name, example)
    found = [disagreement(schema.name, example, opset, {name: value}) for value in values]
    assert [one for one in found if one is not None] == []


@pytest.mark.alike(2)
@pytest.mark.parametrize("name", sorted(set(OPS) - set(ELSEWHERE)))
def test_each_version_answers_as_onnx_runtime_does(name: str) -> None:
    """The example as it stands is no refusal in any version, and has an operand for each input of the schema."""
    for schema in schemas():
        if schema.name != name:
            continue
        opset = opset_of(schema)
        example = EXAMPLES[name](opset)
        assert disagreement(name, example, opset, {}) is None
        model = model_of(name, example, opset, {})
        try:
            ours(model, {f"x{i}": np.asarray(example.operands[i]) for i in example.inputs})
        except OnnxError as error:
            pytest.fail(f"{name} of opset {opset} is refused: {error}")


FOLDED = sorted({schema.name for schema in schemas()} & (EVALUATED | FOLDS.keys()))


@pytest.mark.alike(2)
@pytest.mark.parametrize("name", FOLDED)
def test_constants_are_computed_as_at_run_time(name: str) -> None:
    """Of each version, with each attribute."""
    found = []
    for schema in schemas():
        if schema.name != name:
            continue
        opset = opset_of(schema)
        example = EXAMPLES[name](opset)
        found.append(disagreement(name, example, opset, {}, known=True))
        for attribute in sorted(schema.attributes):
            for value in values_of(schema, attribute, example):
                found.append(disagreement(name, example, opset, {attribute: value}, known=True))
    assert [one for one in found if one is not None] == []


def test_every_operator_has_an_example() -> None:
    assert set(EXAMPLES) == {name for name in OPS if name not in ELSEWHERE}
