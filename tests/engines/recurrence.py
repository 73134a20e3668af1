"""How recurrent layers are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .cells import draw_cell
from .sketch import Add, Signal, Sketch


def recurrence(s: Sketch, x: Signal, states: Sequence[str]) -> dict[str, Any]:
    """What all recurrent layers take."""
    unrolls: list[Any] = [None, "none", 2, 5, "auto"]
    if isinstance(x.shape[1], int):
        unrolls.append("full")
    noise = s.options(input_dropout=(None, None, 0.25), recurrent_dropout=(None, None, 0.4))
    kept = s.one_of(None, None, 0.2, {state: s.one_of(0.3, 0.1) for state in states})
    found = {
        "unroll": s.one_of(*unrolls),
        "return_sequences": s.one_of(None, False),
        "zoneout": kept,
        **noise,
    }
    if s.number(0, 5) == 0 and not any("lengths" in one for one in s.inputs.values()):
        found["lengths"] = steps(s, x)
    return found


def steps(s: Sketch, x: Signal) -> str | None:
    """How many steps each sequence has, computed from its cells: from 1 on, since ONNX Runtime has none without."""
    counted = "sum(max(cast(a > 0, int64), axis=-1), axis=1)"
    made = s.layer("expression", x, {"a": x.name}, value=f"maximum({counted}, 1)")
    return made.name if made else None


def starts(s: Sketch, states: dict[str, tuple[int, ...]]) -> Any:
    """An initial state: a word, an input for the first state, or something for each state."""
    kind = s.one_of(None, "zeros", "learned", "given", "each")
    if kind == "given" and len(states) == 1:
        (shape,) = states.values()
        return s.input(*shape, stem="h").name
    if kind in ("given", "each"):
        found: dict[str, str] = {}
        for state, shape in states.items():
            word = s.one_of("zeros", "learned", "given")
            found[state] = s.input(*shape, stem="h").name if word == "given" else word
        return found
    return kind


def gated(type: str) -> Add:
    def add(s: Sketch, x: Signal) -> Signal | None:
        units = s.one_of(1, 2, 3, 4, 8, 11)
        states = {"h": (units,), "c": (units,)} if type == "lstm" else {"h": (units,)}
        options = recurrence(s, x, list(states))
        layers, both = s.one_of(1, 1, 2, 3), s.one_of(False, False, True)
        if layers == 1 and both:
            options |= {
                "bidirectional": True,
                "initial_state": starts(s, dict.fromkeys(states, (2 * units,))),
            }
        elif layers == 1:
            options |= {"initial_state": starts(s, states), "reverse": s.one_of(None, None, True)}
        else:
            options |= {"layers": layers, "bidirectional": both}
            options["initial_state"] = s.one_of(None, "zeros", "learned")
            if layers > 1:
                options["dropout"] = s.one_of(None, 0.3)
        options["use_bias"] = s.one_of(None, False)
        options["clip"] = s.one_of(None, None, 0.7)
        if type == "rnn" or s.number(0, 2) == 0:
            options["activation"] = s.activation(softmax=False)
        if type != "rnn":
            options["recurrent_activation"] = s.one_of(None, None, "hard_sigmoid", "softplus")
        if type == "lstm":
            options["output_activation"] = s.one_of(None, None, "elu", "linear")
            options |= s.options(
                unit_forget_bias=(None, False), peepholes=(None, None, True), input_forget=(None, None, True)
            )
        if type == "gru":
            options["reset_after"] = s.one_of(None, False)
        if type != "rnn" and options["use_bias"] is None:
            options["chrono_init"] = s.one_of(None, None, 9)
        made = s.layer(type, x, units=units, **options)
        if made is not None and s.flag():
            port(s, made, x, list(states))
        return made

    return add


def recurrent(s: Sketch, x: Signal) -> Signal | None:
    """A cell of its own, perhaps with a second input, arguments and a given state."""
    if x.rank != 3:
        return None
    cell, inputs, arguments, states = draw_cell(s, x)
    options = recurrence(s, x, list(states))
    options["initial_state"] = starts(s, states) if states else None
    options |= {"cell": cell, "reverse": s.one_of(None, True)}
    if arguments:
        options["with"] = arguments
    made = s.layer("recurrent", inputs, **options)
    if made is not None and s.flag() and states:
        port(s, made, x, list(states))
    return made


def port(s: Sketch, layer: Signal, x: Signal, states: Sequence[str]) -> None:
    """Makes a port an output: the last or all values of a state."""
    which = s.one_of("state", "state_all", *states, *(f"{state}_all" for state in states))
    s.outputs[f"port_{layer.name}"] = f"{layer.name}.{which}"
