"""RNN, LSTM and GRU: layers of the same name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.models.layers.recurrent import LENGTHS

from ..activations import activation_of, numbers_of
from ..context import Context
from ..errors import Refusal
from ..operands import Held
from .lengths import emptied, lengths_of
from .recurrent_weights import computed_weights, shape_of
from .table import op

#: For each of our gates its position among ONNX's: i, o, f, c become i, f, g, o; z, r, h become z, r, n.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2), "RNN": (0,)}
_DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
_KEYS = {
    "LSTM": ("recurrent_activation", "activation", "output_activation"),
    "GRU": ("recurrent_activation", "activation"),
    "RNN": ("activation",),
}
_STATES = {"LSTM": ("h", "c"), "GRU": ("h",), "RNN": ("h",)}
_COMMON = "activation_alpha activation_beta activations clip direction hidden_size layout"


@op("RNN", attributes=_COMMON, since=7)
def rnn(ctx: Context) -> None:
    """A plain recurrence."""
    _Recurrent(ctx, {}).convert()


@op("LSTM", attributes=_COMMON + " input_forget", since=7)
def lstm(ctx: Context) -> None:
    """Long short-term memory."""
    _Recurrent(ctx, {"input_forget": True} if ctx.integer("input_forget", 0) else {}).convert()


@op("GRU", attributes=_COMMON + " linear_before_reset", since=7)
def gru(ctx: Context) -> None:
    """Gated recurrent unit."""
    _Recurrent(ctx, {} if ctx.integer("linear_before_reset", 0) else {"reset_after": False}).convert()


class _Recurrent:
    def __init__(self, ctx: Context, keys: dict[str, Any]):
        self.ctx, self.kind = ctx, ctx.node.op
        self.direction = ctx.text("direction", "forward", "forward", "reverse", "bidirectional")
        self.count = 2 if self.direction == "bidirectional" else 1
        self.batch_first = bool(ctx.integer("layout", 0))
        self.keys = keys
        self.learned: dict[str, NDArray] = {}
        """Initial states that are the same for all samples, one row per direction."""
        self.starts: dict[str, str] = {}
        """Initial states that are given."""

    def convert(self) -> None:
        """One layer; two layers and a concat if the directions differ in more than their weights."""
        ctx = self.ctx
        ctx.floats()
        computed = any(ctx.is_computed(position) for position in (1, 2, 3))
        w, r = (shape_of(ctx, i) if computed else ctx.array(i, "the kernel") for i in (1, 2))
        bias = None if not ctx.has(3) else shape_of(ctx, 3) if computed else ctx.array(3, "the bias")
        peepholes = ctx.array(7, "the peepholes") if self.kind == "LSTM" and ctx.has(7) else None
        self.units = self.checked(w, r)
        x = ctx.settled(ctx.value())
        if x.rank != 3 or x.shape[2] != w.shape[2]:
            raise Refusal(f"an input {[str(size) for size in x.shape]} for a kernel {list(w.shape)}")
        self.keys = {"units": self.units, **self.keys}
        if bias is None:
            self.keys["use_bias"] = False
        if peepholes is not None:
            self.keys["peepholes"] = True
        if ctx.attribute("clip") is not None:
            if (clip := ctx.number("clip", 0.0)) <= 0:
                raise Refusal(f"{clip} leaves nothing", "clip")
            self.keys["clip"] = clip
        ref = ctx.arranged(x, (0, 1, 2) if self.batch_first else (1, 0, 2))
        given = self.starts = self.given()
        activations = self.activations()
        joined = self.kind != "GRU" or not self.keys.get("reset_after", True)
        weights: list[dict[str, Any]] = [
            self.weights(*(None if array is None else array[d] for array in (w, r, bias, peepholes)))
            | (computed_weights(ctx, _GATES[self.kind], d, self.units, joined=joined) if computed else {})
            | {f"{state}_init": rows[d] for state, rows in self.learned.items()}
            for d in range(self.count)
        ]
        if self.count == 1:
            keys = {"reverse": True} if self.direction == "reverse" else {}
            made = [self.layer(ref, {**self.keys, **activations[0], **keys}, weights[0], given)]
        elif activations[0] == activations[1]:
            both = {
                f"{name}.{key}": array
                for name, arrays in zip(("forward", "backward"), weights, strict=True)
                for key, array in arrays.items()
            }
            made = [self.layer(ref, {**self.keys, **activations[0], "bidirectional": True}, both, given)]
        else:
            if set(given) - {LENGTHS}:
                raise Refusal("first states of directions that differ are not supported", "activations")
            made = [
                self.layer(
                    ref,
                    {**self.keys, **activations[d], **({"reverse": True} if d else {})},
                    weights[d],
                    given,
                )
                for d in range(2)
            ]
        self.results(made)

    def checked(self, w: NDArray, r: NDArray) -> int:
        """The number of units. Raises Refusal for kernels of other sizes."""
        gates = len(_GATES[self.kind])
        if w.ndim != 3 or r.ndim != 3 or w.shape[0] != self.count or w.shape[:2] != r.shape[:2]:
            raise Refusal(f"kernels {list(w.shape)} and {list(r.shape)} for {self.count} directions")
        units = r.shape[2]
        if w.shape[1] != gates * units or self.ctx.integer("hidden_size", units) != units:
            raise Refusal(f"kernels for {units} units", "hidden_size")
        return units

    def activations(self) -> list[dict[str, Any]]:
        """The keys of the activations, for each direction."""
        defaults = _DEFAULTS[self.kind]
        names = [str(name) for name in self.ctx.attribute("activations") or defaults * self.count]
        if len(names) != len(defaults) * self.count:
            raise Refusal(f"{len(names)} activations, {len(defaults) * self.count} are needed", "activations")
        numbers = numbers_of(self.ctx.attribute)
        functions = [activation_of(name, numbers) for name in names]
        per = len(defaults)
        plain = [activation_of(name, {}) for name in defaults]
        return [
            {
                key: value
                for key, value, usual in zip(
                    _KEYS[self.kind], functions[d * per : (d + 1) * per], plain, strict=True
                )
                if value != usual
            }
            for d in range(self.count)
        ]

    def weights(
        self, w: NDArray | None, r: NDArray | None, bias: NDArray | None, peepholes: NDArray | None
    ) -> dict[str, NDArray]:
        """The arrays of one direction, with [gates·H, …] transposed to […, gates·H]."""
        order = _GATES[self.kind]
        assert w is not None
        assert r is not None

        def ordered(array: NDArray) -> NDArray:
            parts = np.split(array, len(order), axis=0)
            return np.concatenate([parts[gate] for gate in order], axis=0)

        weights = {"kernel": ordered(w).T, "recurrent_kernel": ordered(r).T}
        if bias is not None:
            first, second = np.split(bias, 2)
            if self.kind == "GRU" and self.keys.get("reset_after", True):
                weights |= {"bias": ordered(first), "recurrent_bias": ordered(second)}
            else:
                weights["bias"] = ordered(first) + ordered(second)
        if peepholes is not None:
            i, o, f = np.split(peepholes, 3)
            weights["peephole"] = np.concatenate([i, f, o])
        return weights

    def given(self) -> dict[str, str]:
        """References to initial states and lengths, by their names in the layer. A state that is the same for all
        samples is learned.
        """
        ctx, given = self.ctx, {}
        for position, state in enumerate(_STATES[self.kind], 5):
            if not ctx.has(position):
                continue
            known, stored = ctx.start(position, 0 if self.batch_first else 1) or (None, False)
            if known is not None and not stored and not known.any():
                continue
            if known is not None and known.size == self.count * self.units:
                self.learned[state] = known.reshape(self.count, self.units)
                continue
            held = ctx.held(position)
            wanted = {
                0 if self.batch_first else 1: None,
                1 if self.batch_first else 0: self.count,
                2: self.units,
            }
            if held.rank != 3 or any(
                size is not None and held.shape[axis] != size for axis, size in wanted.items()
            ):
                raise Refusal(f"a first state {[str(size) for size in held.shape]} for {self.units} units")
            if self.count == 1:
                given[state] = ctx.arranged(held, (0, 2) if self.batch_first else (1, 2))
                continue
            samples = held.shape[0 if self.batch_first else 1]
            ref = ctx.arranged(held, (0, 1, 2) if self.batch_first else (1, 0, 2))
            given[state] = ctx.writer.reshaped(ref, (samples, 2 * self.units))
        if ctx.has(4):
            given[LENGTHS] = lengths_of(ctx)
        return given

    def layer(self, ref: str, keys: dict[str, Any], weights: dict[str, Any], given: dict[str, str]) -> str:
        """A recurrent layer."""
        ctx = self.ctx
        if not ctx.wants(0):
            keys["return_sequences"] = False
        states = {state: ref for state, ref in given.items() if state != LENGTHS}
        states |= dict.fromkeys(self.learned, "learned")
        if len(self.learned) == len(_STATES[self.kind]):
            keys["initial_state"] = "learned"
        elif states:
            keys["initial_state"] = states
        if LENGTHS in given:
            keys["lengths"] = given[LENGTHS]
        ports = [state for i, state in enumerate(_STATES[self.kind]) if ctx.wants(1 + i)]
        computed = {name: weight for name, weight in weights.items() if isinstance(weight, str)}
        arrays = {name: weight for name, weight in weights.items() if name not in computed}
        options: dict[str, Any] = {"given": given, "ports": ports}
        return ctx.with_computed(self.kind.lower(), [ref], keys, computed, weights=arrays, **options)

    def results(self, made: list[str]) -> None:
        """Y [T, directions, N, H] ([N, T, directions, H] with layout 1), and the last states."""
        ctx = self.ctx
        if ctx.wants(0):
            ctx.give(self.parted(made, (0, 1, 2, 3) if self.batch_first else (2, 0, 1, 3)))
        for position, state in enumerate(_STATES[self.kind], 1):
            if ctx.wants(position):
                port = "" if not ctx.wants(0) and state == "h" else f".{state}"
                refs = [name + port for name in made]
                result = self.parted(refs, (0, 1, 2) if self.batch_first else (1, 0, 2))
                if state in self.learned or state in self.starts:
                    result = emptied(ctx, result, position + 4, samples=0 if self.batch_first else 1)
                ctx.give(result, position)

    def parted(self, refs: list[str], axes: tuple[int, ...]) -> Held:
        """An output whose last axis joins the directions, with a separate axis for them. ``axes``: […, directions,
        H].
        """
        ctx = self.ctx
        ref = refs[0] if len(refs) == 1 else ctx.layer("concat", refs)
        if self.count == 1:
            return ctx.held_as(ref, (*axes[:-2], axes[-1]), len(axes))
        shape = ctx.writer.sketch.type_of(ref).shape
        return ctx.held_as(ctx.writer.reshaped(ref, (*shape[:-1], 2, self.units)), axes, len(axes))
