"""Exports rnn, lstm and gru as ONNX's operators of that name, one for each stacked layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.graph.node import Value
from netwright.specs.models.activations import (
    ActivationSpec,
    Affine,
    Elu,
    HardSigmoid,
    LeakyRelu,
    Linear,
    Relu,
    ScaledTanh,
    Sigmoid,
    Softplus,
    Softsign,
    Tanh,
    ThresholdedRelu,
)
from netwright.specs.models.layers.recurrent import LENGTHS, GatedLayer, Gru, Lstm, Rnn

from .context import Exporter
from .layers import Inputs, Ports
from .writer import element_type

#: For each of ONNX's gates its position among ours: i, f, g, o become i, o, f, c; z, r, n stay.
_GATES = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "rnn": (0,)}
#: Activations: ONNX's name, and the fields (or numbers) that become alpha and beta.
_ACTIVATIONS: dict[type[ActivationSpec], tuple[str, dict[str, str | float]]] = {
    Tanh: ("Tanh", {}),
    Relu: ("Relu", {}),
    Sigmoid: ("Sigmoid", {}),
    Softplus: ("Softplus", {}),
    Softsign: ("Softsign", {}),
    Linear: ("Affine", {"alpha": 1.0, "beta": 0.0}),
    Affine: ("Affine", {"alpha": "alpha", "beta": "beta"}),
    LeakyRelu: ("LeakyRelu", {"alpha": "negative_slope"}),
    ThresholdedRelu: ("ThresholdedRelu", {"alpha": "theta"}),
    ScaledTanh: ("ScaledTanh", {"alpha": "alpha", "beta": "beta"}),
    HardSigmoid: ("HardSigmoid", {"alpha": "alpha", "beta": "beta"}),
    Elu: ("Elu", {"alpha": "alpha"}),
}


def export_gated(e: Exporter, spec: GatedLayer, inputs: Inputs, ports: Ports) -> bool:
    """Transposes sequences: [N, T, F] here is [T, N, F] in ONNX."""
    if not _plain(spec) or any(port.endswith("_all") for port in ports):
        return False
    w, both = e.writer, spec.bidirectional
    x = w.add("Transpose", [e.last(inputs[0])], perm=[1, 0, 2])
    sequence, last = "", ["", ""]
    starts: list[str] = []
    lengths = ports.get(f"initial {LENGTHS}")
    lengths = "" if lengths is None else w.add("Cast", [e.last(lengths)], to=element_type("int32"))
    states = 2 if isinstance(spec, Lstm) else 1
    wanted = [port for port in ports if port in ("", "h", "c", "state")]
    for layer in range(spec.layers):
        top = layer == spec.layers - 1
        prefix = f"{layer}." if spec.layers > 1 else ""
        prefixes = [f"{prefix}forward.", f"{prefix}backward."] if both else [prefix]
        operands = [x, *_weights(e, spec, prefixes), lengths]
        names = ("h", "c")[:states]
        starts = [_start(e, inputs[0], spec, ports.get(f"initial {name}"), name, prefixes) for name in names]
        if any(starts):
            operands += [start or _zeros(e, inputs[0], spec) for start in starts]
        if isinstance(spec, Lstm) and spec.peepholes:
            operands += [""] * (7 - len(operands)) + [_peepholes(e, spec, prefixes)]
        while operands and not operands[-1]:
            operands.pop()
        flags = [not top or spec.return_sequences, *[top and len(wanted) > 0] * states]
        results = w.add_many(type(spec).__name__.upper(), operands, flags, **_attributes(spec))
        results += [""] * (1 + states - len(results))
        sequence, last[:states] = results[0], results[1:]
        if sequence:  # [T, directions, N, H]
            if both:
                x = w.add("Transpose", [sequence], perm=[0, 2, 1, 3])
                x = w.add("Reshape", [x, w.constant([0, 0, -1], "int64")])
            else:
                x = w.add("Squeeze", [sequence, w.constant([1], "int64")])
    for port in wanted:
        if port == "" and spec.return_sequences:
            e.give(ports[port], w.add("Transpose", [x], perm=[1, 0, 2]))
            continue
        state = last[1] if port == "c" else last[0]
        if lengths and (start := starts[1 if port == "c" else 0]):
            state = _kept(e, lengths, start, state)
        if both:  # [directions, N, H]
            moved = w.add("Transpose", [state], perm=[1, 0, 2])
            e.give(ports[port], w.add("Reshape", [moved, w.constant([0, -1], "int64")]))
        else:
            e.give(ports[port], w.add("Squeeze", [state, w.constant([0], "int64")]))
    return True


def _plain(spec: GatedLayer) -> bool:
    """Whether ONNX has this layer: it knows the activations."""
    return not spec.zoneout and all(type(function) in _ACTIVATIONS for function in _functions(spec))


def _functions(spec: GatedLayer) -> list[ActivationSpec]:
    """The activations in ONNX's order."""
    if isinstance(spec, Lstm):
        return [spec.recurrent_activation, spec.activation, spec.output_activation]
    if isinstance(spec, Gru):
        return [spec.recurrent_activation, spec.activation]
    assert isinstance(spec, Rnn)
    return [spec.activation]


def _attributes(spec: GatedLayer) -> dict[str, Any]:
    keys: dict[str, Any] = {"hidden_size": spec.units}
    if spec.bidirectional or spec.reverse:
        keys["direction"] = "bidirectional" if spec.bidirectional else "reverse"
    if spec.clip is not None:
        keys["clip"] = spec.clip
    if isinstance(spec, Lstm) and spec.input_forget:
        keys["input_forget"] = 1
    if isinstance(spec, Gru):
        keys["linear_before_reset"] = int(spec.reset_after)
    functions = _functions(spec)
    usual = [Sigmoid] * (len(functions) > 1) + [Tanh] * (len(functions) - (len(functions) > 1))
    if [type(function) for function in functions] != usual:
        count = 1 + spec.bidirectional
        keys["activations"] = [_ACTIVATIONS[type(function)][0] for function in functions] * count
        for word in ("alpha", "beta"):
            fields = [_ACTIVATIONS[type(function)][1].get(word) for function in functions]
            rows = zip(functions, fields, strict=True)
            numbers = [_number(function, field) for function, field in rows if field is not None]
            if numbers:
                keys[f"activation_{word}"] = numbers * count
    return keys


def _number(spec: ActivationSpec, field: str | float) -> float:
    """A number of an activation: the value of a field, or a constant."""
    return getattr(spec, field) if isinstance(field, str) else field


def _weights(e: Exporter, spec: GatedLayer, prefixes: list[str]) -> list[str]:
    """W, R and B, one direction per index of the first axis."""
    order = _GATES[spec.type]

    def ordered(array: NDArray) -> NDArray:
        parts = np.split(array, len(order), axis=-1)
        return np.concatenate([parts[gate] for gate in order], axis=-1)

    def stored(name: str) -> list[NDArray]:
        return [ordered(np.asarray(e.weights[f"{owner}.{prefix}{name}"])) for prefix in prefixes]

    owner = spec.share or spec.name
    names = [np.stack([array.T for array in stored(name)]) for name in ("kernel", "recurrent_kernel")]
    weights = [
        e.writer.constant(array, hint=f"{owner}.{prefixes[0]}{name}")
        for array, name in zip(names, ("W", "R"), strict=True)
    ]
    if not spec.use_bias:
        return [*weights, ""]
    bias = np.stack(stored("bias"))
    second = np.zeros_like(bias)
    if isinstance(spec, Gru) and spec.reset_after:
        second = np.stack(stored("recurrent_bias"))
    joined = np.concatenate([bias, second], axis=1)
    return [*weights, e.writer.constant(joined, hint=f"{owner}.{prefixes[0]}B")]


def _peepholes(e: Exporter, spec: Lstm, prefixes: list[str]) -> str:
    """P: in the order i, o, f in ONNX, i, f, o here."""
    owner = spec.share or spec.name
    rows = []
    for prefix in prefixes:
        i, f, o = np.split(np.asarray(e.weights[f"{owner}.{prefix}peephole"]), 3)
        rows.append(np.concatenate([i, o, f]))
    return e.writer.constant(np.stack(rows), hint=f"{owner}.{prefixes[0]}P")


def _start(
    e: Exporter, x: Value, spec: GatedLayer, given: Value | None, state: str, prefixes: list[str]
) -> str:
    """The initial value of a state, [directions, N, H]; empty for zeros."""
    w, samples = e.writer, e.shape(x)[0]
    if given is not None and len(prefixes) == 1:
        return w.add("Unsqueeze", [e.last(given), w.constant([0], "int64")])
    if given is not None:  # [N, directions·H]
        parted = w.add("Reshape", [e.last(given), w.constant([0, 2, -1], "int64")])
        return w.add("Transpose", [parted], perm=[1, 0, 2])
    word = spec.initial_state if isinstance(spec.initial_state, str) else spec.initial_state.get(state)
    if word != "learned":
        return ""
    owner = spec.share or spec.name
    rows = [np.asarray(e.weights[f"{owner}.{prefix}{state}_init"])[None] for prefix in prefixes]
    learned = w.constant(np.stack(rows), hint=f"{owner}.{prefixes[0]}{state}_init")
    return w.add("Expand", [learned, w.shape((len(prefixes), samples, spec.units))])


def _kept(e: Exporter, lengths: str, start: str, state: str) -> str:
    """The last value of a state [directions, N, H]. For sequences without steps it is the initial one, where runtimes
    return zeros.
    """
    w = e.writer
    empty = w.add("Equal", [lengths, w.constant(0, "int32")])
    return w.add("Where", [w.add("Unsqueeze", [empty, w.constant([0, 2], "int64")]), start, state])


def _zeros(e: Exporter, x: Value, spec: GatedLayer) -> str:
    zero = e.writer.constant(np.zeros((), e.dtype(x)))
    directions = 1 + spec.bidirectional
    return e.writer.add("Expand", [zero, e.writer.shape((directions, e.shape(x)[0], spec.units))])
