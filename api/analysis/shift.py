"""Shift analysis: to which shifts of its inputs each output is equivariant or invariant, and which layer breaks it.

An output is *equivariant* to a shift if it is shifted too, *invariant* if it does not change. A scan with shared
weights is equivariant to multiples of its stride. A maximum over all positions turns that into invariance. A dense
layer on flattened positions has one weight per position and breaks both. Borders are left out: the verdicts hold for
content that stays away from padding and cut-off cells.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table

from netwright.compiler.frontend.analyses.work import layer_of
from netwright.compiler.frontend.build import layer_graph
from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Value
from netwright.compiler.graph.types import FLOATS, TensorType
from netwright.specs.dims import DimLike, Shape
from netwright.specs.load import LoadResult
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.models.layers.slicing import Transpose
from netwright.specs.models.layers.spectrum import Spectrogram

from ..describe import count_text
from .motion import Motion
from .track import track

Verdict = Literal["equivariant", "invariant", "neither", "independent"]
_NAMES = {1: ("step",), 2: ("row", "column"), 3: ("slice", "row", "column")}


@dataclass(frozen=True, slots=True)
class InputAxis:
    """An axis of an input along which content can move: time, rows, columns."""

    input: str
    axis: int
    name: str
    size: DimLike

    def __str__(self) -> str:
        return f"{self.input}: {self.name}s"


@dataclass(frozen=True, slots=True)
class Answer:
    """How an output responds to shifts along an input's axis.

    The verdict holds for shifts by multiples of ``period``. If it is equivariant, a shift by ``period`` cells moves the
    output ``moved`` cells along its axis ``output_axis``. If it is neither, ``layer`` is the first that breaks it, and
    ``reason`` says why.
    """

    axis: InputAxis
    output: str
    verdict: Verdict
    period: int = 1
    output_axis: int | None = None
    moved: int = 0
    layer: str | None = None
    reason: str = ""

    def __str__(self) -> str:
        by = "any shift" if self.period == 1 else f"shifts by multiples of {self.period}"
        if self.verdict == "equivariant":
            moved = count_text(self.period, self.axis.name) + (" moves" if self.period == 1 else " move")
            return f"equivariant to {by}: {moved} it {count_text(self.moved, 'cell')} along axis {self.output_axis}"
        if self.verdict == "invariant":
            return f"invariant to {by}"
        if self.verdict == "independent":
            return "does not depend on it"
        return f"neither: {self.layer} breaks it, {self.reason}" if self.layer else f"neither: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """The verdict as a JSON object."""
        result: dict[str, Any] = {
            "input": self.axis.input,
            "axis": self.axis.axis,
            "output": self.output,
            "verdict": self.verdict,
        }
        if self.verdict in ("equivariant", "invariant"):
            result["period"] = self.period
        if self.verdict == "equivariant":
            result |= {"output_axis": self.output_axis, "moved": self.moved}
        if self.verdict == "neither":
            result |= {"layer": self.layer, "reason": self.reason}
        return result


class ShiftAnalysis:
    """The responses of all outputs, and the motion of every layer's value, for each axis of the inputs."""

    def __init__(self, load: LoadResult, network: Network):
        self.load, self.network = load, network
        self.axes = tuple(
            InputAxis(name, axis, kind, type.shape[axis])
            for name, type in network.inputs.items()
            for axis, kind in _axes(type.shape, _featureless(load, name, type), _order(load, name, type.rank))
        )

    @cached_property
    def graph(self) -> Graph:
        """The whole network as one graph of primitives."""
        return layer_graph(self.load)

    @cached_property
    def motions(self) -> Mapping[InputAxis, Mapping[Value, Motion]]:
        """The motion of every value of the graph, by axis."""
        return {axis: track(self.graph, axis.input, axis.axis) for axis in self.axes}

    def layer_motions(self, layer: str) -> dict[InputAxis, Motion]:
        """The motion of the value of a layer (or port, or input), by axis."""
        value = self.graph.outputs.get(layer) or self.graph.inputs[layer]
        return {axis: motions[value] for axis, motions in self.motions.items()}

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """The response of each output to each axis."""
        answers = []
        for output, ref in self.load.wiring.outputs.items():
            for axis, motion in self.layer_motions(str(ref)).items():
                answers.append(self._answer(axis, output, motion))
        return tuple(answers)

    def _answer(self, axis: InputAxis, output: str, motion: Motion) -> Answer:
        if motion.broken is not None:
            known = {info.name: info.name for info in self.network.layers}
            layer = layer_of(motion.broken.layer, known)
            return Answer(axis, output, "neither", layer=layer or None, reason=motion.broken.reason)
        if not motion.depends:
            return Answer(axis, output, "independent")
        if not motion.moves:
            return Answer(axis, output, "invariant", motion.period)
        places = {place: motion.collapsed(place) for place, _ in motion.moves}
        if len(places) > 1 or None in places.values():
            reason = "positions lie scattered over its axes"
            return Answer(axis, output, "neither", reason=reason)
        ((place, move),) = places.items()
        assert move is not None
        moved = Fraction(motion.period) / move.ratio
        return Answer(axis, output, "equivariant", motion.period, place, int(moved))

    def table(self) -> Table:
        """A table with a row for each output and axis."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("output", style="bold", no_wrap=True)
        table.add_column("shifted", no_wrap=True)
        table.add_column("the output is")
        before = None
        for answer in self.answers:
            table.add_row("" if answer.output == before else answer.output, str(answer.axis), str(answer))
            before = answer.output
        return table

    def to_text(self) -> str:
        """The table as plain text; one line if no input can be shifted."""
        if not self.axes:
            return "no input has an axis to shift along\n"
        file = io.StringIO()
        Console(file=file, width=140, color_system=None, highlight=False, markup=False, emoji=False).print(
            self.table()
        )
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"

    def to_json(self) -> dict[str, Any]:
        """The responses as a JSON object."""
        return {"model": self.network.model, "answers": [answer.to_json() for answer in self.answers]}


def _axes(shape: Shape, featureless: bool, order: Sequence[int]) -> list[tuple[int, str]]:
    """The axes between batch and features, if there are features."""
    count = len(shape) - 1 if featureless else len(shape) - 2
    names = _NAMES.get(count) or tuple(f"cell of axis {axis}" for axis in range(1, count + 1))
    return [(order[place], names[place - 1]) for place in range(1, count + 1) if shape[order[place]] != 1]


def _featureless(load: LoadResult, name: str, type: TensorType) -> bool:
    """Whether an input's last axis is one of positions: integers, such as indices, have no features, nor has sound of
    one channel.
    """
    if type.rank != 2:
        return False
    readers = _readers(load, name)
    return type.dtype not in FLOATS or (
        bool(readers) and all(isinstance(layer, Spectrogram) for layer in readers)
    )


def _readers(load: LoadResult, name: str) -> list[LayerSpec]:
    layers = {layer.name: layer for layer in load.model.layers} if load.model else {}
    return [layers[own] for own, refs in load.wiring.inputs.items() if name in {ref.name for ref in refs}]


def _order(load: LoadResult, name: str, rank: int) -> tuple[int, ...]:
    """The axes of an input in the order batch, positions, features.

    That is their own order unless every reader begins by transposing the input (imported networks keep channels before
    positions).
    """
    orders = {
        tuple(layer.permutation) if isinstance(layer, Transpose) and layer.permutation else None
        for layer in _readers(load, name)
    }
    only = orders.pop() if len(orders) == 1 else None
    return (
        only
        if only is not None and sorted(only) == list(range(rank)) and only[0] == 0
        else tuple(range(rank))
    )
