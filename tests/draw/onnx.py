"""A drawn network to ONNX and back: ONNX's checker passes it, ONNX Runtime and the import give the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import numpy as np

import netwright
from netwright.specs.load import load_spec_text

from ..engines.harness import Arrays, Model
from ..machines import MACHINES
from .check import Finding, agree
from .networks import Case

#: Why an export may not be imported again: sizes of windows with gaps between them, over open axes; what is known to
#: hold nothing whatever the open sizes are, which no spec would say in these words; and windows along many axes, which
#: an export writes as axes of their own.
UNPROVED = re.compile(
    r"\bdo not broadcast\b|\bdo not fit the shape\b|\bthe padding depends on an open size\b"
    r"|\ba loop over (float\d\d, )?int64\b"  # cells compute with floats: the beam of ctc_decode
    r"|\ban empty tensor\b|\bentries of shape: reshape takes at most 8\b"
)
AVAILABLE = find_spec("onnx") is not None
RUNTIME = find_spec("onnxruntime") is not None
RUNTIME_NAME = "ONNX Runtime"
EVALUATOR_NAME = "ONNX's evaluator"


class Unsupported(Exception):
    """The network has no ONNX form, which an error says."""


def check_round_trip(case: Case) -> None:
    """Raises Finding where a single-precision form of the network differs after export, or after import.

    Raises Unsupported where export or import refuses, Sensitive as `agree` does.
    """
    import onnx

    from netwright.onnx import OnnxError, export_model, import_model

    from .evaluator import evaluated, pools_of_no_number, softplus_overflows

    text = re.sub(r"\bfloat64\b", "float32", json.dumps(case.spec))
    model, dims = Model(json.loads(text), MACHINES[case.machine]), case.bindings[0]
    weights, inputs = model.weights(case.seed), model.batch(dims, case.seed, targets=False)
    keep_lengths_positive(model, inputs)
    table = {**weights, **inputs}
    expected = model.interpret("predict", table, dims)
    try:
        proto = export_model(netwright.Model(load_spec_text(text, "spec.json")), weights).proto
    except OnnxError as error:
        raise Unsupported(str(error)) from error
    onnx.checker.check_model(proto, full_check=True)
    if RUNTIME:
        used = {value.name for value in proto.graph.input}
        given = {name: one for name, one in inputs.items() if name in used}
        for who, answers in answers_of(proto, given):
            if who == RUNTIME_NAME and softplus_overflows(proto, answers):
                continue
            if who == RUNTIME_NAME:
                answers |= positions_among_equals(proto, given, answers, expected)
            try:
                agree_again(model, who, table, dims, answers, expected)
            except Finding:
                if who != RUNTIME_NAME or not pools_of_no_number(proto, given):
                    raise
                answers = dict(zip(answers, evaluated(proto, list(answers), given), strict=True))
                agree_again(model, EVALUATOR_NAME, table, dims, answers, expected)
    try:
        imported = import_model(proto, name="again")
    except OnnxError as error:
        if UNPROVED.search(str(error)):
            raise Unsupported(str(error)) from error
        raise Finding(f"the export is not imported: {error}") from error
    again = netwright.Model(load_spec_text(imported.spec, "again.yaml")).compile(
        dict(imported.weights), engine="reference", entries=["predict"]
    )
    read = {name for entry in again.manifest.entries for name in entry.reads}
    results = again.predict(**{here: inputs[own] for own, here in imported.inputs.items() if here in read})
    found = {own: results[here] for own, here in imported.outputs.items()}
    agree_again(model, "imported", table, dims, found, expected)


def answers_of(proto: Any, given: Arrays) -> Iterator[tuple[str, Arrays]]:
    """What ONNX Runtime makes of the model; where one of its kernels has rules of its own, ONNX's own evaluator, unless
    it has the same rules."""
    from onnxruntime.capi.onnxruntime_pybind11_state import (
        Fail,
        InvalidArgument,
        NotImplemented,
        RuntimeException,
    )

    from ..onnx.models import onnxruntime_outputs
    from .evaluator import Declined, evaluated

    names = [output.name for output in proto.graph.output]

    def ask(as_written: bool) -> tuple[str, Arrays]:
        answers = onnxruntime_outputs(proto, given, as_written=as_written)
        return RUNTIME_NAME, dict(zip(names, answers, strict=True))

    try:
        yield ask(as_written=False)
    except InvalidArgument as error:
        if "Invalid model. Node input" in str(error):  # its rewrites removed what another node reads
            yield ask(as_written=True)
        elif "Unsupported pooling size" not in str(error):  # no other judge has pools of more than three axes
            raise
    except (Fail, NotImplemented, RuntimeException):  # no LRN but of images, no position among no cells
        with suppress(Declined):
            yield EVALUATOR_NAME, dict(zip(names, evaluated(proto, None, given), strict=True))


def positions_among_equals(proto: Any, given: Arrays, answers: Arrays, expected: Arrays) -> Arrays:
    """The evaluator's whole numbers in place of ONNX Runtime's that differ: which of two numbers is larger that are
    equal but for rounding (a tanh near 1) is for a second judge to say; if it declines, nobody does."""
    from .evaluator import Declined, evaluated

    odd = [
        name
        for name, answer in answers.items()
        if answer.dtype.kind in "iu" and not np.array_equal(answer, expected[name])
    ]
    if not odd:
        return {}
    try:
        return dict(zip(odd, evaluated(proto, odd, given), strict=True))
    except Declined:
        return {name: expected[name] for name in odd}


def agree_again(model: Model, what: str, table: Arrays, dims: Any, found: Arrays, expected: Arrays) -> None:
    try:
        agree(model, "predict", table, dims, found, {name: expected[name] for name in found})
    except Finding as error:
        raise Finding(f"{what}: {error}") from error


def keep_lengths_positive(model: Model, inputs: Arrays) -> None:
    """ONNX Runtime has no sequences without steps."""
    for one in model.spec["inputs"].values():
        if "lengths" in one:
            inputs[one["lengths"]] = np.maximum(inputs[one["lengths"]], 1)
