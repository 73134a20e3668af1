"""One step of an LSTM, GRU or RNN in a loop's body, as equations: a scripted cell is written as a sequence of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import Refusal
from ..reading import Body, Node
from ..values import Known
from .step import Step
from .table import operator
from .terms import Term, joint, product

_KINDS = ("LSTM", "GRU", "RNN")
_USUAL = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"], "RNN": ["tanh"]}


def of_one_step(body: Body, known: Callable[[str], Known | None]) -> Body:
    """A body in which recurrences of one step read and give that step, without the axis of time."""
    makers = {name: node for node in body.nodes if not node.domain for name in node.outputs}
    inner: dict[str, str] = {}
    nodes: list[Node] = []

    def without(name: str) -> str | None:
        """The value behind an Unsqueeze of the first axis."""
        maker = makers.get(name)
        return maker.inputs[0] if maker is not None and _is_of_first(maker, "Unsqueeze", known) else None

    for node in body.nodes:
        given = [name for name in node.outputs[1:] if name]
        squeezed = [[one for one in body.nodes if given_name in one.reads] for given_name in given]
        reads = (node.inputs[0], *node.inputs[5:7])
        steps = [without(name) if name else "" for name in reads]
        fits = (
            node.op in _KINDS
            and not node.domain
            and None not in steps
            and (not node.outputs[0] or body.readers.get(node.outputs[0], 0) == 0)
            and all(_is_of_first(one, "Squeeze", known) for row in squeezed for one in row)
            and not set(given) & set(body.outputs)
        )
        if not fits:
            nodes.append(node)
            continue
        x, *states = (step or "" for step in steps)
        inputs = (x, *node.inputs[1:5], *states, *node.inputs[7:])
        for name, row in zip(given, squeezed, strict=True):
            inner.update({one.outputs[0]: name for one in row})
        nodes.append(replace(node, inputs=inputs))
    # What only took the axis away stands for the state itself.
    nodes = [
        replace(node, op="Identity", inputs=(inner[node.outputs[0]],), attributes={})
        if node.op == "Squeeze" and node.outputs[0] in inner
        else node
        for node in nodes
    ]
    if not inner:
        return body
    read = {name for node in nodes for name in node.reads} | set(body.outputs)
    kept = [node for node in nodes if node.op != "Unsqueeze" or node.outputs[0] in read]
    return replace(body, nodes=tuple(kept))


def _is_of_first(node: Node, op: str, known: Callable[[str], Known | None]) -> bool:
    """Whether a node adds or takes the first axis."""
    if node.op != op or node.domain:
        return False
    axes = node.attributes.get("axes")
    if (
        axes is None
        and len(node.inputs) > 1
        and (value := known(node.inputs[1])) is not None
        and not value.is_open
    ):
        axes = value.array.reshape(-1).tolist()
    return axes is not None and list(axes) == [0]


@operator(*_KINDS, attributes="activations direction hidden_size input_forget layout linear_before_reset")
def _recurrent(s: Step) -> list[Term]:
    kind = s.node.op
    names = [str(one).lower() for one in s.attribute("activations", ())]
    plain = s.attribute("direction", "forward") == "forward" and not s.attribute("input_forget", 0)
    x = s.term(0)
    if not plain or names not in ([], _USUAL[kind]) or s.attribute("layout", 0) or not x.batched:
        raise Refusal("a recurrence in a loop is of one step, forward, with the usual activations")
    if s.has(4) or s.has(7) or len(x.view) != 1 or not s.has(5) or (kind == "LSTM" and not s.has(6)):
        raise Refusal("a recurrence in a loop is of one step, from given states")
    h = s.term(5)
    kernels = [_matrix(s, position, name) for position, name in ((1, "kernel"), (2, "recurrent_kernel"))]
    inputs, states = product(x, kernels[0]), product(h, kernels[1])
    first, second = _biases(s)
    if first is not None and second is not None:
        inputs = joint("a + b", {"a": inputs, "b": first})
        states = joint("a + b", {"a": states, "b": second})
    if kind == "RNN":
        found = joint("tanh(a + b)", {"a": inputs, "b": states})
        return [found, found]
    if kind == "LSTM":
        i, o, f, g = _split(s, joint("a + b", {"a": inputs, "b": states}), 4)
        c = joint("sigmoid(f) * c + sigmoid(i) * tanh(g)", {"f": f, "c": s.term(6), "i": i, "g": g})
        c = s.writer.step("c", c)
        new = joint("sigmoid(o) * tanh(c)", {"o": o, "c": c})
        return [new, new, c]
    if not s.attribute("linear_before_reset", 0):
        raise Refusal("a GRU in a loop resets its state after the product (linear_before_reset)")
    (z, r, n), (hz, hr, hn) = _split(s, inputs, 3), _split(s, states, 3)
    z = s.writer.step("z", joint("sigmoid(a + b)", {"a": z, "b": hz}))
    n = joint("tanh(n + sigmoid(a + b) * m)", {"n": n, "a": r, "b": hr, "m": hn})
    new = joint("z * h + (1 - z) * n", {"z": z, "h": h, "n": n})
    return [new, new]


def _matrix(s: Step, position: int, name: str) -> Term:
    """A kernel [1, gates, …] turned around. Raises Refusal."""
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
    """Equal parts under names of their own."""
    size = term.shape[-1] // count
    return [replace(term.seen(name, (size,))) for name in s.writer.parts(term, count, 0)]
