"""Draws cells: states, parameters and equations of random expressions."""

from __future__ import annotations

from typing import Any

from .sketch import Signal, Sketch

#: Functions of one vector that stay tame.
FUNCTIONS = (
    "tanh({})",
    "sigmoid({})",
    "gelu({})",
    "softplus({})",
    "elu({}, 0.5)",
    "leaky_relu({}, 0.1)",
    "relu({})",
)
FUNCTIONS = (
    *FUNCTIONS,
    "abs({})",
    "exp(tanh({}))",
    "softmax({})",
    "-{}",
    "{} ** 2",
    "sin({})",
    "cos({})",
    "atan({})",
)
FUNCTIONS = (
    *FUNCTIONS,
    "clip({}, -1, 0.5)",
    "erf({})",
    "sqrt(abs({}) + 0.1)",
    "log(1 + abs({}))",
    "mod({}, 2)",
)
JOINS = ("({} + {})", "({} - {})", "({} * {})", "maximum({}, {})", "minimum({}, {})", "{} / (1 + abs({}))")
CONDITIONS = ("{} < {}", "{} > {}", "{} <= {}", "logical_or({} > 0, {} > 0.5)", "logical_not({} >= {})")


def expression(s: Sketch, leaves: list[str], depth: int) -> str:
    """An expression over vectors of one size."""
    kind = "leaf" if depth == 0 else s.one_of("leaf", "function", "join", "where", "reduce")
    if kind == "leaf":
        return s.one_of(*leaves)
    a = expression(s, leaves, depth - 1)
    if kind == "function":
        return s.one_of(*FUNCTIONS).format(a)
    b = expression(s, leaves, depth - 1)
    if kind == "join":
        return s.one_of(*JOINS).format(a, b)
    if kind == "where":
        return f"where({s.one_of(*CONDITIONS).format(a, b)}, {b}, 0.5 * {a})"
    return f"({a} + {s.one_of('mean', 'sum', 'max', 'min')}({b}))"


def draw_cell(s: Sketch, x: Signal) -> tuple[str, list[Signal], dict[str, Any], dict[str, tuple[int, ...]]]:
    """Declares a cell for ``x`` [N, T, F]: (name, inputs, arguments, the states' shapes)."""
    name, units = f"cell{len(s.cells)}", s.one_of(1, 2, 3, 4, 8)
    inputs, arguments = [x], {"H": units}
    cell: dict[str, Any] = {
        "args": {"H": "int"},
        "input": {"x": ["F"]},
        "states": {"h": {"shape": ["H"], "learn_init": s.flag()}},
        "params": {"A": {"shape": ["H", "H"]}, "B": {"shape": ["F", "H"]}, "b": {"shape": ["H"]}},
    }
    leaves = ["prev(h)", "(x @ B)", "(prev(h) @ A)", "b"]
    states: dict[str, tuple[int, ...]] = {"h": (units,)}
    if s.flag():
        cell["args"]["k"] = "float"
        arguments["k"] = s.one_of(0.5, 2)
        leaves.append("(k * b)")
    if s.flag():  # a second input, perhaps the same one
        sequence = [one for one in s.signals.values() if one.rank == 3 and one.shape[:2] == x.shape[:2]]
        floats = [one for one in sequence if one.type.dtype == x.type.dtype and isinstance(one.shape[2], int)]
        inputs.append(s.one_of(*floats))
        cell["input"]["u"] = ["G"]
        cell["params"]["U"] = {"shape": ["G", "H"]}
        leaves.append("(u @ U)")
    steps: list[Any] = []
    if s.flag():  # gates from one product
        cell["params"]["W"] = {"shape": ["H", "2*H"]}
        steps.append("p, q = split(prev(h) @ W, 2)")
        leaves += ["p", "sigmoid(q)"]
    if s.flag():  # a matrix for a state
        states["m"] = (units, 2)
        cell["states"]["m"] = {"shape": ["H", 2], "init": {"type": "uniform"}}
        cell["params"]["V"] = {"shape": [2, 2]}
        steps.append({"m": f"tanh(prev(m) @ V + transpose(transpose(prev(m)) * {s.one_of(*leaves)}))"})
        leaves += ["sum(m, axis=-1)", "(prev(h) @ m @ transpose(prev(m)))"]
    if s.number(0, 3) == 0:  # a cell inside, called once
        inner = s.one_of("rnn", "lstm", "gru")
        cell["cells"] = {"low": {"use": inner, "with": {"H": "H"}}}
        states |= {f"low_{name}": (units,) for name in (("h", "c") if inner == "lstm" else ("h",))}
        steps.append("seen = low(x)")
        leaves += ["seen", "prev(low_h)"]
    steps.append({"a": expression(s, leaves, 2)})
    leaves.append("a")
    steps.append({"h": f"tanh({expression(s, leaves, 2)})"})
    leaves.append("h")
    output = s.one_of("h", "read", "expression", "wide")
    if output == "read":
        cell["params"]["C"] = {"shape": ["H", 3]}
        cell["output"] = "h @ C"
    elif output == "wide":
        cell["output"] = f"concat(h, {expression(s, leaves, 1)})"
    elif output == "expression":
        value = expression(s, leaves, 2)
        if s.flag():
            steps[-1] = {"h": f"tanh({expression(s, [*leaves[:-1], 'prev(output)'], 2)})"}
            cell["output"] = {"value": f"tanh({value})", "shape": ["H"]}
            states["output"] = (units,)
        else:
            cell["output"] = value
    else:
        cell["output"] = "h"
    s.cells[name] = used(cell, steps)
    return name, inputs, arguments, states


def used(cell: dict[str, Any], steps: list[Any]) -> dict[str, Any]:
    """The cell without parameters that no equation names."""
    text = str(steps) + str(cell["output"])
    words = set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())
    cell["params"] = {name: one for name, one in cell["params"].items() if name in words}
    return {**cell, "update": steps}
