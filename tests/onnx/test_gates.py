"""Recurrences whose equations are those of the language's own layers are written as these, however they are spelled."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

from netwright.onnx import ImportedModel

from .compared import compare
from .exports import Exports, export

torch = pytest.importorskip("torch", reason="torch is not installed (pip install torch)")
pytest.importorskip("onnxscript", reason="onnxscript is not installed (pip install onnxscript)")
nn = torch.nn
RNG = np.random.default_rng(5)
F, H, STEPS = 3, 4, 5

Step = Callable[..., Any]


def layers(imported: ImportedModel) -> str:
    """The layers of a spec, without their names."""
    text = imported.spec.partition("layers:\n")[2].partition("outputs:")[0]
    return re.sub(r"name: \w+, |inputs: \[[^]]*\], ", "", text)


def imports(module: Any, steps: int = STEPS, *, dynamo: bool = False, by: Callable[..., Any] = export) -> str:
    """What a module becomes, which has to give what ONNX Runtime gives."""
    model = by(module, torch.randn(2, steps, F), dynamo=dynamo)
    bindings = [{"x": RNG.normal(size=(n, steps, F)).astype(np.float32)} for n in (2, 3)]
    return layers(compare(model, *bindings))


class Written(nn.Module):
    """A recurrence of equations: from what a step reads and the states to the output and the states."""

    def __init__(self, step: Step, states: int = 2, before: Step | None = None, **shapes: Sequence[int]):
        super().__init__()
        torch.manual_seed(3)
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(torch.randn(*shape) * 0.5))
        self.step, self.states, self.before = step, states, before

    def forward(self, x: Any) -> Any:
        if self.before is not None:
            x = self.before(self, x)
        states = [torch.zeros(x.shape[0], H)] * self.states
        found = []
        for t in range(x.shape[1]):
            out, *states = self.step(self, x[:, t], *states)
            found.append(out)
        return torch.stack(found, 1)


# PyTorch's own cells.


class Cells(nn.Module):
    def __init__(self, kind: str, layers: int = 1, *, head: bool = False, last: bool = False, **options: Any):
        super().__init__()
        torch.manual_seed(4)
        cell = getattr(nn, f"{kind}Cell")
        self.cells = nn.ModuleList([cell(F if i == 0 else H, H, **options) for i in range(layers)])
        self.head = nn.Linear(H, 2) if head else nn.Identity()
        self.pair, self.last = kind == "LSTM", last

    def forward(self, x: Any) -> Any:
        zeros = torch.zeros(x.shape[0], H)
        states: list[Any] = [(zeros, zeros) if self.pair else zeros for _ in self.cells]
        found = []
        for t in range(x.shape[1]):
            value = x[:, t]
            for i, cell in enumerate(self.cells):
                states[i] = cell(value, states[i])
                value = states[i][0] if self.pair else states[i]
            found.append(self.head(value))
        return found[-1] if self.last else torch.stack(found, 1)


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("kind", "options", "keys", "steps", "dynamo"),
    [
        ("LSTM", {}, "", 5, False),
        ("LSTM", {}, "", 20, True),
        ("GRU", {"bias": False}, ", use_bias: false", 20, False),
        ("GRU", {}, "", 5, True),
        ("RNN", {"nonlinearity": "relu"}, ", activation: relu", 20, False),
    ],
)
def test_cells_of_pytorch(
    kind: str, options: dict[str, Any], keys: str, steps: int, dynamo: bool, exported: Exports
) -> None:
    found = imports(Cells(kind, **options), steps, dynamo=dynamo, by=exported)
    assert found == f"  - {{type: {kind.lower()}, units: 4{keys}}}\n"


def test_a_whole_spec() -> None:
    model = export(Cells("LSTM", 2, last=True), torch.randn(2, STEPS, F), dynamo=False)
    imported = compare(model, {"x": RNG.normal(size=(2, STEPS, F)).astype(np.float32)})
    assert (
        imported.spec
        == """\
# Imported from ONNX, opset 20.
netwright: 1
model: main_graph
dims: {N: batch}
inputs:
  x: {shape: [N, 5, 3]}
layers:
  - {name: cells_0, type: lstm, units: 4}
  - {name: lstm, type: lstm, units: 4, return_sequences: false}
outputs:
  lstm: lstm
"""
    )


def test_what_stands_in_the_loop_and_needs_no_state() -> None:
    """A dense layer for each step is one over the sequence."""

    def embedded(m: Any, x: Any, h: Any, c: Any) -> Any:
        h, c = _lstm(m, torch.relu(x @ m.e + m.eb), h, c)
        return h @ m.v + m.vb, h, c

    module = Written(embedded, w=(6, 16), r=(H, 16), b=(16,), e=(F, 6), eb=(6,), v=(H, 2), vb=(2,))
    assert imports(module) == (
        "  - {type: dense, units: 6, activation: relu}\n  - {type: lstm, units: 4}\n  - {type: dense, units: 2}\n"
    )


def test_cells_that_are_added_to_what_they_read() -> None:
    """A value that two read is one layer."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(5)
            self.a, self.b, self.i = nn.GRUCell(H, H), nn.GRUCell(H, H), nn.Linear(F, H)

        def forward(self, x: Any) -> Any:
            h = g = torch.zeros(x.shape[0], H)
            found = []
            for t in range(x.shape[1]):
                e = torch.tanh(self.i(x[:, t]))
                h = self.a(e, h)
                g = self.b(h + e, g)
                found.append(g + e)
            return torch.stack(found, 1)

    kinds = re.findall(r"type: (\w+)", imports(Residual()))
    assert kinds == ["dense", "gru", "add", "gru", "add"]


def _tied(m: Any, x: Any, h: Any) -> Any:
    """What it gives is multiplied with the matrix of its state."""
    h = torch.tanh(x @ m.w + h @ m.r)
    return h @ m.r, h


# Written by hand.


def _lstm(m: Any, x: Any, h: Any, c: Any) -> Any:
    i, f, g, o = (x @ m.w + h @ m.r + m.b).chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _plain(m: Any, x: Any, h: Any, c: Any) -> Any:
    h, c = _lstm(m, x, h, c)
    return h, h, c


def _joined(m: Any, x: Any, h: Any, c: Any) -> Any:
    """[h, x], sigmoids together, gates in another order, and 1 added for the forget gate."""
    gates = torch.cat([h, x], 1) @ m.k + m.b
    s, g = gates[:, :12].sigmoid(), gates[:, 12:].tanh()
    f = (gates[:, 4:8] + 1.0).sigmoid()
    c = s[:, :4] * g + c * f
    h = c.tanh() * s[:, 8:12]
    return h, h, c


def _apart(m: Any, x: Any, h: Any, c: Any) -> Any:
    """A matrix for each gate, and biases in some."""
    i, f = torch.sigmoid(x @ m.wi + h @ m.ri), torch.sigmoid(m.bf + h @ m.rf + x @ m.wf)
    g, o = torch.tanh(x @ m.wg + (h @ m.rg + m.bg)), torch.sigmoid(h @ m.ro + x @ m.wo)
    c = g * i + f * c
    h = o * torch.tanh(c)
    return h, h, c


def _peepholes(m: Any, x: Any, h: Any, c: Any) -> Any:
    i, f, g, o = (x @ m.w + h @ m.r + m.b).chunk(4, 1)
    c = (f + m.pf * c).sigmoid() * c + (i + c * m.pi).sigmoid() * g.tanh()
    h = (o + m.po * c).sigmoid() * c.tanh()
    return h, h, c


def _coupled(m: Any, x: Any, h: Any, c: Any) -> Any:
    i, g, o = (x @ m.w + h @ m.r + m.b).chunk(3, 1)
    i = i.sigmoid()
    c = (1 - i) * c + i * g.tanh()
    h = o.sigmoid() * c.tanh()
    return h, h, c


def _coupled_to_the_forget_gate(m: Any, x: Any, h: Any, c: Any) -> Any:
    f, g, o = (x @ m.w + h @ m.r + m.b).chunk(3, 1)
    f = f.sigmoid()
    c = f * c + (1 - f) * g.tanh()
    h = o.sigmoid() * c.tanh()
    return h, h, c


def _other_functions(m: Any, x: Any, h: Any, c: Any) -> Any:
    i, f, g, o = (x @ m.w + h @ m.r + m.b).chunk(4, 1)
    hard = nn.functional.hardsigmoid
    c = hard(f) * c + hard(i) * torch.relu(g)
    h = hard(o) * c
    return h, h, c


def _gru_of_the_paper(m: Any, x: Any, h: Any) -> Any:
    z, r = (x @ m.w + h @ m.r + m.b).sigmoid().chunk(2, 1)
    n = torch.tanh(x @ m.wn + (r * h) @ m.rn + m.bn)
    h = z * h + (1 - z) * n
    return h, h


def _gru_that_takes(m: Any, x: Any, h: Any) -> Any:
    """The gate says how much is new."""
    u, r = (x @ m.w + h @ m.r + m.b).sigmoid().chunk(2, 1)
    n = torch.tanh(torch.cat([x, r * h], 1) @ m.k)
    h = (1 - u) * h + u * n
    return h, h


def _gru_in_short(m: Any, x: Any, h: Any) -> Any:
    xz, xr, xn = (x @ m.w + m.b).chunk(3, 1)
    hz, hr, hn = (h @ m.r + m.b2).chunk(3, 1)
    n = (xn + (xr + hr).sigmoid() * hn).tanh()
    h = n + (xz + hz).sigmoid() * (h - n)
    return h, h


LSTM = {"w": (F, 16), "r": (H, 16), "b": (16,)}
THREE = {"w": (F, 12), "r": (H, 12), "b": (12,)}
APART = {f"w{g}": (F, H) for g in "ifgo"} | {f"r{g}": (H, H) for g in "ifgo"} | {"bf": (H,), "bg": (H,)}
PAPER = {"w": (F, 8), "r": (H, 8), "b": (8,), "wn": (F, H), "rn": (H, H), "bn": (H,), "k": (F + H, H)}


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("step", "states", "shapes", "keys"),
    [
        (_plain, 2, LSTM, "lstm, units: 4"),
        (_joined, 2, {"k": (F + H, 16), "b": (16,)}, "lstm, units: 4"),
        (_apart, 2, APART, "lstm, units: 4"),
        (_peepholes, 2, LSTM | {f"p{g}": (H,) for g in "ifo"}, "lstm, units: 4, peepholes: true"),
        (_coupled, 2, THREE, "lstm, units: 4, input_forget: true"),
        (_coupled_to_the_forget_gate, 2, THREE, "lstm, units: 4, input_forget: true"),
        (
            _other_functions,
            2,
            LSTM,
            "lstm, units: 4, recurrent_activation: hard_sigmoid, activation: relu, output_activation: linear",
        ),
        (_gru_of_the_paper, 1, PAPER, "gru, units: 4, reset_after: false"),
        (_gru_that_takes, 1, PAPER, "gru, units: 4, reset_after: false"),
        (_gru_in_short, 1, THREE | {"b2": (12,)}, "gru, units: 4"),
        (
            lambda m, x, h: [x @ m.w + h @ m.r] * 2,
            1,
            {"w": (F, H), "r": (H, H)},
            "rnn, units: 4, activation: linear, use_bias: false",
        ),
    ],
)
def test_equations_of_a_layer_are_the_layer(
    step: Step, states: int, shapes: dict[str, Sequence[int]], keys: str
) -> None:
    assert imports(Written(step, states, **shapes)) == f"  - {{type: {keys}}}\n"


@pytest.mark.parametrize("dynamo", [False, True])
def test_a_product_that_is_taken_out_of_the_loop(dynamo: bool) -> None:
    """The input times its kernel for all steps at once belongs to the recurrence. Here both exporters run."""

    def step(m: Any, x: Any, h: Any) -> Any:
        h = torch.tanh(x + h @ m.r)
        return h, h

    module = Written(step, 1, lambda m, x: x @ m.w + m.b, w=(F, H), r=(H, H), b=(H,))
    assert imports(module, dynamo=dynamo) == "  - {type: rnn, units: 4}\n"


# What no layer is.


def _normalized(m: Any, x: Any, h: Any, c: Any) -> Any:
    gates = nn.functional.layer_norm(x @ m.w, [16]) + nn.functional.layer_norm(h @ m.r, [16]) + m.b
    i, f, g, o = gates.chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * nn.functional.layer_norm(c, [4]).tanh()
    return h, h, c


def _one_matrix_twice(m: Any, x: Any, h: Any, c: Any) -> Any:
    """The gates i and o have one kernel, which training has to keep one."""
    s = (x @ m.w1 + h @ m.r1).sigmoid()
    f, g = (x @ m.w2 + h @ m.r2).chunk(2, 1)
    c = f.sigmoid() * c + s * g.tanh()
    h = s * c.tanh()
    return h, h, c


def _of_other_functions(m: Any, x: Any, h: Any, c: Any) -> Any:
    i, f, g, o = (x @ m.w + h @ m.r + m.b).chunk(4, 1)
    c = f.sigmoid() * c + i.tanh() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return h, h, c


def _scaled(m: Any, x: Any, h: Any, c: Any) -> Any:
    h, c = _lstm(m, x, h, c)
    return h, h, 0.5 * c


def _residual(m: Any, x: Any, h: Any) -> Any:
    h = h + torch.tanh(x @ m.w + h @ m.r)
    return h, h


def _without_reset(m: Any, x: Any, h: Any) -> Any:
    z, n = (x @ m.w + h @ m.r).chunk(2, 1)
    z = z.sigmoid()
    h = z * h + (1 - z) * n.tanh()
    return h, h


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("step", "states", "shapes"),
    [
        (_normalized, 2, LSTM),
        (_one_matrix_twice, 2, {"w1": (F, H), "r1": (H, H), "w2": (F, 8), "r2": (H, 8)}),
        (_of_other_functions, 2, LSTM),
        (_scaled, 2, LSTM),
        (_residual, 1, {"w": (F, H), "r": (H, H)}),
        (_tied, 1, {"w": (F, H), "r": (H, H)}),
        (_without_reset, 1, {"w": (F, 8), "r": (H, 8)}),
    ],
)
def test_other_equations_stay_a_cell(step: Step, states: int, shapes: dict[str, Sequence[int]]) -> None:
    found = imports(Written(step, states, **shapes))
    assert re.findall("type: (recurrent|lstm|gru|rnn)", found) == ["recurrent"]
