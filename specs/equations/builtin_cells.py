"""LSTM, GRU and the plain RNN as cells written in the language itself.

The cell's text is generated from the layer's options and compiled like any user's cell, so there is one mechanism for
recurrence. Parameters: `kernel [F, G·H]`, `recurrent_kernel [H, G·H]`, `bias [G·H]`, with G gates in the order i, f, g,
o (LSTM) and z, r, n (GRU). Each gate's slice is initialized as a separate matrix.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

from ..diagnostics.diagnostic import Diagnostics
from ..models.activations import ActivationSpec, Gelu, Linear
from ..models.cells import CellSpec
from ..models.initializers import Chrono, InitializerSpec, Ones
from ..models.layers.recurrent import GatedLayer, Gru, Lstm, Recurrent, RecurrentLayer, Rnn
from ..reading.documents import read_text
from .cells import Cell, compile_cell

_HEAD = """\
args: {{H: int}}
input: {{x: [F]}}
states:
{states}
params:
{params}
update:
{update}
output: h
"""


def _lstm(layer: Lstm) -> str:
    """i, f and o gate what enters the cell state, what stays in it, and what is output of it."""
    lines = [f"i, f, g, o = split(x @ kernel + prev(h) @ recurrent_kernel{_bias(layer)}, 4)"]
    seen = ["", "", ""]
    if layer.peepholes:
        lines.append("si, sf, so = split(peephole, 3)")
        seen = [" + si * prev(c)", " + sf * prev(c)", " + so * c"]

    def gate(name: str, more: str) -> str:
        return applied(layer.recurrent_activation, _clipped(layer, name + more))

    enters, stays = gate("i", seen[0]), gate("f", seen[1])
    if layer.input_forget:
        lines.append(f"enters = {enters}")
        enters, stays = "enters", "(1 - enters)"
    lines.append(f"c = {stays} * prev(c) + {enters} * {applied(layer.activation, _clipped(layer, 'g'))}")
    lines.append(f"h = {gate('o', seen[2])} * {applied(layer.output_activation, 'c')}")
    return _listed(lines)


def _gru(layer: Gru) -> str:
    """z keeps the old state, r says how much of it the candidate n uses."""
    lines = [f"xz, xr, xn = split(x @ kernel{_bias(layer)}, 3)"]
    if layer.reset_after:
        bias = " + recurrent_bias" if layer.use_bias else ""
        lines.append(f"hz, hr, hn = split(prev(h) @ recurrent_kernel{bias}, 3)")
        z, r, n = "xz + hz", "xr + hr", "xn + r * hn"
    else:
        lines.append("uz, ur, un = split(recurrent_kernel, 3)")
        z, r, n = "xz + prev(h) @ uz", "xr + prev(h) @ ur", "xn + (r * prev(h)) @ un"
    lines.append(f"z = {applied(layer.recurrent_activation, _clipped(layer, z))}")
    lines.append(f"r = {applied(layer.recurrent_activation, _clipped(layer, r))}")
    lines.append(f"n = {applied(layer.activation, _clipped(layer, n))}")
    lines.append("h = (1 - z) * n + z * prev(h)")
    return _listed(lines)


def _rnn(layer: Rnn) -> str:
    inner = f"x @ kernel + prev(h) @ recurrent_kernel{_bias(layer)}"
    return _listed([f"h = {applied(layer.activation, _clipped(layer, inner))}"])


def _bias(layer: GatedLayer) -> str:
    return " + bias" if layer.use_bias else ""


def _clipped(layer: GatedLayer, inner: str) -> str:
    return inner if layer.clip is None else f"clip({inner}, {-layer.clip!r}, {layer.clip!r})"


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"  - {line}" for line in lines)


def cell_text(layer: GatedLayer) -> str:
    """The cell of an rnn, lstm or gru layer, written in the language."""
    gates, states, starts = 1, ("h",), [layer.bias_init]
    recurrent_bias = False
    if isinstance(layer, Lstm):
        gates, states = 4, ("h", "c")
        forget = Ones() if layer.unit_forget_bias else layer.bias_init
        starts = [layer.bias_init, forget, layer.bias_init, layer.bias_init]
        if layer.chrono_init:
            starts[:2] = [Chrono(steps=layer.chrono_init, gain=gain) for gain in (-1.0, 1.0)]
        update = _lstm(layer)
    elif isinstance(layer, Gru):
        gates, starts = 3, [layer.bias_init] * 3
        if layer.chrono_init:
            starts[0] = Chrono(steps=layer.chrono_init)
        recurrent_bias = layer.use_bias and layer.reset_after
        update = _gru(layer)
    else:
        assert isinstance(layer, Rnn)
        update = _rnn(layer)
    width = "H" if gates == 1 else f"{gates}*H"
    params = [
        _parameter("kernel", f"F, {width}", [layer.kernel_init] * gates),
        _parameter("recurrent_kernel", f"H, {width}", [layer.recurrent_init] * gates),
    ]
    if layer.use_bias:
        params.append(_parameter("bias", width, starts))
    if recurrent_bias:
        params.append(_parameter("recurrent_bias", width, [layer.bias_init] * gates))
    if isinstance(layer, Lstm) and layer.peepholes:
        params.append(_parameter("peephole", "3*H", [layer.peephole_init] * 3))
    return _HEAD.format(
        states="\n".join(f"  {state}: {{shape: [H]}}" for state in states),
        params="\n".join(params),
        update=update,
    )


def cell_of(layer: RecurrentLayer, cells: Mapping[str, Cell]) -> tuple[Cell, dict[str, int | float]]:
    """The cell that a layer runs, and the values of the cell's arguments.

    `cells` are the spec's own. Raises `KeyError` if the layer's cell is not among them.
    """
    if isinstance(layer, Recurrent):
        return cells[layer.cell], dict(layer.with_)
    assert isinstance(layer, GatedLayer)
    return _compiled(layer.type, cell_text(layer)), {"H": layer.units}


def builtin_cell(kind: str) -> Cell | None:
    """The cell of rnn, lstm or gru with default options; its argument is H."""
    layers = {"rnn": Rnn, "lstm": Lstm, "gru": Gru}
    return _compiled(kind, cell_text(layers[kind](name=kind, units=1))) if kind in layers else None


def state_names(kind: str) -> tuple[str, ...]:
    """The states of a built-in cell, the first one first."""
    return ("h", "c") if kind == "lstm" else ("h",)


def applied(activation: ActivationSpec, inner: str) -> str:
    """The equation of an activation applied to an expression."""
    match activation:
        case Linear():
            return f"({inner})"
        case Gelu(approximate="tanh"):
            return f"gelu_tanh({inner})"
    arguments = activation.model_dump(exclude={"type", "approximate"}).values()
    return f"{activation.type}({', '.join([inner, *map(repr, arguments)])})"  # type: ignore[attr-defined]


def _parameter(name: str, shape: str, init: Sequence[InitializerSpec]) -> str:
    starts = json.dumps([initializer.model_dump() for initializer in init])
    return f"  {name}: {{shape: [{shape}], init: {starts}}}"


@lru_cache(maxsize=64)
def _compiled(kind: str, text: str) -> Cell:
    diagnostics = Diagnostics()
    tree = read_text(text, f"<{kind}>", diagnostics)
    cell = compile_cell(kind, CellSpec.model_validate(tree.value), tree, (), diagnostics) if tree else None
    if cell is None:
        raise AssertionError(f"the built-in cell {kind} is wrong:\n{diagnostics.to_text()}")
    return cell
