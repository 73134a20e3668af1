"""Convolutions in a loop's body, over images that are held channels last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..errors import Refusal
from ..operands import Known
from ..reading import Body, Node
from .step import Step
from .table import operator
from .terms import OtherOrder, Term, joint, written


@operator("Conv", attributes="auto_pad dilations group kernel_shape pads strides")
def _conv(s: Step) -> list[Term]:
    term, known = s.term(), s.known(1)
    rank = len(term.view) - 1
    if (
        not term.batched
        or not term.order
        or term.order[-1] != 0
        or list(term.order[:-1]) != sorted(term.order[:-1])
    ):
        raise OtherOrder("an image is convolved that is not held channels last")
    axes = [axis - 1 for axis in term.order[:-1]]
    if known is None or known.is_open or known.array.ndim != rank + 2 or not 1 <= len(axes) <= 3:
        raise Refusal("the kernel is no constant of as many axes as the image")
    if any(known.array.shape[2 + axis] != 1 for axis in range(rank) if axis not in axes):
        raise Refusal("a window is larger than the image")
    groups = s.attribute("group", 1)
    if known.array.shape[0] % groups or known.array.shape[1] * groups != term.shape[-1]:
        raise Refusal(f"a kernel {list(known.array.shape)} for {term.shape[-1]} channels")
    stride, dilation = (_one(s, name, axes) for name in ("strides", "dilations"))
    spans = [(known.array.shape[2 + axis] - 1) * dilation for axis in axes]
    pads = _padding(s, spans, stride, axes)
    sizes = [
        (size + (sum(pads) if pads else span) - span - 1) // stride + 1
        for size, span in zip(term.shape, spans, strict=False)
    ]
    if min(sizes) < 1:
        raise Refusal("a window is larger than the image")
    options = {"stride": stride, "dilation": dilation}
    given = "".join(f", {name}={value}" for name, value in options.items() if value != 1)
    if pads:
        given = f", pad={pads[0]}{f', pad_end={pads[1]}' if pads[0] != pads[1] else ''}{given}"
    kernel = s.writer.kernel(s.node.inputs[1], axes)
    text = written(f"convolve(x, k{given})", {"x": term.text, "k": kernel})
    convolved = term.seen(text, (*sizes, known.array.shape[0]))
    if not s.has(2):
        return [convolved]
    bias = s.known(2)
    if bias is None or bias.array.shape != (known.array.shape[0],):
        raise Refusal("the bias is no constant with a number for each filter")
    added = s.writer.term(s.node.inputs[2])
    view = (*added.shape, *(1,) * rank)
    seen = Term(added.text, added.shape, view, added.dtype, False, order=convolved.order)
    return [joint("a + b", {"a": convolved, "b": seen})]


def _one(s: Step, name: str, axes: Sequence[int]) -> int:
    """An attribute with one number per axis that must be the same for all axes. Raises Refusal."""
    given = s.attribute(name)
    values = {1} if given is None else {int(given[axis]) for axis in axes}
    if len(values) != 1:
        raise Refusal(f"attribute {name}: differs from axis to axis")
    return values.pop()


def _padding(s: Step, spans: list[int], stride: int, axes: Sequence[int]) -> tuple[int, int] | None:
    """The number of zeros before and after, the same on all axes; None if the image keeps its size. Raises Refusal."""
    auto = s.attribute("auto_pad", "NOTSET")
    if auto == "VALID":
        return 0, 0
    if auto == "SAME_UPPER" and stride == 1:
        return None
    if auto != "NOTSET":
        raise Refusal(f"{auto} is not supported in a loop")
    rank = len(s.term().view) - 1
    pads = [int(pad) for pad in s.attribute("pads", (0,) * 2 * rank)]
    if any(pads[axis] or pads[rank + axis] for axis in range(rank) if axis not in axes):
        raise Refusal("attribute pads: an axis of one cell gets more")
    low, high = [pads[axis] for axis in axes], [pads[rank + axis] for axis in axes]
    if low == [span // 2 for span in spans] and high == [span - span // 2 for span in spans]:
        return None
    if len(set(low)) == len(set(high)) == 1:
        return low[0], high[0]
    raise Refusal("attribute pads: differs from axis to axis")


def without_pads(body: Body, known: Callable[[str], Known | None]) -> Body:
    """The body with Pads merged into the convolutions that read them, even through nodes that move axes."""
    makers = {name: node for node in body.nodes if not node.domain for name in node.outputs}
    nodes: list[Node] = []
    for node in body.nodes:
        between: list[Node] = []
        before = makers.get(node.inputs[0]) if node.op == "Conv" and not node.domain else None
        while before is not None and before.op == "Transpose" and "perm" in before.attributes:
            between.insert(0, before)
            before = makers.get(before.inputs[0])
        around = _zeros_around(before, known) if before is not None and before.op == "Pad" else None
        padded = None if around is None else _with_pads(node, between, *around)
        if before is None or padded is None:
            nodes.append(node)
            continue
        name = before.inputs[0]
        for transpose in between:
            output = f"{transpose.outputs[0]} of {node.outputs[0]}, unpadded"
            nodes.append(replace(transpose, inputs=(name,), outputs=(output,)))
            name = output
        nodes.append(replace(padded, inputs=(name, *node.inputs[1:])))
    read = {name for node in nodes for name in node.reads} | set(body.outputs)
    for node in reversed(nodes.copy()):  # nodes that only led to convolutions
        if node.op in ("Pad", "Transpose") and not read & set(node.outputs):
            nodes.remove(node)
            read = {name for kept in nodes for name in kept.reads} | set(body.outputs)
    return replace(body, nodes=tuple(nodes))


def _with_pads(node: Node, between: list[Node], low: list[int], high: list[int]) -> Node | None:
    """A convolution with additional zero padding, if it can have that."""
    for transpose in between:
        order = [int(axis) for axis in transpose.attributes["perm"]]
        if sorted(order) != list(range(len(low))):
            return None
        low, high = [low[axis] for axis in order], [high[axis] for axis in order]
    own = node.attributes.get("pads") or (0,) * 2 * (len(low) - 2)
    if node.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or len(own) != 2 * (len(low) - 2):
        return None
    if any((*low[:2], *high[:2])):
        return None
    sums = tuple(int(a) + b for a, b in zip(own, (*low[2:], *high[2:]), strict=True))
    return replace(node, attributes={**node.attributes, "auto_pad": "NOTSET", "pads": sums})


def _zeros_around(node: Node, known: Callable[[str], Known | None]) -> tuple[list[int], list[int]] | None:
    """How many zeros a Pad puts before and after each axis, if that is all it does."""
    sizes: Any = node.attributes.get("pads")
    if (
        sizes is None
        and len(node.inputs) > 1
        and (value := known(node.inputs[1])) is not None
        and not value.is_open
    ):
        sizes = value.array.reshape(-1)
    fill = known(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    filled = len(node.inputs) > 2 and node.inputs[2] and (fill is None or fill.is_open or fill.array.any())
    if sizes is None or filled or node.attributes.get("value") or len(node.inputs) > 3 or len(sizes) < 6:
        return None
    numbers = [int(size) for size in sizes]
    if node.attributes.get("mode", "constant") != "constant" or len(numbers) % 2 or min(numbers) < 0:
        return None
    return numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]
