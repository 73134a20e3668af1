"""One step of an LSTM, GRU or RNN node inside a loop's body, as equations: scripted cells are exported as sequences of
length one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from netwright.specs.equations.builtin_cells import applied
from netwright.specs.models.activations import ActivationSpec, PointwiseActivation

from ..activations import activation_of, numbers_of
from ..errors import Refusal
from ..numbers import decimal
from ..operands import Known
from .leading import RECURRENCES
from .step import Step
from .table import operator
from .terms import Term, joint, product

_ACTIVATION: TypeAdapter[ActivationSpec] = TypeAdapter(PointwiseActivation)


@operator(
    *RECURRENCES,
    attributes="activation_alpha activation_beta activations clip direction hidden_size input_forget layout "
    "linear_before_reset",
)
def _recurrent(s: Step) -> list[Term]:
    if s.attribute("direction", "forward") == "bidirectional" or s.attribute("layout", 0):
        raise Refusal("a recurrence in a loop is of one step, in one direction")
    x = s.term(0)
    if s.has(4) or len(x.view) != 1 or not x.batched or not s.has(5):
        raise Refusal("a recurrence in a loop is of one step, from given states")
    make = {"RNN": _rnn, "LSTM": _lstm, "GRU": _gru}[s.node.op]
    hidden, *others = make(s, x)
    if s.writer.uses.get(s.node.outputs[0]):  # the same values under two names
        hidden = s.writer.step("h", hidden)
    return [hidden, hidden, *others]


class _Functions:
    """The activations of a node, in order, each applied after the clip."""

    def __init__(self, s: Step, usual: Sequence[str]):
        names = [str(name) for name in s.attribute("activations") or usual]
        if len(names) != len(usual):
            raise Refusal(f"{len(names)} activations, {len(usual)} are needed", "activations")
        numbers = numbers_of(s.attribute)
        self.functions = [_ACTIVATION.validate_python(activation_of(name, numbers)) for name in names]
        self.clip = s.attribute("clip")

    def of(self, position: int, template: str, operands: Mapping[str, Term], *, clipped: bool = True) -> Term:
        """Makes a function from a template."""
        inner = template
        if clipped and self.clip is not None:
            bound = decimal(self.clip)
            inner = f"clip({inner}, {-bound!r}, {bound!r})"
        return joint(applied(self.functions[position], inner), operands)


def _rnn(s: Step, x: Term) -> list[Term]:
    inputs, states = _products(s, x, s.term(5))
    return [_Functions(s, ["Tanh"]).of(0, "a + b", {"a": inputs, "b": states})]


def _lstm(s: Step, x: Term) -> list[Term]:
    if not s.has(6):
        raise Refusal("a recurrence in a loop is of one step, from given states")
    functions, old = _Functions(s, ["Sigmoid", "Tanh", "Tanh"]), s.term(6)
    inputs, states = _products(s, x, s.term(5))
    i, o, f, g = _split(s, joint("a + b", {"a": inputs, "b": states}), 4)
    peepholes: list[Term | None] = [None] * 3
    if s.has(7):
        weights = _constant(s, 7).reshape(3, -1)
        peepholes = [_param(s, "peephole", np.ascontiguousarray(row)) for row in weights]  # i, o, f

    def gate(term: Term, peephole: Term | None, state: Term) -> Term:
        if peephole is None:
            return functions.of(0, "a", {"a": term})
        return functions.of(0, "a + p * c", {"a": term, "p": peephole, "c": state})

    enters = gate(i, peepholes[0], old)
    stays = gate(f, peepholes[2], old)
    if s.attribute("input_forget", 0):
        enters = s.writer.step("enters", enters)
        stays = joint("1 - i", {"i": enters})
    candidate = functions.of(1, "g", {"g": g})
    c = s.writer.step("c", joint("f * c + i * g", {"f": stays, "c": old, "i": enters, "g": candidate}))
    seen = functions.of(2, "c", {"c": c}, clipped=False)
    new = joint("o * c", {"o": gate(o, peepholes[1], c), "c": seen})
    return [new, c]


def _gru(s: Step, x: Term) -> list[Term]:
    functions, h = _Functions(s, ["Sigmoid", "Tanh"]), s.term(5)
    if s.attribute("linear_before_reset", 0):
        inputs, states = _products(s, x, h)
        (z, r, n), (hz, hr, hn) = _split(s, inputs, 3), _split(s, states, 3)
        r = functions.of(0, "a + b", {"a": r, "b": hr})
        n = functions.of(1, "n + r * m", {"n": n, "r": r, "m": hn})
    else:
        first, second = _biases(s)
        inputs = product(x, _matrix(s, 1, "kernel"))
        for bias in (first, second):
            inputs = inputs if bias is None else joint("a + b", {"a": inputs, "b": bias})
        kernel = _matrix(s, 2, "recurrent_kernel")
        rows, size = kernel.shape[0], kernel.shape[1] // 3
        names = s.writer.parts(kernel, 3, 1)
        kernels = [kernel.seen(name, (rows, size)) for name in names]
        z, r, n = _split(s, inputs, 3)
        hz, hr = (product(h, kernel) for kernel in kernels[:2])
        r = functions.of(0, "a + b", {"a": r, "b": hr})
        reset = product(joint("r * h", {"r": r, "h": h}), kernels[2])
        n = functions.of(1, "n + m", {"n": n, "m": reset})
    z = s.writer.step("z", functions.of(0, "a + b", {"a": z, "b": hz}))
    return [joint("z * h + (1 - z) * n", {"z": z, "h": h, "n": n})]


def _products(s: Step, x: Term, h: Term) -> tuple[Term, Term]:
    """The products of the inputs and of the old state with their kernels, each with its bias."""
    inputs, states = product(x, _matrix(s, 1, "kernel")), product(h, _matrix(s, 2, "recurrent_kernel"))
    first, second = _biases(s)
    if first is not None and second is not None:
        inputs = joint("a + b", {"a": inputs, "b": first})
        states = joint("a + b", {"a": states, "b": second})
    return inputs, states


def _matrix(s: Step, position: int, name: str) -> Term:
    """A kernel [1, gates, …], transposed. Raises Refusal."""
    array = _constant(s, position)
    if array.ndim != 3 or array.shape[0] != 1:
        raise Refusal(f"operand {position} is no kernel of one direction")
    return _param(s, name, np.ascontiguousarray(array[0].T))


def _biases(s: Step) -> tuple[Term | None, Term | None]:
    if not s.has(3):
        return None, None
    first, second = np.split(_constant(s, 3).reshape(-1), 2)
    return _param(s, "bias", first), _param(s, "recurrent_bias", second)


def _constant(s: Step, position: int) -> NDArray:
    known = s.known(position)
    if known is None or known.is_open:
        raise Refusal(f"operand {position} is no constant")
    return known.array


def _param(s: Step, name: str, array: NDArray) -> Term:
    return s.writer.constant(name, Known.of(array, name))


def _split(s: Step, term: Term, count: int) -> list[Term]:
    """Equal parts, each under a name."""
    size = term.shape[-1] // count
    return [term.seen(name, (size,)) for name in s.writer.parts(term, count, 0)]
