"""Recurrences for JAX: one product for the inputs of all steps, then `lax.scan`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import Unsupported

Array = jax.Array
Own = Mapping[str, Array]
#: A step: the state, and what is read of the input in this step.
Step = Callable[[Any, Array], tuple[Any, Array]]


def recurrence(keys: Mapping[str, Any], own: Own, x: Array) -> Array:
    """`rnn`, `lstm` or `gru`, in layers and in both directions."""
    layers, both = keys.get("layers", 1), keys.get("bidirectional", False)
    for number in range(layers):
        sides = []
        for direction in ("forward", "backward") if both else ("",):
            prefix = ".".join(part for part in (str(number) if layers > 1 else "", direction) if part)
            weights = {
                key.removeprefix(f"{prefix}.") if prefix else key: array
                for key, array in own.items()
                if not prefix or key.startswith(f"{prefix}.")
            }
            sides.append(_layer(keys["type"], weights, x, reverse=direction == "backward"))
        x = jnp.concatenate(sides, -1) if both else sides[0]
    return x


def _layer(kind: str, own: Own, x: Array, reverse: bool) -> Array:
    read = jnp.swapaxes(x @ own["kernel"] + own["bias"], 0, 1)
    recurrent = own["recurrent_kernel"]
    zeros = jnp.zeros((x.shape[0], recurrent.shape[0]), x.dtype)

    def rnn(h: Array, given: Array) -> tuple[Array, Array]:
        h = jnp.tanh(given + h @ recurrent)
        return h, h

    def lstm(state: tuple[Array, Array], given: Array) -> tuple[tuple[Array, Array], Array]:
        h, c = state
        i, f, g, o = jnp.split(given + h @ recurrent, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(h: Array, given: Array) -> tuple[Array, Array]:
        z, r, n = jnp.split(given, 3, -1)
        of_z, of_r, of_n = jnp.split(h @ recurrent + own["recurrent_bias"], 3, -1)
        z, r = jax.nn.sigmoid(z + of_z), jax.nn.sigmoid(r + of_r)
        h = z * h + (1 - z) * jnp.tanh(n + r * of_n)
        return h, h

    steps: dict[str, Step] = {"rnn": rnn, "lstm": lstm, "gru": gru}
    start = (zeros, zeros) if kind == "lstm" else zeros
    return jnp.swapaxes(lax.scan(steps[kind], start, read, reverse=reverse)[1], 0, 1)


def user_cell(keys: Mapping[str, Any], own: Own, x: Array) -> Array:
    """The cells of ``networks.sequences``."""
    if keys["cell"] == "minimal_gated":
        return _minimal_gated(own, x)
    if keys["cell"] == "gatewise_lstm":
        return _gatewise_lstm(own, x)
    raise Unsupported(f"cell {keys['cell']}")


def _minimal_gated(own: Own, x: Array) -> Array:
    x = jnp.swapaxes(x, 0, 1)
    read = (x @ own["Wf"] + own["bf"], x @ own["Wh"] + own["bh"])

    def step(h: Array, given: tuple[Array, Array]) -> tuple[Array, Array]:
        f = jax.nn.sigmoid(given[0] + h @ own["Uf"])
        c = jnp.tanh(given[1] + (f * h) @ own["Uh"])
        h = (1.0 - f) * h + f * c
        return h, h

    start = jnp.zeros((x.shape[1], own["Uf"].shape[0]), x.dtype)
    return jnp.swapaxes(lax.scan(step, start, read)[1], 0, 1)


def _gatewise_lstm(own: Own, x: Array) -> Array:
    x = jnp.swapaxes(x, 0, 1)
    read = tuple(x @ own[f"W{gate}"] + own[f"b{gate}"] for gate in "ifgo")

    def step(state: tuple[Array, Array], given: tuple[Array, ...]) -> tuple[tuple[Array, Array], Array]:
        h, c = state
        i, f, g, o = (part + h @ own[f"U{gate}"] for gate, part in zip("ifgo", given, strict=True))
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zeros = jnp.zeros((x.shape[1], own["Ui"].shape[0]), x.dtype)
    return jnp.swapaxes(lax.scan(step, (zeros, zeros), read)[1], 0, 1)
