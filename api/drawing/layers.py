"""Draws a spec's layers, each once, with recurrences as loops; and finds the layers that act step by step in time."""

from __future__ import annotations

from collections.abc import Mapping

from netwright.compiler.frontend.network import Network
from netwright.specs.checks.wiring import Ref
from netwright.specs.dims import DimLike, Shape
from netwright.specs.load import LoadResult
from netwright.specs.models.layers.activation import ActivationLayer, PRelu
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.models.layers.dense import Dense, Embedding
from netwright.specs.models.layers.recurrent import RecurrentLayer
from netwright.specs.models.layers.reduction import Argmax
from netwright.specs.models.layers.shaping import Add, Concat, Multiply
from netwright.specs.models.layers.time_distributed import TimeDistributed

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

    def timelines(self) -> tuple[dict[str, int], list[DimLike]]:
        """The inputs and layers that have one value per step, each with the number of its timeline, and the numbers of
        steps of the timelines. Recurrences over sequences of the same length share one.
        """
        wiring = self.load.wiring
        recurrent = [name for name in wiring.order if isinstance(self.specs[name], RecurrentLayer)]
        lengths = list(dict.fromkeys(self.shapes[wiring.inputs[name][0].name][1] for name in recurrent))
        inside: dict[str, int] = {}
        for number, length in enumerate(lengths):
            for name in self._inside(length, recurrent):
                inside.setdefault(name, number)
        return inside, lengths

    def _inside(self, length: DimLike, recurrent: list[str]) -> set[str]:
        """What has a value per step of sequences of this length."""
        wiring = self.load.wiring
        own = [name for name in recurrent if self.shapes[wiring.inputs[name][0].name][1] == length]
        inside = {ref.name for name in own for ref in wiring.inputs[name]}
        for name in reversed(wiring.order):  # a layer that makes a sequence step by step reads one
            if name in inside and self._stepwise(name, length):
                inside |= {ref.name for ref in wiring.inputs[name] if self._runs(ref.name, length)}
        for name in wiring.order:
            reads = [ref.name for ref in wiring.inputs[name]]
            if any(read in inside for read in reads) and self._stepwise(name, length):
                inside.add(name)
        return inside

    def _runs(self, name: str, length: DimLike) -> bool:
        shape = self.shapes[name]
        return len(shape) >= 2 and shape[1] == length

    def _stepwise(self, name: str, length: DimLike) -> bool:
        """Whether step t of the layer's output depends only on step t of its inputs (and on states)."""
        spec = self.specs[name]
        if isinstance(spec, RecurrentLayer):
            return spec.return_sequences
        return self._runs(name, length) and _acts_on_features(spec)


def _acts_on_features(spec: LayerSpec) -> bool:
    """Whether a layer leaves the steps of a sequence apart, if its output still has them."""
    if isinstance(spec, Concat | Argmax):
        return spec.axis != 1
    return isinstance(
        spec, Dense | Embedding | Add | Multiply | ActivationLayer | PRelu | TimeDistributed
    ) or (family(spec) == "norm")


def input_id(name: str) -> str:
    """The id of an input's box."""
    return f"input:{name}"


def output_id(name: str) -> str:
    """The id of an output's box."""
    return f"output:{name}"
