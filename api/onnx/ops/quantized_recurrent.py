"""Recurrences on integers, as dynamic quantization writes them: the sequence is quantized as a whole before the loop,
the state in each step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from netwright.specs.models.layers.recurrent import LENGTHS

from ..context import Context
from ..errors import Refusal
from ..operands import Held, Known, Value, dims_array
from .broadcast import equation
from .lengths import emptied, lengths_of
from .linear import dense
from .quantized_products import dynamically_centred, exact_parts
from .table import RUNTIME_OPS, op

#: The state as integers minus their zero point, and their scale.
_STATE = [
    "high = maximum(max(prev(h)), 0)",
    "low = minimum(min(prev(h)), 0)",
    "scale = where(high == low, 1, (high - low) / 255)",
    "zero = clip(round(-low / scale), 0, 255)",
    "codes = clip(round(prev(h) / scale) + zero, 0, 255) - zero",
]
#: The file has the gates in the order i, o, f, c.
_GATES = [
    "i, o, f, g = split(gates, 4)",
    "c = sigmoid(f) * prev(c) + sigmoid(i) * tanh(g)",
    "h = sigmoid(o) * tanh(c)",
]
_ACTIVATIONS = ("sigmoid", "tanh", "tanh")
_ATTRIBUTES = "activation_alpha activation_beta activations direction hidden_size input_forget"


@op("DynamicQuantizeLSTM", attributes=_ATTRIBUTES, since=1, table=RUNTIME_OPS)
def dynamic_quantize_lstm(ctx: Context) -> None:
    """An LSTM on integers: the sequence is quantized as a whole, the state of each sample in each step."""
    ctx.floats()
    direction = ctx.text("direction", "forward", "forward", "reverse", "bidirectional")
    names = [str(name).lower() for name in ctx.attribute("activations") or ()]
    count = 2 if direction == "bidirectional" else 1
    if names and tuple(names) != _ACTIVATIONS * count:
        raise Refusal(f"there is {', '.join(_ACTIVATIONS)} alone", "activations")
    if ctx.integer("input_forget", 0):
        raise Refusal("gates that are coupled are not supported", "input_forget")
    if ctx.has(7):
        raise Refusal("peepholes are not supported in a quantized recurrence")
    _Quantized(ctx, count, direction == "reverse").convert()


class _Quantized:
    def __init__(self, ctx: Context, count: int, reverse: bool):
        self.ctx, self.count, self.reverse = ctx, count, reverse
        w, r = ctx.array(1, "the kernel"), ctx.array(2, "the recurrent kernel")
        if (
            w.ndim != 3
            or r.ndim != 3
            or w.shape[0] != count
            or r.shape != (count, r.shape[1], 4 * r.shape[1])
        ):
            raise Refusal(f"kernels {list(w.shape)} and {list(r.shape)} for {count} directions")
        self.units = r.shape[1]
        if w.shape[2] != 4 * self.units or ctx.integer("hidden_size", self.units) != self.units:
            raise Refusal(f"kernels for {self.units} units", "hidden_size")
        self.kernels = self.without_zeros(w, 9), self.without_zeros(r, 11)
        self.scales = self.of_directions(8), self.of_directions(10)
        self.bias = self.biases()

    def of_directions(self, position: int) -> NDArray:
        """The scales or zero points of each direction: a row, or one number. Raises Refusal."""
        numbers = self.ctx.array(position, "a scale or zero point")
        if numbers.shape not in ((self.count,), (self.count, 4 * self.units)):
            raise Refusal(f"scales or zero points {list(numbers.shape)} for {self.count} directions")
        return numbers.reshape(self.count, 1, -1)

    def without_zeros(self, kernel: NDArray, position: int) -> NDArray:
        zeros = self.of_directions(position).astype(np.int64) if self.ctx.has(position) else 0
        return kernel.astype(np.int64) - zeros

    def biases(self) -> NDArray | None:
        """The biases of the input and of the state, added up for each direction; None without biases."""
        if not self.ctx.has(3):
            return None
        both = self.ctx.array(3, "the bias")
        if both.shape != (self.count, 8 * self.units):
            raise Refusal(f"biases {list(both.shape)} for {self.units} units")
        return both.reshape(self.count, 2, -1).sum(1)

    def convert(self) -> None:
        """A recurrent layer for each direction, and the results as an LSTM returns them."""
        ctx = self.ctx
        value = ctx.settled(ctx.value(0))
        if value.rank != 3 or value.shape[2] != self.kernels[0].shape[1]:
            features = self.kernels[0].shape[1]
            raise Refusal(f"an input {[str(size) for size in value.shape]} for {features} features")
        codes, scale = dynamically_centred(ctx, self.within(value))
        made = []
        for d in range(self.count):
            keys: dict[str, Any] = {"reverse": True} if self.reverse or d else {}
            made.append(self.layer(d, self.gates(codes, scale, d), keys))
        if ctx.wants(0):
            ctx.give(self.joined(made, (1, 0, 2), 1))
        for position, state in enumerate(("h", "c"), 1):
            if ctx.wants(position):
                result = self.joined([f"{name}.{state}" for name in made], (0, 1), 0)
                if self.begun(position + 4):
                    result = emptied(ctx, result, position + 4, samples=1)
                ctx.give(result, position)

    def begun(self, position: int) -> bool:
        """Whether an initial state is given that is not zero."""
        known, stored = (self.ctx.start(position, 1) if self.ctx.has(position) else None) or (None, False)
        return self.ctx.has(position) and (known is None or stored or bool(known.any()))

    def within(self, value: Held) -> Held:
        """The sequences up to the end of the longest one. The steps after it do not take part in quantization."""
        ctx = self.ctx
        if not ctx.has(4):
            return value
        operation = ctx.conversion.operation
        steps = Known(dims_array([value.shape[0]]).reshape(()), "int64")
        longest = operation(
            "ReduceMax", [operation("Cast", [ctx.value(4)], to=TensorProto.INT64)], keepdims=0
        )
        there = operation("Less", [operation("Range", [0, steps, 1]), longest])
        axes = [1, 2]
        mask = (
            operation("Unsqueeze", [there, axes])
            if ctx.opset >= 13
            else operation("Unsqueeze", [there], axes=tuple(axes))
        )
        zero = Known.of(np.zeros((), ctx.writer.dtype))
        masked = operation("Where", [mask, value, zero])
        assert isinstance(masked, Held)
        return masked

    def gates(self, codes: Held, scale: Held, d: int) -> Held:
        """What the sequence adds to the gates at all steps."""
        dtype = self.ctx.writer.dtype
        parts = exact_parts(self.kernels[0][d])
        sums = {
            f"x{i}": dense(self.ctx, codes, part.astype(dtype), None) for i, (_, part) in enumerate(parts)
        }
        operands: dict[str, Value] = {**sums, "s": scale, "w": self.numbers(self.scales[0][d])}
        text = f"({_weighed(parts, list(sums))}) * (s * w)"
        if self.bias is not None:
            operands["b"], text = Known.of(self.bias[d].astype(dtype)), f"{text} + b"
        return equation(self.ctx, text, operands, fallback="gates")

    def numbers(self, scales: NDArray) -> Known:
        """Scales in the model's type: one number if all are equal."""
        scales = scales.astype(self.ctx.writer.dtype).reshape(-1)
        return Known.of(scales[0].reshape(()) if (scales == scales[0]).all() else scales)

    def layer(self, d: int, gates: Held, keys: dict[str, Any]) -> str:
        """One direction."""
        ctx, units = self.ctx, self.units
        parts = exact_parts(self.kernels[1][d])
        dtype = ctx.writer.dtype
        names = ["recurrent_kernel"] if len(parts) == 1 else ["recurrent_kernel_high", "recurrent_kernel_low"]
        weights = {name: part.astype(dtype) for name, (_, part) in zip(names, parts, strict=True)}
        weights["kernel_scale"] = np.atleast_1d(self.numbers(self.scales[1][d]).array)
        products = _weighed(parts, [f"codes @ {name}" for name in names])
        tree: dict[str, Any] = {
            "input": {"x": [4 * units]},
            "states": {"h": {"shape": [units]}, "c": {"shape": [units]}},
            "params": {name: {"shape": list(array.shape)} for name, array in weights.items()},
            "update": [*_STATE, f"gates = x + ({products}) * (scale * kernel_scale)", *_GATES],
            "output": "h",
        }
        given, learned = self.starts(d, tree)
        if given:
            keys["initial_state"] = dict(given)
        if not ctx.wants(0):
            keys["return_sequences"] = False
        if ctx.has(4):
            given[LENGTHS] = keys["lengths"] = lengths_of(ctx)
        name = ctx.writer.cell(tree, ["quantized_lstm"])
        ref = ctx.arranged(gates, (1, 0, 2))
        ports = [state for i, state in enumerate(("h", "c"), 1) if ctx.wants(i)]
        keys = {"cell": name, **keys}
        return ctx.layer("recurrent", [ref], keys, {**weights, **learned}, given=given, ports=ports)

    def starts(self, d: int, tree: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, NDArray]]:
        """Initial states: references to given ones, and those that are the same for all samples. Zeros need neither."""
        ctx, given, learned = self.ctx, {}, {}
        for position, state in enumerate(("h", "c"), 5):
            if not self.begun(position):
                continue
            known, _ = ctx.start(position, 1) or (None, False)
            if known is not None and known.size == self.count * self.units:
                tree["states"][state]["learn_init"] = True
                learned[f"{state}_init"] = known.reshape(self.count, self.units)[d]
                continue
            held = ctx.held(position)
            if held.rank != 3 or (held.shape[0], held.shape[2]) != (self.count, self.units):
                raise Refusal(f"a first state {[str(size) for size in held.shape]} for {self.units} units")
            part = ctx.conversion.operation("Gather", [held, d], axis=0)
            assert isinstance(part, Held)
            given[state] = ctx.arranged(part, (0, 1))
        return given, learned

    def joined(self, refs: list[str], axes: tuple[int, ...], place: int) -> Held:
        """Joins the outputs of the directions along a new axis at ``place``. ``axes`` are those of one direction."""
        parts = [self.ctx.held_as(ref, axes, len(axes)) for ref in refs]
        raised = [_raised(part, place) for part in parts]
        if len(raised) == 1:
            return raised[0]
        result = self.ctx.conversion.operation("Concat", raised, axis=place)
        assert isinstance(result, Held)
        return result


def _weighed(parts: list[tuple[int, NDArray]], texts: list[str]) -> str:
    """The weighted sum of parts, exact except for the last addition."""
    rows = zip(parts, texts, strict=True)
    return " + ".join(text if times == 1 else f"{times} * ({text})" for (times, _), text in rows)


def _raised(value: Held, place: int) -> Held:
    """A value with one more logical axis, of size 1."""
    axes = tuple(axis if axis is None or axis < place else axis + 1 for axis in value.axes)
    return Held(value.ref, value.dtype, (*value.shape[:place], 1, *value.shape[place:]), axes)
