"""Cells called in a loop of Python, which exporters write out step by step: one recurrence again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from numpy.typing import NDArray
from onnx.helper import make_node

from netwright.cli import main
from netwright.onnx import ImportedModel, OnnxError, import_model

from .compared import built, compare
from .exports import Exports

RNG = np.random.default_rng(11)
F = np.float32
STEPS = 5


def draw(*shape: int) -> NDArray:
    return RNG.normal(size=shape).astype(F)


def recurrences(imported: ImportedModel) -> int:
    return len(re.findall("type: (recurrent|lstm|gru|rnn)", imported.spec))


# By hand: h = tanh(x[t]·W + h·R + b), for each of the steps.


def written_out(
    positions: Sequence[int] = range(STEPS),
    *,
    start: str = "zeros",
    stacked: bool = True,
    other: int | None = None,
    skipped: int | None = None,
    kernels: Sequence[str] = ("w",) * STEPS,
    duplicate: bool = False,
) -> onnx.ModelProto:
    """``other``: a step with another activation; ``skipped``: one that reads the state of the step before the last."""
    constants: dict[str, NDArray] = {name: draw(3, 4) for name in dict.fromkeys(kernels)}
    constants |= {"r": draw(4, 4), "b": draw(4), "zeros": np.zeros((2, 4), F)}
    constants |= {f"p{i}": np.asarray(i) for i in range(STEPS)} | {"axis": np.asarray([1])}
    nodes, states, rows = [], [start], []
    for t, position in enumerate(positions):
        nodes.append(make_node("Gather", ["x", f"p{position}"], [f"x{t}"], axis=1))
        before = states[-2] if t == skipped else states[-1]
        if duplicate:
            constants[f"r{t}"] = constants["r"].copy()
        nodes += [
            make_node("MatMul", [f"x{t}", kernels[t]], [f"i{t}"]),
            make_node("MatMul", [before, f"r{t}" if duplicate else "r"], [f"s{t}"]),
            make_node("Add", [f"i{t}", f"s{t}"], [f"a{t}"]),
            make_node("Add", [f"a{t}", "b"], [f"c{t}"]),
            make_node("Sigmoid" if t == other else "Tanh", [f"c{t}"], [f"h{t}"]),
            make_node("Unsqueeze", [f"h{t}", "axis"], [f"u{t}"]),
        ]
        states.append(f"h{t}")
        rows.append(f"u{t}")
    nodes.append(make_node("Concat", rows, ["all"], axis=1))
    inputs: dict[str, Any] = {"x": (F, [2, STEPS, 3])} | ({"h": (F, [2, 4])} if start == "h" else {})
    return built(nodes, inputs, ["all", states[-1]] if stacked else [states[-1]], constants)


def given(model: onnx.ModelProto) -> dict[str, NDArray]:
    return {
        port.name: draw(*(dim.dim_value or 2 for dim in port.type.tensor_type.shape.dim))
        for port in model.graph.input
    }


@pytest.mark.parametrize("start", ["zeros", "h"])
@pytest.mark.parametrize("stacked", [True, False])
def test_steps_that_are_written_out_become_one_layer(start: str, stacked: bool) -> None:
    model = written_out(start=start, stacked=stacked)
    imported = compare(model, given(model), given(model))
    assert recurrences(imported) == 1
    assert "gather" not in imported.spec


def test_weights_that_are_repeated_in_the_file_are_the_same() -> None:
    model = written_out(duplicate=True)
    assert recurrences(compare(model, given(model))) == 1


def test_steps_from_the_last_to_the_first() -> None:
    model = written_out(range(STEPS)[::-1])
    imported = compare(model, given(model))
    assert recurrences(imported) == 1
    assert "reverse: true" in imported.spec


def test_steps_over_a_part_of_the_sequence() -> None:
    model = written_out([1, 2, 3, 4])
    assert recurrences(compare(model, given(model))) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"other": 2},
        {"skipped": 3},
        {"positions": [0, 1, 3, 2, 4]},
        {"positions": [0, 2, 4]},
        {"kernels": ["w", "w", "v", "w", "w"]},
        {"kernels": ["w", "w", "w", "w", "v"]},
    ],
)
def test_steps_that_differ_stay_as_they_are(change: dict[str, Any]) -> None:
    model = written_out(**change)
    assert recurrences(compare(model, given(model))) == 0


def test_a_last_step_of_its_own() -> None:
    """What is the same in all steps may be a recurrence, what is not stays beside it."""
    model = written_out(other=STEPS - 1)
    compare(model, given(model), given(model))


def test_what_only_some_steps_give() -> None:
    """The values of single steps, read by whoever wants them."""
    model = written_out()
    del model.graph.output[:]
    model.graph.node.append(make_node("Sub", ["h1", "h3"], ["difference"]))
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in ("difference", "h2", "all"))
    assert recurrences(compare(model, given(model))) == 1


# What is said where steps stay as they are.


def with_sums() -> onnx.ModelProto:
    """Steps with an operator that no cell has."""
    model = written_out()
    constants = {"last": np.asarray(1)}
    for node in model.graph.node:
        if node.op_type == "Tanh":
            (name,) = node.output
            node.output[0] = f"{name} before"
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        if node.op_type == "Tanh":
            nodes.append(make_node("CumSum", [node.output[0], "last"], [node.output[0].split()[0]]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(v, n) for n, v in constants.items())
    return model


def test_steps_that_no_cell_can_have_are_written_out_which_is_said(tmp_path: Path) -> None:
    model = with_sums()
    imported = compare(model, given(model))
    assert recurrences(imported) == 0
    (note,) = imported.notes
    assert re.fullmatch(
        r"node of .*: its 5 steps are written out: .*\(CumSum\): .*not supported in a loop", note
    )
    onnx.save(model, tmp_path / "m.onnx")
    for spec, aside in (("m.yaml", False), ("-", True)):
        arguments = ["import", str(tmp_path / "m.onnx"), "-o", spec, "--weights", str(tmp_path / "w")]
        arguments[3] = spec if aside else str(tmp_path / spec)
        done = CliRunner().invoke(main, arguments)
        assert f"note: {note}" in (done.stderr if aside else done.stdout)
        assert not aside or "note: " not in done.stdout


def test_a_recurrence_that_can_be_imported_as_it_is_written_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As steps that are too many to be written out once more."""
    monkeypatch.setattr("netwright.onnx.loops.unrolling.MOST", 10)
    model = with_sums()
    (note,) = compare(model, given(model)).notes
    assert note.startswith("what the model has written out step by step stays so: ")
    assert note.endswith("5 steps of 7 nodes are too many to unroll")


def test_parts_that_are_not_valid_are_told_of_as_such() -> None:
    model = built(
        [
            make_node("Slice", ["x"], ["cut"], starts="1", ends="2", axes=[1]),
            make_node("Squeeze", ["cut"], ["part"], axes=[1]),
            make_node("Relu", ["part"], ["y"]),
        ],
        {"x": (F, [2, 3])},
        ["y"],
        opset=9,
    )
    with pytest.raises(OnnxError, match="attribute ends: is of another type than INTS"):
        import_model(model)


# As PyTorch's exporters write them.

torch = pytest.importorskip("torch", reason="torch is not installed (pip install torch)")
nn = torch.nn


class Cells(nn.Module):
    """Cells, one upon the other, over the steps of [N, T, 3]."""

    def __init__(
        self, kind: str, layers: int = 1, *, result: str = "stack", given: bool = False, way: str = "index"
    ):
        super().__init__()
        cell = getattr(nn, f"{kind}Cell")
        self.cells = nn.ModuleList([cell(3 if i == 0 else 4, 4) for i in range(layers)])
        self.head = nn.Linear(4, 2)
        self.kind, self.result, self.given, self.way = kind, result, given, way

    def steps(self, x: Any) -> Any:
        if self.way == "unbind":
            return x.unbind(1)
        return (
            [x[:, t] for t in range(STEPS)] if self.way == "index" else [c.squeeze(1) for c in x.split(1, 1)]
        )

    def forward(self, x: Any, h: Any = None) -> Any:
        def start() -> Any:
            one = h if self.given else x.new_zeros(x.shape[0], 4)
            return (one, one) if self.kind == "LSTM" else one

        states = [start() for _ in self.cells]
        found = []
        for value in self.steps(x):
            for i, cell in enumerate(self.cells):
                states[i] = cell(value, states[i])
                value = states[i][0] if self.kind == "LSTM" else states[i]
            found.append(value)
        return self.head(found[-1]) if self.result == "last" else self.head(torch.stack(found, 1))


class Both(nn.Module):
    """A cell forwards, and one backwards."""

    def __init__(self) -> None:
        super().__init__()
        self.there, self.back = nn.GRUCell(3, 4), nn.GRUCell(3, 4)

    def forward(self, x: Any) -> Any:
        h = g = x.new_zeros(x.shape[0], 4)
        first, second = [], []
        for t in range(STEPS):
            h, g = self.there(x[:, t], h), self.back(x[:, STEPS - 1 - t], g)
            first.append(h)
            second.insert(0, g)
        return torch.cat([torch.stack(first, 1), torch.stack(second, 1)], -1)


class Convolving(nn.Module):
    """A state that is an image."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 + 4, 16, 3, padding=1)

    def forward(self, x: Any) -> Any:
        h = c = x.new_zeros(x.shape[0], 4, *x.shape[3:])
        for t in range(STEPS):
            i, f, g, o = self.gates(torch.cat([x[:, t], h], 1)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return h


EXPORTERS = pytest.mark.parametrize("dynamo", [False, True])


@pytest.mark.alike(2)
@EXPORTERS
@pytest.mark.parametrize(
    ("kind", "layers", "options"),
    [
        ("LSTM", 1, {}),
        ("LSTM", 2, {}),
        ("LSTM", 1, {"result": "last"}),
        ("LSTM", 1, {"given": True, "way": "unbind"}),
        ("GRU", 1, {"result": "last"}),
        ("GRU", 2, {"given": True}),
        ("RNN", 1, {"way": "split"}),
    ],
)
def test_cells_of_pytorch(
    kind: str, layers: int, options: dict[str, Any], dynamo: bool, exported: Exports
) -> None:
    torch.manual_seed(2)
    module = Cells(kind, layers, **options)
    operands = [torch.randn(2, STEPS, 3)] + ([torch.randn(2, 4)] if module.given else [])
    model = exported(module, *operands, dynamo=dynamo)
    bindings = []
    for samples in (2, 3):
        bindings.append({"x": draw(samples, STEPS, 3)} | ({"h": draw(samples, 4)} if module.given else {}))
    imported = compare(model, *bindings)
    assert imported.spec.count(f"type: {kind.lower()}") == recurrences(imported) == layers
    assert imported.spec.count("\n") < 25


@EXPORTERS
@pytest.mark.parametrize(("module", "shape", "count"), [(Both, (3,), 2), (Convolving, (2, 5, 4), 1)])
def test_other_loops_of_pytorch(
    module: Any, shape: tuple[int, ...], count: int, dynamo: bool, exported: Exports
) -> None:
    torch.manual_seed(2)
    model = exported(module(), torch.randn(2, STEPS, *shape), dynamo=dynamo)
    imported = compare(model, {"x": draw(2, STEPS, *shape)}, {"x": draw(3, STEPS, *shape)})
    assert recurrences(imported) == count


class OneStep(nn.Module):
    """A recurrence over sequences of one step, in a loop."""

    def __init__(self, kind: str):
        super().__init__()
        self.cell, self.pair = getattr(nn, kind)(3, 4), kind == "LSTM"

    def forward(self, x: Any) -> Any:
        zeros = torch.zeros(1, x.shape[0], 4)
        state = (zeros, zeros) if self.pair else zeros
        found = []
        for t in range(STEPS):
            y, state = self.cell(x[:, t].unsqueeze(0), state)
            found.append(y)
        return torch.cat(found)


class Layers(nn.Module):
    """A plain recurrence, which one exporter takes apart."""

    def __init__(self, **options: Any):
        super().__init__()
        self.cell = nn.RNN(3, 4, batch_first=True, **options)

    def forward(self, x: Any) -> Any:
        return self.cell(x)


@pytest.mark.alike(2)
@EXPORTERS
@pytest.mark.parametrize(
    ("make", "kind", "count"),
    [
        (lambda: OneStep("LSTM"), "lstm", 1),
        (lambda: OneStep("GRU"), "gru", 1),
        (Layers, "rnn", 1),
        (lambda: Layers(num_layers=2), "rnn", 2),
        (lambda: Layers(bidirectional=True, nonlinearity="relu"), "rnn", 2),
    ],
)
def test_states_with_an_axis_before_the_samples(
    make: Any, kind: str, count: int, dynamo: bool, exported: Exports
) -> None:
    torch.manual_seed(2)
    model = exported(make(), torch.randn(2, STEPS, 3), dynamo=dynamo)
    imported = compare(model, {"x": draw(2, STEPS, 3)}, {"x": draw(3, STEPS, 3)})
    both = imported.spec.count("bidirectional: true")
    assert imported.spec.count(f"type: {kind}, ") + both == count
    assert not imported.notes
