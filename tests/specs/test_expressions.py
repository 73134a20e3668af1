"""Expressions and cells: trees, places of sub-expressions, and the built-in cells' equations computed in NumPy."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.equations.builtin_cells import cell_of, cell_text
from netwright.specs.equations.expressions import Binary, Call, Compare, Name, Negate, Number, Previous, walk
from netwright.specs.equations.parser import ExpressionError, Writing, parse_expression
from netwright.specs.models.initializers import Chrono, Zeros
from netwright.specs.models.layers.recurrent import Gru, Lstm, Rnn
from netwright.specs.reading.documents import read_text
from netwright.specs.source.tree import Span


def writing(text: str) -> Writing:
    return Writing(text, lambda start, end: Span("e", 1, start + 1, 1, end + 1))


def test_tree() -> None:
    tree = parse_expression(writing("where(x > -1, prev(h) @ A, sum(x ** 2, axis=-1))"))
    assert isinstance(tree, Call)
    condition, product, total = tree.arguments
    x = Name("x", tree.span)
    assert condition == Compare(">", x, Number(-1, tree.span), tree.span)
    assert product == Binary("@", Previous("h", tree.span), Name("A", tree.span), tree.span)
    assert isinstance(total, Call)
    assert total.option("axis") == -1
    assert total.arguments[0] == Binary("**", x, Number(2, tree.span), tree.span)
    assert parse_expression(writing(" -x ")) == Negate(x, tree.span)
    assert [type(node).__name__ for node in walk(product)] == ["Binary", "Previous", "Name"]


def test_spans_in_folded_quoted_and_literal_scalars() -> None:
    text = (
        "a: tanh(x) + yy\n"
        'b: "tanh(x) +\n    yy"\n'
        "c: |\n  tanh(x)\n  + yy\n"
        "d: >-\n  tanh(x)\n  + yy\n"
        "e: 'é * yy'\n"
        'f: "\\u00e9 * yy"\n'
    )
    tree = read_text(text, "a.yaml", Diagnostics())
    assert tree is not None
    lines = text.splitlines()
    for key, entry in tree.root.entries.items():
        expression = parse_expression(Writing.of(entry.node))
        assert isinstance(expression, Binary)
        span = expression.right.span
        assert lines[span.line - 1][span.column - 1 : span.end_column - 1] == "yy", key


@pytest.mark.parametrize(
    "text", ["(" * 5000, "-" * 3000 + "x", "x" + "+x" * 1500, "x" * 5000, "9" * 3000, "1e999", ""]
)
def test_extremes_are_errors(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_expression(writing(text))


PIECES = st.sampled_from([*"xyh()+-*/@,.=<>:1[]{} ", "prev", "split", "**"])


@given(st.text(max_size=40) | st.lists(PIECES).map("".join))
def test_random_texts(text: str) -> None:
    with suppress(ExpressionError):
        assert all(node.span.column >= 1 for node in walk(parse_expression(writing(text))))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FUNCTIONS = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "leaky_relu": lambda x, slope: np.where(x > 0, x, slope * x),
    "split": lambda x, n: np.split(x, n, axis=-1),
}
OPERATORS = {"+": np.add, "-": np.subtract, "*": np.multiply, "@": np.matmul}


def evaluate(node, scope, previous):
    match node:
        case Number(value=value):
            return value
        case Name(id=name):
            return scope[name]
        case Previous(state=state):
            return previous[state]
        case Binary(operator=operator, left=left, right=right):
            return OPERATORS[operator](evaluate(left, scope, previous), evaluate(right, scope, previous))
        case Call(function=function, arguments=arguments):
            return FUNCTIONS[function](*(evaluate(argument, scope, previous) for argument in arguments))
    raise AssertionError(node)


def run(cell, scope, previous):
    scope = dict(scope)
    for step in cell.steps:
        value = evaluate(step.value, scope, previous)
        scope |= dict(zip(step.targets, value if len(step.targets) > 1 else [value], strict=True))
    return scope


def values(*shapes):
    generator = np.random.default_rng(0)
    return [generator.normal(size=shape) for shape in shapes]


def test_lstm_equations() -> None:
    x, h, c, w, u, b = values(3, 4, 4, (3, 16), (4, 16), 16)
    cell, _ = cell_of(Lstm(name="l", units=4), {})
    found = run(cell, {"x": x, "kernel": w, "recurrent_kernel": u, "bias": b}, {"h": h, "c": c})
    i, f, g, o = np.split(x @ w + h @ u + b, 4)
    new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    assert np.allclose(found["c"], new)
    assert np.allclose(found["h"], sigmoid(o) * np.tanh(new))


@pytest.mark.parametrize("after", [True, False])
def test_gru_equations(after: bool) -> None:
    x, h, w, u, b, rb = values(3, 4, (3, 12), (4, 12), 12, 12)
    cell, _ = cell_of(Gru(name="l", units=4, reset_after=after), {})
    assert ("recurrent_bias" in cell.params) == after
    found = run(cell, {"x": x, "kernel": w, "recurrent_kernel": u, "bias": b, "recurrent_bias": rb}, {"h": h})
    xz, xr, xn = np.split(x @ w + b, 3)
    if after:
        hz, hr, hn = np.split(h @ u + rb, 3)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        n = np.tanh(xn + r * hn)
    else:
        uz, ur, un = np.split(u, 3, axis=1)
        z, r = sigmoid(xz + h @ uz), sigmoid(xr + h @ ur)
        n = np.tanh(xn + (r * h) @ un)
    assert np.allclose(found["h"], (1 - z) * n + z * h)


def test_rnn_equations_and_options() -> None:
    x, h, w, u = values(3, 4, (3, 4), (4, 4))
    layer = Rnn.model_validate(
        {
            "name": "l",
            "units": 4,
            "use_bias": False,
            "activation": {"type": "leaky_relu", "negative_slope": 0.25},
        }
    )
    cell, _ = cell_of(layer, {})
    found = run(cell, {"x": x, "kernel": w, "recurrent_kernel": u}, {"h": h})
    inner = x @ w + h @ u
    assert np.allclose(found["h"], np.where(inner > 0, inner, 0.25 * inner))
    assert list(cell.params) == ["kernel", "recurrent_kernel"]


def test_every_combination_of_options_is_a_cell() -> None:
    for use_bias in (True, False):
        for layer in (
            Rnn(name="l", units=2, use_bias=use_bias),
            Lstm(name="l", units=2, use_bias=use_bias, unit_forget_bias=False),
            Gru(name="l", units=2, use_bias=use_bias),
            Gru(name="l", units=2, use_bias=use_bias, reset_after=False),
        ):
            cell, _ = cell_of(layer, {})
            assert ("bias" in cell.params) == use_bias
            assert cell_text(layer).endswith("output: h\n")
    forget = cell_of(Lstm(name="l", units=2), {})[0].params["bias"].init
    assert [one.type for one in forget] == ["zeros", "ones", "zeros", "zeros"]
    far = cell_of(Lstm(name="l", units=2, chrono_init=9), {})[0].params["bias"].init
    assert far == (Chrono(steps=9, gain=-1), Chrono(steps=9), Zeros(), Zeros())
    far = cell_of(Gru(name="l", units=2, chrono_init=9), {})[0].params
    assert far["bias"].init == (Chrono(steps=9), Zeros(), Zeros())
    assert far["recurrent_bias"].init == (Zeros(), Zeros(), Zeros())
