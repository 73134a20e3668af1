"""Elementwise functions in a loop's body, as expressions of the language."""

from __future__ import annotations

import math
from dataclasses import replace

from ..errors import Refusal
from ..formulas import BINARY, UNARY
from ..numbers import decimal
from ..tensors import DTYPES, dtype_name
from .step import Step
from .table import operator
from .terms import Term, joint, written

_COMPARISONS = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal", "And", "Or", "Xor")

_ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "Relu": ("relu(x)", {}),
    "Sigmoid": ("sigmoid(x)", {}),
    "Tanh": ("tanh(x)", {}),
    "Softplus": ("softplus(x)", {}),
    "Softsign": ("softsign(x)", {}),
    "HardSwish": ("hard_swish(x)", {}),
    "Mish": ("mish(x)", {}),
    "LeakyRelu": ("leaky_relu(x, alpha)", {"alpha": 0.01}),
    "Elu": ("elu(x, alpha)", {"alpha": 1.0}),
    "Celu": ("celu(x, alpha)", {"alpha": 1.0}),
    "Selu": ("selu(x, alpha, gamma)", {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}),
    "HardSigmoid": ("hard_sigmoid(x, alpha, beta)", {"alpha": 0.2, "beta": 0.5}),
    "ThresholdedRelu": ("thresholded_relu(x, alpha)", {"alpha": 1.0}),
}


@operator(*(set(UNARY) - {"Not"}))
def _unary(s: Step) -> list[Term]:
    dtype = "bool" if s.node.op == "IsNaN" else None
    return [joint(UNARY[s.node.op], {"x": s.term()}, dtype)]


@operator("Not")
def _not(s: Step) -> list[Term]:
    term = s.term()
    return [
        replace(term, text=term.opposite, opposite="")
        if term.opposite
        else joint("logical_not(x)", {"x": term})
    ]


@operator(*BINARY)
def _binary(s: Step) -> list[Term]:
    a, b = s.together(0, 1)
    if a.dtype != b.dtype or (s.node.op == "Div" and a.dtype not in ("float32", "float64")):
        raise Refusal(f"the operands are {a.dtype} and {b.dtype}")
    dtype = "bool" if s.node.op in _COMPARISONS else a.dtype
    result = joint(BINARY[s.node.op], {"a": a, "b": b}, dtype)
    if s.node.op == "Equal":
        result = replace(result, opposite=written("a != b", {"a": a.text, "b": b.text}))
    return [result]


@operator("Add", "Mul", "Sum", "Max", "Min", "Mean")
def _variadic(s: Step) -> list[Term]:
    terms = s.terms()
    names = [f"x{i}" for i in range(len(terms))]
    operands = dict(zip(names, terms, strict=True))
    match s.node.op:
        case "Add" | "Sum":
            template = " + ".join(names)
        case "Mul":
            template = " * ".join(names)
        case "Mean":
            template = f"({' + '.join(names)}) / {len(names)}"
        case "Max" if len(terms) == 2 and terms[1].text == "0.0":
            template = "relu(x0)"
        case _:
            template = f"{'maximum' if s.node.op == 'Max' else 'minimum'}({', '.join(names)})"
    return [joint(template, operands, terms[0].dtype)]


@operator(*_ACTIVATIONS, attributes="alpha beta gamma")
def _activation(s: Step) -> list[Term]:
    template, defaults = _ACTIVATIONS[s.node.op]
    for name in s.node.attributes:
        if name not in defaults:
            raise Refusal(f"attribute {name}: is not supported")
    numbers = {name: repr(decimal(float(s.attribute(name, default)))) for name, default in defaults.items()}
    term = s.term()
    text = written(template, {"x": term.text, **numbers})
    return [Term(text, term.shape, term.view, term.dtype, term.batched, order=term.order)]


@operator("Gelu", attributes="approximate")
def _gelu(s: Step) -> list[Term]:
    name = "gelu_tanh" if s.attribute("approximate", "none") == "tanh" else "gelu"
    return [joint(f"{name}(x)", {"x": s.term()})]


@operator("Where")
def _where(s: Step) -> list[Term]:
    operands = dict(zip("cab", s.together(0, 1, 2), strict=True))
    return [joint("where(c, a, b)", operands)]


@operator("Clip", attributes="min max")
def _clip(s: Step) -> list[Term]:
    operands, template = {"x": s.term()}, "x"
    for position, name, function in ((1, "min", "maximum"), (2, "max", "minimum")):
        if s.opset < 11:
            number = s.attribute(name)
            if number is not None and math.isfinite(number):
                operands[name] = Term(repr(decimal(number)), (), (), operands["x"].dtype, False)
                template = f"{function}({template}, {name})"
        elif s.has(position):
            operands[name] = s.term(position)
            template = f"{function}({template}, {name})"
    return [joint(template, operands, operands["x"].dtype)]


@operator("Cast", attributes="to")
def _cast(s: Step) -> list[Term]:
    term, to = s.term(), s.attribute("to", 0)
    if to not in DTYPES:
        raise Refusal(f"attribute to: {_no_type(to)}")
    if DTYPES[to] == term.dtype:
        return [term]
    text = written("cast(x, dtype)", {"x": term.text, "dtype": DTYPES[to]})
    return [Term(text, term.shape, term.view, DTYPES[to], term.batched, order=term.order)]


def _no_type(to: int) -> str:
    try:
        return dtype_name(to)
    except ValueError as error:
        return str(error)


@operator("Dropout", attributes="ratio seed")
def _same(s: Step) -> list[Term]:
    if s.has(2) or len(s.node.outputs) > 1:
        raise Refusal("training is not supported in a loop")
    return [s.term()]
