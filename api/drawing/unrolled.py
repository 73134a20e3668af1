"""Draws a spec's layers unrolled in time: side by side, one copy per step, all with the parameters of the first."""

from __future__ import annotations

from itertools import pairwise

from netwright.specs.checks.wiring import Ref
from netwright.specs.dims import Shape
from netwright.specs.models.layers.recurrent import RecurrentLayer

from ..describe import describe, directions, family, shape_text, states
from .layers import LayerPicture, input_id, output_id
from .picture import Arrow, Box, Picture


def unrolled(layers: LayerPicture, steps: int) -> Picture:
    """Draws the first steps in time and the last one; a sequence of at most ``steps`` steps is drawn whole.

    A layer that acts at each step alone has one copy per step. A layer that mixes steps, and everything before or after
    the sequence, is drawn once. Raises ValueError if there is no recurrence.
    """
    inside, length = layers.in_time()
    if length is None:
        raise ValueError("there is no recurrent layer to unroll")
    whole = isinstance(length, int) and length <= steps
    count = length if isinstance(length, int) and whole else steps
    names = {column: str(column) for column in range(count)}
    if not whole and count > 1:
        names[count - 1] = str(length - 1) if isinstance(length, int) else f"{length}−1"
    return _Unrolled(layers, inside, list(range(count)), names, None if whole else max(1, count - 1)).draw()


class _Unrolled:
    def __init__(
        self,
        layers: LayerPicture,
        inside: set[str],
        columns: list[int],
        names: dict[int, str],
        gap: int | None,
    ):
        self.layers, self.inside, self.columns, self.names, self.gap = layers, inside, columns, names, gap
        self.boxes: list[Box] = []
        self.arrows: list[Arrow] = []

    def draw(self) -> Picture:
        load, network = self.layers.load, self.layers.network
        for name, type in network.inputs.items():
            if name in self.inside:
                for column in self.columns:
                    title = f"{name}({self.names[column]})"
                    self._box(input_id(name), title, type.dtype, _without_time(type.shape), "input", column)
            else:
                self.boxes.append(Box(input_id(name), name, (type.dtype,), shape_text(type.shape), "input"))
        for name in load.wiring.order:
            self._layer(name)
        for name, ref in load.wiring.outputs.items():
            shape = network.outputs[name].type.shape
            if self._each(ref):
                for column in self.columns:
                    title = f"{name}({self.names[column]})"
                    self._box(output_id(name), title, "output", _without_time(shape), "output", column)
                    self._arrow(ref, f"{output_id(name)}@{column}", column)
            else:
                self.boxes.append(Box(output_id(name), name, ("output",), shape_text(shape), "output"))
                self._arrow(ref, output_id(name), None)
        subtitle = (
            f"{self.layers.subtitle()} · unrolled in time: dashed boxes use the parameters of the first"
        )
        return Picture(network.model, subtitle, tuple(self.boxes), tuple(self.arrows))

    def _layer(self, name: str) -> None:
        wiring, spec = self.layers.load.wiring, self.layers.specs[name]
        shape = self.layers.shapes[name]
        recurrent = isinstance(spec, RecurrentLayer)
        shared = f"parameters of {spec.share}" if spec.share else ""
        if not recurrent and name not in self.inside:
            self.boxes.append(Box(name, name, (describe(spec),), shape_text(shape), family(spec), tag=shared))
            for ref in wiring.inputs[name]:
                self._arrow(ref, name, None)
            return
        sequences = not isinstance(spec, RecurrentLayer) or spec.return_sequences
        for column in self.columns:
            tag = shared or ("same parameters" if column and self.layers.owned[name] else "")
            size = _without_time(shape) if sequences else shape
            self._box(name, name, describe(spec), size, family(spec), column, tag)
            for ref in wiring.inputs[name]:
                self._arrow(ref, f"{name}@{column}", column)
        if isinstance(spec, RecurrentLayer):
            self._states(name, spec)

    def _states(self, name: str, spec: RecurrentLayer) -> None:
        carried = states(spec, self.layers.load.cells)
        label, first, last = ", ".join(carried), self.columns[0], self.columns[-1]
        given = self.layers.load.wiring.given.get(name, {})
        for way in directions(spec):
            start, path = (first, self.columns) if way > 0 else (last, self.columns[::-1])
            before = "−1" if way > 0 else "end"
            ghosts = [
                f"{state}({before}) = {_start_word(spec, state)}" for state in carried if state not in given
            ]
            if ghosts:
                place = first - 1 if way > 0 else last + 1
                id = f"{name}@start{way}"
                self.boxes.append(Box(id, ghosts[0], tuple(ghosts[1:]), "", "ghost", row=name, column=place))
                self.arrows.append(Arrow(id, f"{name}@{start}", kind="state"))
            if self.gap is not None and len(self.columns) == 1 and way > 0:
                self.boxes.append(Box(f"{name}@more", "⋯", (), "", "ghost", row=name, column=last + 1))
                self.arrows.append(Arrow(f"{name}@{last}", f"{name}@more", label, "state"))
            for step, after in pairwise(path):
                jump = self.gap is not None and {step, after} == {self.gap - 1, self.gap}
                text = f"⋯ {label} ⋯" if jump else label
                self.arrows.append(
                    Arrow(f"{name}@{step}", f"{name}@{after}", text if way > 0 else "", "state")
                )
        for state, ref in given.items():
            self.arrows.append(Arrow(self._source(ref, None), f"{name}@{first}", f"{state}(−1)"))

    def _box(
        self, name: str, title: str, line: str, shape: Shape, kind: str, column: int, tag: str = ""
    ) -> None:
        text = shape_text(shape)
        self.boxes.append(
            Box(f"{name}@{column}", title, (line,), text, kind, row=name, column=column, tag=tag)  # type: ignore[arg-type]
        )

    def _each(self, ref: Ref) -> bool:
        """Whether the value read has one element per step."""
        if ref.port is not None:
            return ref.port.endswith("_all")
        return ref.name in self.inside

    def _copies(self, ref: Ref) -> bool:
        return ref.name in self.inside or isinstance(self.layers.specs.get(ref.name), RecurrentLayer)

    def _source(self, ref: Ref, column: int | None) -> str:
        name = self.layers.box_id(ref)
        if not self._copies(ref):
            return name
        return f"{name}@{self.columns[-1] if column is None else column}"

    def _arrow(self, ref: Ref, target: str, column: int | None) -> None:
        """Draws arrows from what ``ref`` names: from the copy in the same column, from the last one, or from all if the
        reader mixes steps.
        """
        if column is None and self._each(ref) and self._copies(ref):
            self.arrows += [Arrow(self._source(ref, step), target, ref.port or "") for step in self.columns]
            return
        spec = self.layers.specs.get(ref.name)
        backwards = isinstance(spec, RecurrentLayer) and directions(spec) == (-1,)
        if column is None and backwards:
            column = self.columns[0]
        self.arrows.append(
            Arrow(self._source(ref, column if self._each(ref) or backwards else None), target, ref.port or "")
        )


def _start_word(spec: RecurrentLayer, state: str) -> str:
    start = spec.initial_state
    word = start if isinstance(start, str) else start.get(state, "zeros")
    return "0" if word == "zeros" else word


def _without_time(shape: Shape) -> Shape:
    return (shape[0], *shape[2:])
