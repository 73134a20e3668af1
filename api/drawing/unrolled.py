"""Draws a spec's layers unrolled in time: side by side, one copy per step, all with the parameters of the first.

Sequences of the same length share a timeline; an encoder and a decoder have one each, side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from netwright.specs.checks.wiring import Ref
from netwright.specs.dims import DimLike, Shape
from netwright.specs.models.layers.recurrent import RecurrentLayer

from ..describe import describe, directions, family, shape_text, states
from .layers import LayerPicture, input_id, output_id
from .picture import Arrow, Box, Picture


def unrolled(layers: LayerPicture, steps: int) -> Picture:
    """Draws the first steps in time and the last one; a sequence of at most ``steps`` steps is drawn whole.

    A layer that acts at each step alone has one copy per step. A layer that mixes steps, and everything before or after
    the sequence, is drawn once. Raises ValueError if there is no recurrence.
    """
    inside, lengths = layers.timelines()
    if not lengths:
        raise ValueError("there is no recurrent layer to unroll")
    lines, start = [], 0
    for length in lengths:
        lines.append(_timeline(length, steps, start))
        start = (
            lines[-1].columns[-1] + 3
        )  # between two timelines is room for states before the first step and after the last
    return _Unrolled(layers, inside, lines).draw()


@dataclass(frozen=True)
class _Timeline:
    """The columns of steps, and what each step is called. ``jump`` is the column after steps that are left out."""

    columns: list[int]
    names: dict[int, str]
    jump: int | None
    whole: bool

    @property
    def first(self) -> int:
        return self.columns[0]

    @property
    def last(self) -> int:
        return self.columns[-1]


def _timeline(length: DimLike, steps: int, start: int) -> _Timeline:
    whole = isinstance(length, int) and length <= steps
    count = length if isinstance(length, int) and whole else steps
    columns = list(range(start, start + count))
    names = {column: str(number) for number, column in enumerate(columns)}
    if not whole and count > 1:
        names[columns[-1]] = str(length - 1) if isinstance(length, int) else f"{length}−1"
    return _Timeline(columns, names, None if whole or count == 1 else columns[-1], whole)


class _Unrolled:
    def __init__(self, layers: LayerPicture, inside: dict[str, int], lines: list[_Timeline]):
        self.layers, self.inside, self.lines = layers, inside, lines
        self.boxes: list[Box] = []
        self.arrows: list[Arrow] = []

    def draw(self) -> Picture:
        load, network = self.layers.load, self.layers.network
        before = min(line.first for line in self.lines) - 2
        for name, type in network.inputs.items():
            if name in self.inside:
                line = self._line(name)
                for column in line.columns:
                    title = f"{name}({line.names[column]})"
                    self._box(
                        input_id(name), title, type.dtype, _without_time(type.shape), "input", name, column
                    )
            else:
                shape = shape_text(type.shape)
                self.boxes.append(Box(input_id(name), name, (type.dtype,), shape, "input", column=before))
        for name in load.wiring.order:
            self._layer(name)
        for name, ref in load.wiring.outputs.items():
            shape = network.outputs[name].type.shape
            if self._each(ref):
                line = self._line(ref.name)
                for column in line.columns:
                    title = f"{name}({line.names[column]})"
                    self._box(
                        output_id(name), title, "output", _without_time(shape), "output", ref.name, column
                    )
                    self._arrow(ref, f"{output_id(name)}@{column}", ref.name, column)
            else:
                self.boxes.append(
                    Box(
                        output_id(name),
                        name,
                        ("output",),
                        shape_text(shape),
                        "output",
                        column=self._column([ref]),
                    )
                )
                self._arrow(ref, output_id(name))
        subtitle = (
            f"{self.layers.subtitle()} · unrolled in time: dashed boxes use the parameters of the first"
        )
        return Picture(network.model, subtitle, tuple(self.boxes), tuple(self.arrows))

    def _line(self, name: str) -> _Timeline:
        """The timeline of a layer or an input; of a recurrence also if its output has no steps."""
        number = self.inside.get(name)
        if number is None:
            number = self.inside[self.layers.load.wiring.inputs[name][0].name]
        return self.lines[number]

    def _layer(self, name: str) -> None:
        wiring, spec = self.layers.load.wiring, self.layers.specs[name]
        shape = self.layers.shapes[name]
        recurrent = isinstance(spec, RecurrentLayer)
        shared = f"parameters of {spec.share}" if spec.share else ""
        if not recurrent and name not in self.inside:
            column = self._column(wiring.inputs[name])
            self.boxes.append(
                Box(
                    name,
                    name,
                    (describe(spec),),
                    shape_text(shape),
                    family(spec),
                    column=column,
                    tag=shared,
                )
            )
            for ref in wiring.inputs[name]:
                self._arrow(ref, name)
            return
        sequences = not isinstance(spec, RecurrentLayer) or spec.return_sequences
        line = self._line(name)
        for column in line.columns:
            tag = shared or ("same parameters" if column != line.first and self.layers.owned[name] else "")
            size = _without_time(shape) if sequences else shape
            self._box(name, name, describe(spec), size, family(spec), name, column, tag)
            for ref in wiring.inputs[name]:
                self._arrow(ref, f"{name}@{column}", name, column)
        if isinstance(spec, RecurrentLayer):
            self._states(name, spec, line)

    def _states(self, name: str, spec: RecurrentLayer, line: _Timeline) -> None:
        carried = states(spec, self.layers.load.cells)
        label, first, last = ", ".join(carried), line.first, line.last
        given = self.layers.load.wiring.given.get(name, {})
        number = self.lines.index(line)
        for way in directions(spec):
            start, path = (first, line.columns) if way > 0 else (last, line.columns[::-1])
            before = "−1" if way > 0 else "end"
            ghosts = [
                f"{state}({before}) = {_start_word(spec, state)}" for state in carried if state not in given
            ]
            if ghosts:
                place = first - 1 if way > 0 else last + 1
                id = f"{name}@start{way}"
                self.boxes.append(
                    Box(
                        id,
                        ghosts[0],
                        tuple(ghosts[1:]),
                        "",
                        "ghost",
                        row=name,
                        column=place,
                        timeline=number,
                    )
                )
                self.arrows.append(Arrow(id, f"{name}@{start}", kind="state"))
            if not line.whole and first == last and way > 0:
                id = f"{name}@more"
                self.boxes.append(Box(id, "⋯", (), "", "ghost", row=name, column=last + 1, timeline=number))
                self.arrows.append(Arrow(f"{name}@{last}", id, label, "state"))
            for step, after in pairwise(path):
                text = (
                    f"⋯ {label} ⋯" if line.jump in (step, after) and max(step, after) == line.jump else label
                )
                self.arrows.append(
                    Arrow(f"{name}@{step}", f"{name}@{after}", text if way > 0 else "", "state")
                )
        self._given(name, line, given)

    def _given(self, name: str, line: _Timeline, given: Mapping[str, Ref]) -> None:
        """Arrows of the states that a recurrence begins with. Those from another timeline go from left to right."""
        sources: dict[str, list[str]] = {}
        for state, ref in given.items():
            sources.setdefault(self._source(ref, None), []).append(f"{state}(−1)")
        columns = {box.id: box.column for box in self.boxes if box.row}
        for source, names in sources.items():
            beside = source in columns and columns[source] < line.first
            self.arrows.append(
                Arrow(source, f"{name}@{line.first}", ", ".join(names), "state" if beside else "data")
            )

    def _box(
        self,
        row: str,
        title: str,
        text: str,
        shape: Shape,
        kind: str,
        name: str,
        column: int,
        tag: str = "",
    ) -> None:
        self.boxes.append(
            Box(
                f"{row}@{column}",
                title,
                (text,),
                shape_text(shape),
                kind,  # type: ignore[arg-type]
                row=row,
                column=column,
                timeline=self.lines.index(self._line(name)),
                tag=tag,
            )
        )

    def _column(self, refs: list[Ref] | tuple[Ref, ...]) -> int:
        """Near which step something stands that is drawn once: below what it reads, or between two timelines."""
        boxes = {box.id: box for box in self.boxes}
        read = [boxes[id] for ref in refs if (id := self._source(ref, None)) in boxes]
        lines = {box.timeline for box in read if box.row}
        if len(lines) > 1:
            return self.lines[max(lines)].first - 1
        return max((box.column for box in read), default=0)

    def _each(self, ref: Ref) -> bool:
        """Whether the value read has one element per step."""
        if ref.port is not None:
            return ref.port.endswith("_all")
        return ref.name in self.inside

    def _copies(self, ref: Ref) -> bool:
        return ref.name in self.inside or isinstance(self.layers.specs.get(ref.name), RecurrentLayer)

    def _source(self, ref: Ref, column: int | None) -> str:
        """The box that a reference names: in a column, or the one with the final value."""
        name = self.layers.box_id(ref)
        if not self._copies(ref):
            return name
        line = self._line(ref.name)
        spec = self.layers.specs.get(ref.name)
        backwards = isinstance(spec, RecurrentLayer) and directions(spec) == (-1,)
        final = line.first if backwards else line.last
        return f"{name}@{final if column is None else column}"

    def _arrow(self, ref: Ref, target: str, reader: str = "", column: int | None = None) -> None:
        """Draws arrows from what ``ref`` names to a box, of a ``reader`` in a column: from the copy in the same column,
        from the final one, or from all if the reader mixes steps.
        """
        if self._each(ref) and self._copies(ref):
            line = self._line(ref.name)
            same = column is not None and self._line(reader) is line
            steps = [column] if same else line.columns
            self.arrows += [Arrow(self._source(ref, step), target, ref.port or "") for step in steps]
            return
        self.arrows.append(Arrow(self._source(ref, None), target, ref.port or ""))


def _start_word(spec: RecurrentLayer, state: str) -> str:
    start = spec.initial_state
    word = start if isinstance(start, str) else start.get(state, "zeros")
    return "0" if word == "zeros" else word


def _without_time(shape: Shape) -> Shape:
    return (shape[0], *shape[2:])
