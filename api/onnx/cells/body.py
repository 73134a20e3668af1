"""Translates a loop's body, node by node, to a cell: states, parameters, named steps, output."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import DimLike

from ..errors import Refusal
from ..fold import FOLDS, Folding
from ..operands import Held, Known, dims_array, known_dims
from ..reading import Body, Node
from ..schemas import check_node
from .body_values import BodyValues
from .convolution import without_pads
from .leading import without_first_axis
from .masks import unmasked
from .step import Step
from .table import OPERATORS
from .terms import OtherOrder, Sizes, Term, channels_last, of_sample


@dataclass(frozen=True)
class CellBody:
    """A cell made of a loop's body.

    ``states`` are the names of the loop's carries in order. ``sequences`` has for each scan output the state that it
    is, or "" for the cell's output.
    """

    tree: dict[str, Any]
    states: tuple[str, ...]
    weights: Mapping[str, NDArray]
    sequences: tuple[str, ...]
    ranks: tuple[int, ...]
    """The number of axes of each scan output for one sample. The cell may leave out leading axes of size 1."""
    leading: tuple[bool, ...] = ()
    """Which scan outputs have an axis of size 1 before the samples."""
    computed: Mapping[str, Held] = field(default_factory=dict)
    """Parameters that the outer graph computes."""
    masked: bool = False
    """Whether samples keep their states and output zeros in steps beyond their lengths."""


class CellWriter(BodyValues):
    """Translates the nodes of one body to terms."""

    def walk(self) -> None:
        """Translates all nodes. Raises Refusal."""
        for node in self.body.nodes:
            if node.op == "Identity":
                continue
            try:
                self.visit(node)
            except Refusal as refusal:
                reason = f"in the loop's body, {node.title} ({node.op}): {refusal.reason}"
                raise type(refusal)(reason) from None

    def visit(self, node: Node) -> None:
        for name in node.inputs:
            if name and self.source(name) not in self.values:
                self.parameter(self.source(name))
        operands = [self.values.get(self.source(name)) for name in node.inputs]
        dtypes = [None if operand is None else operand.dtype for operand in operands]
        if not node.domain:
            check_node(node, dtypes, self.opset)
        if (folded := self.folded(node)) is not None:
            self.values.update(folded)
            return
        if node.op == "Shape" and not node.domain and isinstance(term := operands[0], Term):
            self.values[node.outputs[0]] = self.shape_of(term, node)
            return
        if node.domain or node.op not in OPERATORS:
            raise Refusal("the operator is not supported in a loop")
        entry = OPERATORS[node.op]
        for name in node.attributes:
            if name not in entry.attributes:
                raise Refusal(f"attribute {name}: is not supported in a loop")
        for name, term in zip(node.outputs, entry.convert(Step(self, node)), strict=False):
            if name:
                self.values[name] = self.named(name, term)

    def shape_of(self, term: Term, node: Node) -> Known:
        """The shape of a value, or parts of it, if all sizes are known or are open sizes of the outer graph."""
        sizes = [*([self.samples] if term.batched and self.samples is not None else []), *term.view]
        start, end = node.attributes.get("start", 0), node.attributes.get("end", len(sizes))
        return known_dims(dims_array(sizes[start:end]))

    def folded(self, node: Node) -> dict[str, Term | Known] | None:
        """The results of a node with known operands. Arithmetic on weights stays in the cell, as it was written."""
        operands = [self.known(name) if name else None for name in node.inputs]
        if any(name and operand is None for name, operand in zip(node.inputs, operands, strict=True)):
            return None
        moved = self.has_images and node.op == "Transpose"  # a kernel is held in another order
        if not moved and any(
            operand is not None and operand.array.ndim and operand.dtype == self.dtype for operand in operands
        ):
            return None
        fold = FOLDS.get(node.op)
        if node.op == "Constant":
            return (
                {node.outputs[0]: Known.of(np.asarray(node.attributes["value"]), node.outputs[0])}
                if isinstance(node.attributes.get("value"), np.ndarray)
                else None
            )
        at = Folding(self.opset, tuple(arg.dtype if arg else "" for arg in operands), {}, len(node.outputs))
        made = fold([arg.array if arg else None for arg in operands], node.attributes, at) if fold else None
        if made is None:
            return None
        dtype = at.dtype(node.op, node.attributes)
        values = [known_dims(array, dtype) if array.dtype == object else Known.of(array) for array in made]
        return dict(zip(node.outputs, values, strict=False))


def _held(term: Term, last: bool) -> Term:
    """A value as states and outputs are held. Raises Refusal."""
    if last and len(term.shape) > 1:
        if term.order != channels_last(len(term.shape)):
            raise OtherOrder("an image is given that is not held channels last")
        return term
    return term.exact()


def cell_of_body(
    body: Body,
    captured: Mapping[str, Any],
    opset: int,
    prefix: str,
    inputs: Mapping[str, tuple[str, Sizes]],
    states: Mapping[str, tuple[str, Sizes]],
    wanted: Sequence[bool],
    *,
    samples: DimLike | None,
    dtype: str,
    mask: str = "",
    truths: Collection[str] = (),
    last: bool = False,
    leading: Collection[str] = (),
) -> CellBody:
    """Makes the cell of a body.

    ``states`` and ``inputs`` give the name and the shape for one sample of each input of the body. ``samples`` is the
    size of the first axis, None if the body handles one sample already. ``prefix`` is removed from the names of values.
    ``mask`` is the input that says which samples have the step. ``truths`` are inputs of truth values, which a cell
    reads as numbers. With ``last``, all shapes of two axes and more are those of images, held channels last where ONNX
    has channels first. ``leading`` are inputs with an axis of size 1 before the samples. Raises Refusal.
    """
    constants = {name: Known.of(array) for name, array in body.constants.items()}
    constants |= {name: value for name, value in captured.items() if isinstance(value, Known)}
    body, before = without_first_axis(without_pads(body, constants.get), constants.get, leading)
    if any((name in before) != (own in leading) for name, own in zip(body.outputs, states, strict=False)):
        raise Refusal("a state gets or loses an axis before the samples")
    writer = CellWriter(body, captured, opset, prefix, samples, dtype)
    batched = samples is not None
    own: dict[str, str] = {}
    for value, (name, shape) in states.items():
        own[value] = writer.out.names.fresh([name], "h")
        writer.values[value] = of_sample(f"prev({own[value]})", shape, dtype, batched, last)
    cell_inputs: dict[str, list[int]] = {}
    for value, (name, shape) in inputs.items():
        argument = writer.out.names.fresh([name], "x")
        cell_inputs[argument] = list(shape)
        if value in truths:
            term = of_sample(f"{argument} != 0", shape, "bool", batched, last)
            writer.values[value] = replace(term, opposite=f"{argument} == 0")
        else:
            writer.values[value] = of_sample(argument, shape, dtype, batched, last)
    carried = [writer.source(name) for name in body.outputs[: len(states)]]
    scanned = [writer.source(name) for name in body.outputs[len(states) :]]
    if mask:
        carried, scanned = unmasked(writer, mask, carried, list(states), scanned)
    for state, value in zip(states, carried, strict=True):
        writer.becomes.setdefault(value, []).append(own[state])
    writer.walk()
    shapes = {own[value]: shape for value, (_, shape) in states.items()}
    for value, names in writer.becomes.items():
        term = writer.term(value)
        if not isinstance(writer.values.get(value), Term) or value in states or value in inputs:
            writer.out.steps += [f"{name} = {term.text}" for name in names]  # nothing computes it
        for name in names:
            if _held(term, last).shape != shapes[name] or term.dtype != dtype:
                raise Refusal(f"the state {name} of shape {list(shapes[name])} becomes {list(term.shape)}")
    # Scan outputs: a state if it is one, one as the cell's output, and additional states for the others.
    sequences: list[str] = []
    ranks = [len(writer.term(value).view) if want else 0 for value, want in zip(scanned, wanted, strict=True)]
    output: str | None = None
    output_value = ""
    made: dict[str, dict[str, Any]] = {}
    for value, want in zip(scanned, wanted, strict=True):
        names = writer.becomes.get(value, ())
        if not want:
            sequences.append("")
        elif names:
            sequences.append(names[0])
        elif output is None or value == output_value:
            term = _held(writer.term(value), last)
            output, output_value = term.text, value
            sequences.append("")
        else:
            term = _held(writer.term(value), last)
            name = writer.out.names.fresh([writer.spoken(value)], "y")
            writer.out.steps.append(f"{name} = {term.text}")
            made[name] = {"shape": list(term.shape)}
            sequences.append(name)
    if output is None:
        output = next((name for name in sequences if name), next(iter(own.values()), None))
        sequences = ["" if name == output else name for name in sequences]
    if output is None:
        raise Refusal("the loop has neither a state nor an output")
    tree: dict[str, Any] = {"input": cell_inputs}
    listed = {own[value]: {"shape": list(shape)} for value, (_, shape) in states.items()} | made
    if listed:
        tree["states"] = listed
    if writer.out.params:
        tree["params"] = writer.out.params
    if writer.out.steps:
        tree["update"] = writer.out.steps
    tree["output"] = output
    first = tuple(name in before for name in body.outputs[len(states) :])
    return CellBody(
        tree,
        tuple(own.values()),
        writer.out.weights,
        tuple(sequences),
        tuple(ranks),
        first,
        writer.out.computed,
        bool(mask),
    )
