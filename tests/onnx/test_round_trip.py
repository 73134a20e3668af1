"""Spec to ONNX to spec gives the same graph up to names (`same.py` says what that means), and the same numbers."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import netwright
from netwright.onnx import export_model, import_model
from netwright.onnx.files import check
from netwright.specs.load import load_spec_text
from netwright.templates import TEMPLATES, template

from ..slices import sliced
from .models import agrees, onnxruntime_outputs
from .same import canonical
from .test_export import compare

PROJECT = Path(__file__).parents[2]
#: Constants, such as the tables of a spectrogram, come back as weights, and a mean of valid steps broadcasts before it
#: casts: their graphs are others.
EXAMPLES = [
    path
    for path in sorted((PROJECT / "examples").glob("*/*.yaml"))
    if "log_mel" not in path.read_text(encoding="utf-8")
    and (path.parent.name, path.stem) != ("topic", "lstm")
]


def check_round_trip(model: netwright.Model) -> str:
    """Exports, compares with ONNX Runtime, imports, compares the graphs; gives the imported spec."""
    assert model.is_valid, model.diagnostics.to_text()
    text = import_model(compare(model), name=model.name).spec
    assert canonical(check(text).network.graphs["predict"]) == canonical(model.network.graphs["predict"]), (
        text
    )
    return text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_examples_come_back(path: Path) -> None:
    check_round_trip(netwright.load(path))


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_come_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(template(name, "m").encode())
    check_round_trip(netwright.load(path))


SPEC = """netwright: 1
model: m
dims: {{N: batch, T: time}}
inputs:
  x: {{shape: [N, T, 3]{lengths}}}
  len: {{shape: [N], dtype: int64}}
  start: {{shape: [N, {width}]}}
{cells}layers:
  - {layer}
  - {{name: head, type: dense, inputs: [r], units: 2}}
  - {{name: used, type: add, inputs: [start, start]}}
  - {{name: read, type: expression, inputs: {{a: len}}, value: "cast(a, float32)"}}
outputs: {{y: head, used: used, read: read{states}}}
"""


def spec(layer: str, cells: str = "", lengths: bool = False, states: str = "", width: int = 4) -> str:
    """A recurrent layer `r` under a dense one."""
    return SPEC.format(
        layer=layer,
        cells=cells,
        lengths=", lengths: len" if lengths else "",
        states="".join(f", {one}: r.{one}" for one in states.split()),
        width=width,
    )


LAYERS = {
    "lstm": ("{name: r, type: lstm, units: 4, inputs: [x]}", False, "h c", 4),
    "lstm_learned": ("{name: r, type: lstm, units: 4, inputs: [x], initial_state: learned}", False, "c", 4),
    "lstm_mixed": (
        "{name: r, type: lstm, units: 4, inputs: [x], initial_state: {h: start, c: learned}}",
        True,
        "h",
        4,
    ),
    "lstm_peepholes": (
        "{name: r, type: lstm, units: 4, inputs: [x], peepholes: true, reverse: true, clip: 2}",
        False,
        "",
        4,
    ),
    "gru_both_given": (
        "{name: r, type: gru, units: 2, inputs: [x], bidirectional: true, initial_state: start}",
        False,
        "h",
        4,
    ),
    "gru_both_learned": (
        "{name: r, type: gru, units: 2, inputs: [x], bidirectional: true, initial_state: learned}",
        True,
        "h",
        4,
    ),
    "gru_before": (
        "{name: r, type: gru, units: 4, inputs: [x], reset_after: false, return_sequences: false}",
        True,
        "",
        4,
    ),
    "rnn_lengths": (
        "{name: r, type: rnn, units: 4, inputs: [x], reverse: true, lengths: len}",
        False,
        "h",
        4,
    ),
    "rnn_gelu": ("{name: r, type: rnn, units: 4, inputs: [x], activation: gelu}", True, "h", 4),
    "lstm_all_states": ("{name: r, type: lstm, units: 4, inputs: [x]}", False, "c_all h", 4),
}


@pytest.mark.parametrize(("layer", "lengths", "states", "width"), LAYERS.values(), ids=LAYERS.keys())
def test_recurrences_come_back(layer: str, lengths: bool, states: str, width: int, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(spec(layer, "", lengths, states, width))
    text = check_round_trip(netwright.load(tmp_path / "m.yaml"))
    known = "gelu" not in layer
    assert ("type: recurrent" in text) != known


def test_a_scan_of_an_image_comes_back(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        """netwright: 1
model: m
dims: {N: batch}
inputs: {x: {shape: [N, 9, 8, 2]}}
layers:
  - name: scan
    type: scan_window
    window: [3, 4]
    stride: [2, 1]
    combine: softmax
    layers:
      - {name: flat, type: flatten}
      - {name: hidden, type: dense, units: 5, activation: tanh}
      - {name: score, type: dense, units: 3}
outputs: {y: scan}
"""
    )
    text = check_round_trip(netwright.load(tmp_path / "m.yaml"))
    assert "type: windows, window: [3, 4], stride: [2, 1]" in text


def test_an_activation_of_windows_of_one_cell_comes_back(tmp_path: Path) -> None:
    """What extracts the windows is a convolution, which takes over an activation behind it and stays one."""
    (tmp_path / "m.yaml").write_text(
        """netwright: 1
model: m
inputs: {x: {shape: [1, 2, 1]}}
layers:
  - name: scan
    type: scan_window
    window: 1
    layers:
      - {name: act, type: sigmoid}
      - {name: flat, type: global_max_pool}
      - {name: score, type: dense, units: 1}
outputs: {y: scan}
"""
    )
    agrees(compare(netwright.load(tmp_path / "m.yaml")), {"x": (1, 2, 1)})


CELLS = {
    "state_space": """
    args: {H: int, O: int}
    input: {x: [F]}
    states: {h: {shape: [H]}}
    params: {A: {shape: [H, H]}, B: {shape: [F, H]}, b: {shape: [H]}, C: {shape: [H, O]}}
    update: {h: prev(h) @ A + tanh(x @ B + b)}
    output: h @ C""",
    "two_states": """
    args: {H: int, O: int}
    input: {x: [F]}
    states: {h: {shape: [H]}, slow: {shape: [H]}}
    params: {A: {shape: [H, H]}, B: {shape: [F, H]}}
    update:
      - slow: 0.9 * prev(slow) + 0.1 * prev(h)
      - h: relu(prev(h) @ A + x @ B + slow) - 0.5
    output: h * slow""",
    "learned": """
    args: {H: int, O: int}
    input: {x: [F]}
    states: {h: {shape: [H], learn_init: true}, k: {shape: [O], init: {type: constant, value: 0.5}}}
    params: {A: {shape: [H, H]}, B: {shape: [F, H]}, C: {shape: [H, O]}}
    update:
      - a, b = split(x @ B, 2)
      - h = tanh(prev(h) @ A + concat(b, a))
      - k = prev(k) * sigmoid(h @ C)
    output: concat(h, k)""",
    "matrix": """
    args: {H: int, O: int}
    input: {x: [F]}
    states: {M: {shape: [H, F]}}
    params: {W: {shape: [H, F]}, q: {shape: [F]}}
    update: {M: 0.5 * prev(M) + transpose(transpose(W * x) * softmax(W @ x))}
    output: M @ q + sum(M) + max(M, axis=1)""",
    "choice": """
    args: {H: int, O: int}
    input: {x: [F]}
    states: {h: {shape: [H]}}
    params: {B: {shape: [F, H]}}
    update:
      - u = x @ B
      - h = where(logical_or(u > 1, logical_and(u > 0, u != prev(h))), clip(u, -1, 1), mean(u) - prev(h) ** 2)
    output: where(h < 0, exp(h), elu(h, 0.5))""",
    "previous_output": """
    args: {H: int, O: int}
    input: {x: [F]}
    params: {B: {shape: [F, H]}, R: {shape: [H, H]}}
    output: {value: tanh(x @ B - sigmoid(prev(output) @ R)), shape: [H]}""",
}


@pytest.mark.parametrize("lengths", [False, True], ids=["whole", "lengths"])
@pytest.mark.parametrize("name", CELLS)
def test_cells_come_back(name: str, lengths: bool, tmp_path: Path) -> None:
    cells = f"cells:\n  {name}:{CELLS[name]}\n"
    backward = "true" if lengths else "false"
    layer = (
        f"{{name: r, type: recurrent, cell: {name}, with: {{H: 4, O: 2}}, inputs: [x], reverse: {backward}}}"
    )
    (tmp_path / "m.yaml").write_text(
        spec(layer, cells, lengths, "" if name == "previous_output" else "state")
    )
    text = check_round_trip(netwright.load(tmp_path / "m.yaml"))
    assert "cell: " in text


KNOWN = {
    "rnn": ("h", "tanh(x @ B + b + prev(h) @ R)", "h", "{name: state, type: rnn, inputs: [x], units: 4}"),
    "rnn under a dense layer": (
        "h",
        "relu(prev(h) @ R + x @ B + b)",
        "sigmoid(h @ C + c)",
        "{name: state, type: rnn, inputs: [x], units: 4, activation: relu}",
    ),
    "one step behind": ("", "", "{value: tanh(x @ B + b + prev(output) @ R), shape: [4]}", "type: rnn"),
}


@pytest.mark.parametrize("lengths", [False, True], ids=["whole", "lengths"])
@pytest.mark.parametrize("name", KNOWN)
def test_cells_that_layers_have_come_back_as_these(name: str, lengths: bool) -> None:
    """A layer upon the states is one of its own, but for sequences with lengths: past the end there is nothing then."""
    state, update, output, layer = KNOWN[name]
    cell = f"""
    input: {{x: [3]}}
    states: {{{f"{state}: {{shape: [4]}}" if state else ""}}}
    params: {{B: {{shape: [3, 4]}}, R: {{shape: [4, 4]}}, b: {{shape: [4]}}, C: {{shape: [4, 2]}}, c: {{shape: [2]}}}}
    update: {{{f"{state}: {update}" if state else ""}}}
    output: {output}"""
    recurrent = "{name: r, type: recurrent, cell: c, inputs: [x]}"
    text = spec(recurrent, f"cells:\n  c:{cell}\n", lengths, "state" if state else "")
    model = netwright.Model(load_spec_text(text, "m.yaml"))
    exported = compare(model)
    imported = import_model(exported, name="m")
    if lengths and "dense" in name:
        assert "type: recurrent" in imported.spec
    else:
        assert layer in imported.spec.replace(", lengths: len", "")
    again = check(imported.spec).compile(dict(imported.weights), entries=["predict"], threads=1)
    rng = np.random.default_rng(1)
    given = {
        "x": rng.normal(size=(3, 5, 3)).astype(np.float32),
        "len": np.asarray([2, 5, 0] if lengths else [5, 5, 5]),
        "start": rng.normal(size=(3, 4)).astype(np.float32),
    }
    wanted = onnxruntime_outputs(exported, given)
    for port, value in zip(exported.graph.output, wanted, strict=True):
        found = again.predict(**given)[imported.outputs[port.name]]
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("batch", "lengths"), [(1, False), (3, False), (3, True)])
def test_a_cell_repeats_for_so_many_samples_what_is_the_same_for_all(batch: int, lengths: bool) -> None:
    """The number of samples, which is fixed, is not taken for an axis of each."""
    cell = """
    args: {H: int}
    input: {x: [F]}
    states: {h: {shape: [H]}}
    params: {b: {shape: [H]}, U: {shape: [F, H]}}
    update: {h: tanh(b)}
    output: concat(h, x @ U + min(h))"""
    text = spec(
        "{name: r, type: recurrent, cell: c, with: {H: 4}, inputs: [x]}", f"cells:\n  c:{cell}\n", lengths
    )
    text = text.replace("N: batch, ", "").replace("[N", f"[{batch}")
    assert "min(h)" in check_round_trip(netwright.Model(load_spec_text(text, "m.yaml")))


def test_a_cell_compares_with_a_truth_value_that_is_known() -> None:
    """The remainder has the sign of the divisor, here a number: whether it is negative is known."""
    cell = """
    input: {x: [F]}
    states: {h: {shape: [F]}}
    update: {h: "mod(prev(h) + x, 2) + mod(x, -0.5)"}
    output: h"""
    text = spec("{name: r, type: recurrent, cell: c, inputs: [x]}", f"cells:\n  c:{cell}\n")
    assert "type: recurrent" in import_model(compare(netwright.Model(load_spec_text(text, "m.yaml")))).spec


def test_a_cell_comes_back_readable(tmp_path: Path) -> None:
    cells = f"cells:\n  two:{CELLS['two_states']}\n"
    layer = "{name: memory, type: recurrent, cell: two, with: {H: 4, O: 2}, inputs: [x]}"
    (tmp_path / "m.yaml").write_text(spec(layer, cells).replace("[r]", "[memory]"))
    text = check_round_trip(netwright.load(tmp_path / "m.yaml"))
    cell = """cells:
  memory:
    input: {x: [3]}
    states:
      h: {shape: [4]}
      slow: {shape: [4]}
    params:
      A: {shape: [4, 4]}
      B: {shape: [3, 4]}
    update:
      - slow = 0.9 * prev(slow) + 0.1 * prev(h)
      - h = relu(prev(h) @ A + x @ B + slow) - 0.5
    output: h * slow
layers:
  - {name: memory, type: recurrent, inputs: [x], cell: memory}
"""
    assert cell in text


KINDS = ("rnn", "gru", "lstm")
DIRECTIONS = ("", "reverse: true, ", "bidirectional: true, ")
STARTS = ("learned", "{h: start}")


def in_turn(kind: str, direction: str, start: str) -> bool:
    """Every kind in each direction, with one start or the other."""
    return (KINDS.index(kind) + DIRECTIONS.index(direction) + STARTS.index(start)) % 2 == 0


@pytest.mark.alike(2)
@pytest.mark.parametrize(("kind", "direction", "start"), sliced(product(KINDS, DIRECTIONS, STARTS), in_turn))
def test_sequences_without_steps_keep_their_first_state(
    kind: str, direction: str, start: str, tmp_path: Path
) -> None:
    """ONNX Runtime gives zeros there."""
    width = 8 if "bi" in direction else 4
    layer = f"{{name: r, type: {kind}, units: 4, inputs: [x], {direction}initial_state: {start}}}"
    states = "h c" if kind == "lstm" else "h"
    (tmp_path / "m.yaml").write_text(spec(layer, "", True, states, width))
    found = netwright.load(tmp_path / "m.yaml")
    check_round_trip(found)
    generator = np.random.default_rng(1)
    weights = {
        name: generator.normal(size=array.shape).astype(array.dtype)
        for name, array in found.compile(engine="reference", entries=["predict"]).weights.items()
    }
    proto = export_model(found, weights).proto
    program = found.compile(weights, entries=["predict"])
    given = {
        "x": generator.normal(size=(4, 3, 3)).astype(np.float32),
        "len": np.asarray([0, 3, 0, 1]),
        "start": generator.normal(size=(4, width)).astype(np.float32),
    }
    results = program.predict(**given)
    names = [one.name for one in proto.graph.output]
    wanted = dict(zip(names, onnxruntime_outputs(proto, given), strict=True))
    for name, array in wanted.items():
        np.testing.assert_allclose(results[name], array, atol=1e-5)
    assert results["h"][0].any()
    again = import_model(proto)
    program = check(again.spec).compile(dict(again.weights), entries=["predict"])
    own = program.predict(**{again.inputs[name]: array for name, array in given.items()})
    for name, array in wanted.items():
        np.testing.assert_allclose(own[again.outputs[name]], array, atol=1e-5)
