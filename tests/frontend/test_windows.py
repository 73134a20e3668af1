"""Truncated backpropagation: refused on every route on which one value stands for a whole sequence."""

import pytest

from netwright.compiler.frontend.build import build_network
from netwright.specs.load import load_spec_text

SPEC = """\
netwright: 1
model: m
dims: {{N: batch, T: {{role: time, min: 3}}, S: {{role: time, min: 3}}}}
inputs: {{x: {{shape: [N, T, 4]}}{inputs}}}
layers:
{layers}
outputs: {{y: {output}}}
train:
  data: {{train: t.npz}}
  loss: {{type: mse, output: y, target: t}}
  bptt: {{window: 5}}
"""
RNN = "{name: a, type: rnn, inputs: [x], units: 4}"
LAST = "{name: a, type: rnn, inputs: [x], units: 4, return_sequences: false}"
DECODER = "{name: d, type: gru, inputs: [z], units: 4, initial_state: a.state}"
REFUSED = {
    "return_sequences": ([LAST], "a"),
    "both directions": ([LAST.replace("rnn", "gru, bidirectional: true")], "a"),
    "stacked": ([LAST.replace("rnn", "gru, layers: 2")], "a"),
    "a head after it": ([LAST, "{name: h, type: dense, units: 2}"], "h"),
    "state": ([RNN], "a.state"),
    "state of a cell": ([RNN.replace("rnn", "lstm")], "a.c"),
    "mean pool": ([RNN, "{name: h, type: global_mean_pool}"], "h"),
    "max pool": ([RNN, "{name: h, type: global_max_pool}"], "h"),
    "reduction": ([RNN, "{name: h, type: reduce, op: sum, axes: [1]}"], "h"),
    "kept axis": ([RNN, "{name: h, type: reduce, op: max, axes: [1], keepdims: true}"], "h"),
    "slice": ([RNN, "{name: h, type: slice, axes: [1], starts: [-1], stops: [9999]}"], "h"),
    "gather": ([RNN, "{name: h, type: gather, axis: 1, indices: [0]}"], "h"),
    "fewer steps": ([RNN, "{name: h, type: max_pool1d, pool_size: 2}"], "h"),
    "attention to all steps": (
        ["{name: q, type: dense, inputs: [w], units: 4}", RNN, "{name: h, type: attention, inputs: [q, a]}"],
        "h",
    ),
    "encoder and decoder": ([RNN, DECODER], "d"),
    "a final state in every step": (
        [
            RNN.replace("rnn", "lstm"),
            "{name: g, type: reshape, inputs: [a.c], shape: [N, 1, 4]}",
            "{name: h, type: expression, inputs: [a, g], value: a + g}",
        ],
        "h",
    ),
    "a final state repeated": (
        [
            LAST,
            "{name: g, type: reshape, shape: [N, 1, 4]}",
            "{name: h, type: expression, inputs: [x, g], value: x * g}",
        ],
        "h",
    ),
    "a mean subtracted": (
        [
            RNN,
            "{name: g, type: reduce, op: mean, axes: [1], keepdims: true}",
            "{name: h, type: expression, inputs: [a, g], value: a - g}",
        ],
        "h",
    ),
    "statistics over time": ([RNN, "{name: h, type: instance_norm}"], "h"),
    "loops inside of steps": (
        [
            "{name: s, type: time_distributed, inputs: [v], layer: {type: rnn, units: 3, return_sequences: false}}",
            "{name: h, type: global_mean_pool}",
        ],
        "h",
    ),
}
ALLOWED = {
    "all steps": ([RNN], "a"),
    "all states": ([RNN.replace("rnn", "lstm")], "a.c_all"),
    "per step": ([RNN, "{name: h, type: dense, units: 2}", "{name: n, type: layer_norm}"], "n"),
    "both directions": ([RNN.replace("rnn", "gru, bidirectional: true")], "a"),
    "same steps": ([RNN, "{name: h, type: conv1d, filters: 3, kernel_size: 3, padding: same}"], "h"),
    "attention of steps": ([RNN, "{name: h, type: attention}"], "h"),
    "loops inside of steps": (
        [
            "{name: s, type: time_distributed, inputs: [v], layer: {type: rnn, units: 3, return_sequences: false}}"
        ],
        "s",
    ),
}


def _errors(layers: list[str], output: str) -> list[str]:
    """The codes of a spec's errors, with the lines they stand on."""
    inputs = "".join(
        f", {name}: {{shape: {shape}}}"
        for name, shape in (("z", "[N, S, 3]"), ("w", "[N, 2, 4]"), ("v", "[N, T, 6, 3]"))
        if any(f"[{name}]" in layer for layer in layers)
    )
    text = SPEC.format(inputs=inputs, layers="\n".join(f"  - {layer}" for layer in layers), output=output)
    _, diagnostics = build_network(load_spec_text(text, "spec.yaml"))
    return [f"{one.code} {text.splitlines()[one.span.line - 1].strip()}" for one in diagnostics.errors]


@pytest.mark.parametrize("route", REFUSED)
def test_one_value_for_the_whole_sequence_is_refused(route: str) -> None:
    assert _errors(*REFUSED[route]) == ["NW0408 bptt: {window: 5}"]


@pytest.mark.parametrize("route", ALLOWED)
def test_a_value_for_each_step_is_not(route: str) -> None:
    assert _errors(*ALLOWED[route]) == []


@pytest.mark.parametrize(
    ("dim", "window", "said"),
    [
        ("{role: time, min: 6}", 5, "windows of 5 steps, but T is at least 6"),
        ("{role: time, multiple_of: 4}", 6, "windows of 6 steps, but T is at least 4 and a multiple of 4"),
        ("{role: time, multiple_of: 4}", 3, "windows of 3 steps, but T is at least 4 and a multiple of 4"),
    ],
)
def test_windows_have_sizes_that_the_axis_can_have(dim: str, window: int, said: str) -> None:
    """Each step of training failed, and validation said nothing."""
    text = SPEC.format(inputs="", layers=f"  - {RNN}", output="a").replace("window: 5", f"window: {window}")
    text = text.replace("T: {role: time, min: 3}", f"T: {dim}")
    _, diagnostics = build_network(load_spec_text(text, "spec.yaml"))
    assert [(one.code, one.message) for one in diagnostics.errors] == [("NW0408", said)]
    (fix,) = diagnostics.errors[0].fixes
    assert fix.edits[0].text == str(-(-window // 4) * 4 if "multiple" in dim else 6)


def test_steps_that_come_in_multiples_are_cut_into_multiples() -> None:
    """Its units were taken for another axis."""
    text = SPEC.format(inputs="", layers=f"  - {RNN}", output="a").replace("window: 5", "window: 8")
    network, diagnostics = build_network(
        load_spec_text(text.replace("min: 3", "multiple_of: 4"), "spec.yaml")
    )
    assert network is not None, diagnostics.to_text()


def test_windows_longer_than_any_sequence_cut_none() -> None:
    text = SPEC.format(inputs="", layers=f"  - {RNN}", output="a")
    network, _ = build_network(load_spec_text(text.replace("min: 3", "min: 3, max: 4", 1), "spec.yaml"))
    assert network is not None
