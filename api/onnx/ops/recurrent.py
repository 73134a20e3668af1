"""RNN, LSTM and GRU: layers of the same name, one for each direction where a direction has a start of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..errors import Refusal
from ..values import Held, Known
from .table import op

#: Our gates among ONNX's: i, o, f, c are i, f, g, o here; z, r, h are z, r, n.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2), "RNN": (0,)}
_DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
_STATES = {"LSTM": ("h", "c"), "GRU": ("h",), "RNN": ("h",)}
_COMMON = "activation_alpha activation_beta activations clip direction hidden_size layout"


@op("RNN", attributes=_COMMON + " output_sequence", since=7)
def rnn(ctx: Context) -> None:
    """A plain recurrence."""
    _recurrent(ctx, {})


@op("LSTM", attributes=_COMMON + " input_forget output_sequence", since=7)
def lstm(ctx: Context) -> None:
    """Long short-term memory."""
    _recurrent(ctx, {})


@op("GRU", attributes=_COMMON + " linear_before_reset output_sequence", since=7)
def gru(ctx: Context) -> None:
    """Gated recurrent unit."""
    _recurrent(ctx, {} if ctx.integer("linear_before_reset", 0) else {"reset_after": False})


def _recurrent(ctx: Context, keys: dict[str, Any]) -> None:
    ctx.floats()
    kind = ctx.node.op
    direction = ctx.text("direction", "forward", "forward", "reverse", "bidirectional")
    count = 2 if direction == "bidirectional" else 1
    w, r = ctx.array(1, "the kernel"), ctx.array(2, "the recurrent kernel")
    gates = len(_GATES[kind])
    if w.ndim != 3 or r.ndim != 3 or w.shape[0] != count or r.shape[0] != count or w.shape[1] != r.shape[1]:
        raise Refusal(f"kernels {list(w.shape)} and {list(r.shape)} for {count} directions")
    units = r.shape[2]
    if w.shape[1] != gates * units or ctx.integer("hidden_size", units) != units:
        raise Refusal(f"{ctx.attribute('hidden_size')} units, kernels for {units}", "hidden_size")
    x = ctx.settled(ctx.value())
    if x.rank != 3 or x.shape[2] != w.shape[2]:
        raise Refusal(f"an input {[str(size) for size in x.shape]} for a kernel {list(w.shape)}")
    batch_first = bool(ctx.integer("layout", 0))
    bias = ctx.array(3, "the bias") if ctx.has(3) else None
    keys = {"units": units, **keys, **_options(ctx, kind, count)}
    if bias is None:
        keys["use_bias"] = False
    order = (0, 1, 2) if batch_first else (1, 0, 2)
    ref = ctx.arranged(x, order)
    starts = {state: _start(ctx, 5 + i, batch_first, count) for i, state in enumerate(_STATES[kind])}
    weights = [_weights(kind, w[d], r[d], None if bias is None else bias[d], keys) for d in range(count)]
    if direction == "bidirectional" and not any(starts.values()):
        joined = {
            f"{name}.{key}": a
            for name, one in zip(("forward", "backward"), weights, strict=True)
            for key, a in one.items()
        }
        made = [_layer(ctx, kind, ref, {**keys, "bidirectional": True}, joined, {})]
    elif direction == "forward":
        made = [_layer(ctx, kind, ref, keys, weights[0], {s: v[0] for s, v in starts.items() if v})]
    else:
        raise Refusal(f"{direction} is not supported with these options", "direction")
    _results(ctx, kind, made, count, units, batch_first)


def _options(ctx: Context, kind: str, count: int) -> dict[str, Any]:
    """What an operator may have besides its size."""
    found: dict[str, Any] = {}
    names = [str(one) for one in ctx.attribute("activations") or _DEFAULTS[kind] * count]
    if names != list(_DEFAULTS[kind] * count):
        if kind != "RNN" or len(set(names)) != 1:
            raise Refusal(f"{', '.join(names)} are not supported", "activations")
        found["activation"] = _activation(ctx, names[0])
    for name in ("clip", "input_forget"):
        if ctx.attribute(name):
            raise Refusal("is not supported", name)
    if ctx.has(4):
        raise Refusal("sequence_lens are not supported")
    if kind == "LSTM" and ctx.has(7):
        raise Refusal("peepholes are not supported")
    return found


def _activation(ctx: Context, name: str) -> Any:
    alphas, betas = ctx.attribute("activation_alpha") or (), ctx.attribute("activation_beta") or ()
    plain = {"Tanh": "tanh", "Relu": "relu", "Sigmoid": "sigmoid", "Softplus": "softplus"}
    if name in plain and not alphas and not betas:
        return plain[name]
    raise Refusal(f"{name} is not supported", "activations")


def _weights(
    kind: str, w: NDArray, r: NDArray, bias: NDArray | None, keys: dict[str, Any]
) -> dict[str, NDArray]:
    """The arrays of one direction: [gates·H, …] there is […, gates·H] here."""
    order = _GATES[kind]

    def ordered(array: NDArray) -> NDArray:
        parts = np.split(array, len(order), axis=0)
        return np.concatenate([parts[gate] for gate in order], axis=0)

    found = {"kernel": ordered(w).T, "recurrent_kernel": ordered(r).T}
    if bias is not None:
        first, second = np.split(bias, 2)
        if kind == "GRU" and keys.get("reset_after", True):
            found |= {"bias": ordered(first), "recurrent_bias": ordered(second)}
        else:
            found["bias"] = ordered(first) + ordered(second)
    return found


def _start(ctx: Context, position: int, batch_first: bool, count: int) -> list[str] | None:
    """References to a first state, one for each direction; None for zeros."""
    if not ctx.has(position):
        return None
    value = ctx.value(position)
    if isinstance(value, Known) and not value.is_open and not value.array.any():
        return None
    if count > 1:
        raise Refusal("a first state for two directions is not supported")
    held = ctx.held(position)
    return [ctx.arranged(held, (0, 2) if batch_first else (1, 2))]


def _layer(
    ctx: Context,
    kind: str,
    ref: str,
    keys: dict[str, Any],
    weights: dict[str, NDArray],
    given: dict[str, str],
) -> str:
    keys = dict(keys)
    if not ctx.wants(0):
        keys["return_sequences"] = False
    if given:
        keys["initial_state"] = dict(given)
    ports = [state for i, state in enumerate(_STATES[kind]) if ctx.wants(1 + i)]
    return ctx.layer(kind.lower(), [ref], keys, weights, given=given, ports=ports)


def _results(ctx: Context, kind: str, made: Sequence[str], count: int, units: int, batch_first: bool) -> None:
    """Y [T, directions, N, H] ([N, T, directions, H] with layout 1), and the last states."""
    (name,) = made
    if ctx.wants(0):
        axes = (0, 1, 2, 3) if batch_first else (2, 0, 1, 3)
        ctx.give(_directions(ctx, name, axes, count, units, 4))
    for position, state in enumerate(_STATES[kind], 1):
        if not ctx.wants(position):
            continue
        alone = not ctx.wants(0) and state == "h"
        ref = name if alone else f"{name}.{state}"
        axes = (0, 1, 2) if batch_first else (1, 0, 2)
        ctx.give(_directions(ctx, ref, axes, count, units, 3), position)


def _directions(ctx: Context, ref: str, axes: tuple[int, ...], count: int, units: int, rank: int) -> Held:
    """An output whose last axis joins the directions, with an axis for them. ``axes``: […, directions, H]."""
    if count == 1:
        return ctx.held_as(ref, (*axes[:-2], axes[-1]), rank)
    shape = ctx.writer.sketch.type_of(ref).shape
    parted = ctx.writer.reshaped(ref, (*shape[:-1], count, units))
    return ctx.held_as(parted, axes, rank)
