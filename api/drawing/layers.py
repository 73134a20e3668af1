"""A spec's layers as a picture: rolled, recurrences as loops, or unrolled in time, a copy of each layer a step."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from netwright.compiler.frontend.network import Network
from netwright.specs.dims import Shape
from netwright.specs.layers import LayerSpec, RecurrentLayer
from netwright.specs.load import LoadResult
from netwright.specs.wiring import Ref

from ..describe import count_text, describe, directions, family, shape_text, states
from .picture import Arrow, Box, Picture


class LayerPicture:
    """Draws the layers of a valid network."""

    def __init__(self, load: LoadResult, network: Network):
        assert load.model is not None
        self.load, self.network = load, network
        self.specs: Mapping[str, LayerSpec] = {layer.name: layer for layer in load.model.layers}
        self.shapes: dict[str, Shape] = {name: type.shape for name, type in network.inputs.items()}
        self.shapes |= {info.name: info.outputs[""].shape for info in network.layers}
        self.owned = {info.name: info.parameters for info in network.layers}

    def rolled(self) -> Picture:
        """Every layer once."""
        boxes = [
            Box(_input(name), name, (type.dtype,), shape_text(type.shape), "input")
            for name, type in self.network.inputs.items()
        ]
        arrows = []
        for name in self.load.wiring.order:
            spec = self.specs[name]
            boxes.append(
                Box(
                    name,
                    name,
                    (describe(spec),),
                    shape_text(self.shapes[name]),
                    family(spec),
                    loops=self._loops(spec),
                    tag=f"parameters of {spec.share}" if spec.share else "",
                )
            )
            arrows += [Arrow(self._id(ref), name, ref.port or "") for ref in self.load.wiring.inputs[name]]
            for state, ref in self.load.wiring.given.get(name, {}).items():
                arrows.append(Arrow(self._id(ref), name, f"{state}(−1)"))
        for name, ref in self.load.wiring.outputs.items():
            type = self.network.outputs[name].type
            boxes.append(Box(_output(name), name, ("output",), shape_text(type.shape), "output"))
            arrows.append(Arrow(self._id(ref), _output(name), ref.port or ""))
        return Picture(self.network.model, self.subtitle(), tuple(boxes), tuple(arrows))

    def subtitle(self) -> str:
        """What stands below the title."""
        count = 0
        for parameter in self.network.parameters.values():
            size = 1
            for axis in parameter.type.shape:
                size *= axis if isinstance(axis, int) else 1
            count += size if parameter.kind == "parameter" else 0
        dims = [f"{name}: {info.role}" for name, info in self.network.dims.items() if info.role]
        return " · ".join([count_text(len(self.specs), "layer"), count_text(count, "parameter"), *dims])

    def _loops(self, spec: LayerSpec) -> tuple[str, ...]:
        if not isinstance(spec, RecurrentLayer):
            return ()
        carried = ", ".join(states(spec, self.load.cells))
        return tuple(f"{carried} (t{'−' if way > 0 else '+'}1)" for way in directions(spec))

    def _id(self, ref: Ref) -> str:
        return _input(ref.name) if ref.name in self.network.inputs else ref.name

    # Unrolled.

    def unrolled(self, steps: int) -> Picture:
        """The first steps in time and the last one; a sequence of at most ``steps`` steps whole.

        A layer that acts at each step alone has a copy a step, with the parameters of the first; a layer that mixes
        steps, and what comes before or after time, is drawn once. Raises ValueError where nothing recurs.
        """
        inside, length = self._in_time()
        if length is None:
            raise ValueError("there is no recurrent layer to unroll")
        whole = isinstance(length, int) and length <= steps
        if whole:
            steps = length  # type: ignore[assignment]
        columns = list(range(steps))
        names = {column: str(column) for column in columns}
        if not whole and steps > 1:
            names[steps - 1] = f"{length}−1" if not isinstance(length, int) else str(length - 1)
        return _Unrolled(self, inside, columns, names, None if whole else max(1, steps - 1)).draw()

    def _in_time(self) -> tuple[set[str], object]:
        """The inputs and layers that have one value a step, and the number of steps."""
        wiring = self.load.wiring
        recurrent = [name for name, spec in self.specs.items() if isinstance(spec, RecurrentLayer)]
        if not recurrent:
            return set(), None
        length = self.shapes[wiring.inputs[recurrent[0]][0].name][1]
        inside = {ref.name for name in recurrent for ref in wiring.inputs[name]}
        for name in reversed(wiring.order):  # who gives a sequence step by step, reads one
            if name in inside and self._stepwise(name, length):
                inside |= {ref.name for ref in wiring.inputs[name] if self._runs(ref.name, length)}
        for name in wiring.order:
            reads = [ref.name for ref in wiring.inputs[name]]
            if any(one in inside for one in reads) and self._stepwise(name, length):
                inside.add(name)
        return inside, length

    def _runs(self, name: str, length: object) -> bool:
        shape = self.shapes[name]
        return len(shape) >= 2 and shape[1] == length

    def _stepwise(self, name: str, length: object) -> bool:
        """Whether step t of the layer's output depends on step t of its inputs alone (and on states)."""
        spec = self.specs[name]
        kind = family(spec)
        if isinstance(spec, RecurrentLayer):
            return spec.return_sequences
        keeps = kind in ("dense", "activation", "norm") or (kind == "join" and getattr(spec, "axis", -1) != 1)
        return keeps and self._runs(name, length)


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
                    self._box(_input(name), title, type.dtype, _without_time(type.shape), "input", column)
            else:
                self.boxes.append(Box(_input(name), name, (type.dtype,), shape_text(type.shape), "input"))
        for name in load.wiring.order:
            self._layer(name)
        for name, ref in load.wiring.outputs.items():
            shape = network.outputs[name].type.shape
            if self._each(ref):
                for column in self.columns:
                    title = f"{name}({self.names[column]})"
                    self._box(_output(name), title, "output", _without_time(shape), "output", column)
                    self._arrow(ref, f"{_output(name)}@{column}", column)
            else:
                self.boxes.append(Box(_output(name), name, ("output",), shape_text(shape), "output"))
                self._arrow(ref, _output(name), None)
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
            for one, two in pairwise(path):
                jump = self.gap is not None and {one, two} == {self.gap - 1, self.gap}
                text = f"⋯ {label} ⋯" if jump else label
                self.arrows.append(Arrow(f"{name}@{one}", f"{name}@{two}", text if way > 0 else "", "state"))
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
        """Whether what is read has one value a step."""
        if ref.port is not None:
            return ref.port.endswith("_all")
        return ref.name in self.inside

    def _copies(self, ref: Ref) -> bool:
        return ref.name in self.inside or isinstance(self.layers.specs.get(ref.name), RecurrentLayer)

    def _source(self, ref: Ref, column: int | None) -> str:
        name = self.layers._id(ref)
        if not self._copies(ref):
            return name
        return f"{name}@{self.columns[-1] if column is None else column}"

    def _arrow(self, ref: Ref, target: str, column: int | None) -> None:
        """From what ``ref`` names: the copy of the column, or the last one, or all where time is mixed."""
        if column is None and self._each(ref) and self._copies(ref):
            self.arrows += [Arrow(self._source(ref, one), target, ref.port or "") for one in self.columns]
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


def _input(name: str) -> str:
    return f"input:{name}"


def _output(name: str) -> str:
    return f"output:{name}"
