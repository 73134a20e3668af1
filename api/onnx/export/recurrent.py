"""rnn, lstm and gru as ONNX's operators of that name, one for each stacked layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.activations import Elu, LeakyRelu, Linear, Relu, Sigmoid, Softplus, Tanh
from netwright.specs.layers import GatedLayer, Gru, Lstm, Rnn

from .context import Exporter
from .layers import Inputs, Ports

#: The order of ONNX's gates among ours: i, f, g, o become i, o, f, c; z, r, n stay.
_GATES = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "rnn": (0,)}
_ACTIVATIONS = {Tanh: "Tanh", Relu: "Relu", Sigmoid: "Sigmoid", Linear: "Affine", Softplus: "Softplus"}


def export_gated(e: Exporter, spec: GatedLayer, inputs: Inputs, ports: Ports) -> bool:
    """Sequences are [N, T, F] here and [T, N, F] there."""
    if not _plain(spec) or any(port.endswith("_all") for port in ports):
        return False
    w, both = e.writer, spec.bidirectional
    x = w.add("Transpose", [e.last(inputs[0])], perm=[1, 0, 2])
    sequence, last = "", ["", ""]
    states = 2 if isinstance(spec, Lstm) else 1
    wanted = [port for port in ports if port in ("", "h", "c", "state")]
    for layer in range(spec.layers):
        top = layer == spec.layers - 1
        prefix = f"{layer}." if spec.layers > 1 else ""
        prefixes = [f"{prefix}forward.", f"{prefix}backward."] if both else [prefix]
        operands = [x, *_weights(e, spec, prefixes), ""]
        starts = [_start(e, ports, state) for state in ("h", "c")[:states]]
        if any(starts):
            zeros = _zeros(e, inputs[0], spec) if not all(starts) else ""
            operands += [start or zeros for start in starts]
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
        if both:  # [directions, N, H]
            moved = w.add("Transpose", [state], perm=[1, 0, 2])
            e.give(ports[port], w.add("Reshape", [moved, w.constant([0, -1], "int64")]))
        else:
            e.give(ports[port], w.add("Squeeze", [state, w.constant([0], "int64")]))
    return True


def _plain(spec: GatedLayer) -> bool:
    """Whether the layer is what ONNX has: no learned start, an activation known there."""
    known = spec.initial_state != "learned" and not (
        isinstance(spec.initial_state, dict) and "learned" in spec.initial_state.values()
    )
    if isinstance(spec, Rnn):
        known = known and isinstance(spec.activation, (*_ACTIVATIONS, LeakyRelu, Elu))
    usual = set(type(spec).model_fields) & {"peephole", "clip", "activations"}
    return known and not any(getattr(spec, key) not in (None, False) for key in usual)


def _attributes(spec: GatedLayer) -> dict[str, Any]:
    keys: dict[str, Any] = {"hidden_size": spec.units}
    if spec.bidirectional:
        keys["direction"] = "bidirectional"
    if isinstance(spec, Gru):
        keys["linear_before_reset"] = int(spec.reset_after)
    if isinstance(spec, Rnn) and not isinstance(spec.activation, Tanh):
        count = 1 + spec.bidirectional
        match spec.activation:
            case LeakyRelu(negative_slope=slope):
                keys |= {"activations": ["LeakyRelu"] * count, "activation_alpha": [slope] * count}
            case Elu(alpha=alpha):
                keys |= {"activations": ["Elu"] * count, "activation_alpha": [alpha] * count}
            case Linear():
                keys |= {"activations": ["Affine"] * count}
                keys |= {"activation_alpha": [1.0] * count, "activation_beta": [0.0] * count}
            case other:
                keys["activations"] = [_ACTIVATIONS[type(other)]] * count
    return keys


def _weights(e: Exporter, spec: GatedLayer, prefixes: list[str]) -> list[str]:
    """W, R and B, a direction each on the first axis."""
    order = _GATES[spec.type]

    def ordered(array: NDArray) -> NDArray:
        parts = np.split(array, len(order), axis=-1)
        return np.concatenate([parts[gate] for gate in order], axis=-1)

    def stored(name: str) -> list[NDArray]:
        return [ordered(np.asarray(e.weights[f"{owner}.{prefix}{name}"])) for prefix in prefixes]

    owner = spec.share or spec.name
    names = [np.stack([array.T for array in stored(name)]) for name in ("kernel", "recurrent_kernel")]
    found = [
        e.writer.constant(array, hint=f"{owner}.{prefixes[0]}{name}")
        for array, name in zip(names, ("W", "R"), strict=True)
    ]
    if not spec.use_bias:
        return [*found, ""]
    bias = np.stack(stored("bias"))
    second = np.zeros_like(bias)
    if isinstance(spec, Gru) and spec.reset_after:
        second = np.stack(stored("recurrent_bias"))
    joined = np.concatenate([bias, second], axis=1)
    return [*found, e.writer.constant(joined, hint=f"{owner}.{prefixes[0]}B")]


def _start(e: Exporter, ports: Ports, state: str) -> str:
    value = ports.get(f"initial {state}")
    if value is None:
        return ""
    return e.writer.add("Unsqueeze", [e.last(value), e.writer.constant([0], "int64")])


def _zeros(e: Exporter, x: Any, spec: GatedLayer) -> str:
    zero = e.writer.constant(np.zeros((1, 1, 1), e.dtype(x)))
    return e.writer.add("Expand", [zero, e.writer.shape((1, e.shape(x)[0], spec.units))])
