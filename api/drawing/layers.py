"""Draws a spec's layers, each once, with recurrences as loops; and finds the layers that act step by step in time."""

from __future__ import annotations

from collections.abc import Mapping

from netwright.compiler.frontend.network import Network
from netwright.specs.checks.wiring import Ref
from netwright.specs.dims import Shape
from netwright.specs.load import LoadResult
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.models.layers.recurrent import RecurrentLayer

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
            Box(input_id(name), name, (type.dtype,), shape_text(type.shape), "input")
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
                    group=name.rpartition(".")[0],
                )
            )
            arrows += [Arrow(self.box_id(ref), name, ref.port or "") for ref in self.load.wiring.inputs[name]]
            for state, ref in self.load.wiring.given.get(name, {}).items():
                arrows.append(Arrow(self.box_id(ref), name, f"{state}(−1)"))
        for name, ref in self.load.wiring.outputs.items():
            type = self.network.outputs[name].type
            boxes.append(Box(output_id(name), name, ("output",), shape_text(type.shape), "output"))
            arrows.append(Arrow(self.box_id(ref), output_id(name), ref.port or ""))
        return Picture(self.network.model, self.subtitle(), tuple(boxes), tuple(arrows))

    def subtitle(self) -> str:
        """The text below the title."""
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

    def box_id(self, ref: Ref) -> str:
        """The id of the box that a reference names."""
        return input_id(ref.name) if ref.name in self.network.inputs else ref.name

    def in_time(self) -> tuple[set[str], object]:
        """The inputs and layers that have one value per step, and the number of steps."""
        wiring = self.load.wiring
        recurrent = [name for name, spec in self.specs.items() if isinstance(spec, RecurrentLayer)]
        if not recurrent:
            return set(), None
        length = self.shapes[wiring.inputs[recurrent[0]][0].name][1]
        inside = {ref.name for name in recurrent for ref in wiring.inputs[name]}
        for name in reversed(wiring.order):  # a layer that makes a sequence step by step reads one
            if name in inside and self._stepwise(name, length):
                inside |= {ref.name for ref in wiring.inputs[name] if self._runs(ref.name, length)}
        for name in wiring.order:
            reads = [ref.name for ref in wiring.inputs[name]]
            if any(read in inside for read in reads) and self._stepwise(name, length):
                inside.add(name)
        return inside, length

    def _runs(self, name: str, length: object) -> bool:
        shape = self.shapes[name]
        return len(shape) >= 2 and shape[1] == length

    def _stepwise(self, name: str, length: object) -> bool:
        """Whether step t of the layer's output depends only on step t of its inputs (and on states)."""
        spec = self.specs[name]
        kind = family(spec)
        if isinstance(spec, RecurrentLayer):
            return spec.return_sequences
        keeps = kind in ("dense", "activation", "norm") or (kind == "join" and getattr(spec, "axis", -1) != 1)
        return keeps and self._runs(name, length)


def input_id(name: str) -> str:
    """The id of an input's box."""
    return f"input:{name}"


def output_id(name: str) -> str:
    """The id of an output's box."""
    return f"output:{name}"
