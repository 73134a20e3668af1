"""What a full check of a text says: diagnostics, fixes that were tried, and the shape of every layer that is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from netwright.compiler.frontend.build import Examined, examine
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.dims import Shape
from netwright.specs.load import LoadResult, load_spec_text
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.reading.documents import recover_text

from ..describe import count_text, describe, shape_text
from ..fixing import check_fixes
from .names import Key, inner_layers


@dataclass(frozen=True)
class Analysis:
    """A text, checked."""

    load: LoadResult
    examined: Examined

    @property
    def diagnostics(self) -> Diagnostics:
        """All findings; fixes are proposals."""
        return self.examined.diagnostics

    @cached_property
    def fixes(self) -> Diagnostics:
        """The findings with the fixes that were tried."""
        return check_fixes(replace(self.load, diagnostics=self.examined.diagnostics))

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The shape of each input, layer and port that is known."""
        shapes = {name: type.shape for name, type in self.examined.inputs.items()}
        for info in self.examined.layers:
            for port, type in info.outputs.items():
                shapes[f"{info.name}.{port}" if port else info.name] = type.shape
        for name, ref in self.load.wiring.stands_for.items():
            if str(ref) in shapes:
                shapes.setdefault(name, shapes[str(ref)])
        return shapes

    @cached_property
    def copies(self) -> dict[Key, list[str]]:
        """The layers that each layer inside a block (or inside another layer) became, by where it is written."""
        source = self.load.diagnostics.sources.get(self.load.file)
        if source is None:
            return {}
        written = {
            layer.start: key for key, layer in inner_layers(recover_text(source.text, source.file)).items()
        }
        copies: dict[Key, list[str]] = {}
        for info in self.examined.layers:
            span = info.span
            key = written.get(source.offset(span.line, span.column)) if span.file == source.file else None
            if key is not None:
                copies.setdefault(key, []).append(info.name)
        return copies

    @cached_property
    def layers(self) -> dict[str, LayerSpec]:
        """The layers that are well, by name."""
        return {layer.name: layer for layer in self.load.partial.layers} if self.load.partial else {}

    def told(self, name: str) -> list[str]:
        """Lines about an input or layer: what it is, its shape, its parameters."""
        lines = []
        if name in self.layers:
            lines.append(describe(self.layers[name]))
        if name in self.shapes:
            lines.append(f"`{shape_text(self.shapes[name])}`")
        count = self.counts.get(name)
        return [*lines, *([count_text(count, "parameter")] if count else [])]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many parameters each layer has."""
        counts: dict[str, int] = {}
        for info in self.examined.layers:
            shapes = [self.examined.parameters[parameter].type.shape for parameter in info.parameters]
            sizes = [[axis for axis in shape if isinstance(axis, int)] for shape in shapes]
            counts[info.name] = counts.get(info.name, 0) + sum(prod(shape) for shape in sizes)
        return counts


def analyse(text: str, file: str, folder: str | None) -> Analysis:
    """Checks a text as the file it will be; included files are read from `folder`."""
    load = load_spec_text(text, file, folder=folder)
    return Analysis(load, examine(load))
