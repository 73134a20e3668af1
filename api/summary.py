"""What a network consists of, in numbers: shapes, parameters, arithmetic, receptive fields."""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import prod

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from netwright.compiler.frontend.network import Network
from netwright.compiler.ops.registry import primitive
from netwright.specs.dims import Dim, DimLike, Shape, substitute
from netwright.specs.load import LoadResult

from .describe import count_text, describe, shape_text
from .receptive import WHOLE, ReceptiveField, receptive_fields


@dataclass(frozen=True)
class SummaryRow:
    """A layer: ``parameters`` counts trained values it uses, ``shared_with`` says who owns them if it doesn't.

    ``statistics`` are stored with the weights but not trained. ``flops`` are arithmetic operations of one
    sample in prediction (a multiply-add is two); they may depend on open sizes. ``receptive_field`` is None
    in networks without windows.
    """

    name: str
    description: str
    output: Shape
    parameters: int
    statistics: int
    shared_with: str | None
    flops: DimLike
    receptive_field: ReceptiveField | None


@dataclass(frozen=True)
class Summary:
    """All layers in the spec's order, and totals in which a shared parameter counts once."""

    model: str
    inputs: dict[str, tuple[str, Shape]]
    rows: tuple[SummaryRow, ...]
    parameters: int
    statistics: int
    weight_bytes: int
    flops: DimLike

    def table(self) -> Table:
        """The layers as a table for a rich console."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        fields = any(row.receptive_field for row in self.rows)
        table.add_column("layer", style="bold", no_wrap=True)
        table.add_column("type", overflow="fold")
        table.add_column("output", no_wrap=True)
        table.add_column("parameters", justify="right", no_wrap=True)
        table.add_column("FLOPs", justify="right")
        if fields:
            table.add_column("receptive\nfield", justify="right")
        for name, (dtype, shape) in self.inputs.items():
            table.add_row(name, f"input {dtype}", shape_text(shape), "", "", *([""] if fields else []))
        for row in self.rows:
            cells = [
                row.name,
                row.description,
                shape_text(row.output),
                _parameters(row),
                flops_text(row.flops),
            ]
            if fields:
                cells.append(str(row.receptive_field))
            table.add_row(*cells)
        return table

    def totals(self) -> str:
        """The line below the table."""
        parts = [
            count_text(self.parameters, "parameter"),
            *([f"{count_text(self.statistics, 'statistic')} (not trained)"] if self.statistics else []),
            f"{bytes_text(self.weight_bytes)} of weights",
            f"{flops_text(self.flops) or '0'} FLOPs a sample",
        ]
        return " · ".join(parts)

    def to_text(self, width: int = 120) -> str:
        """Table and totals as plain text."""
        file = io.StringIO()
        console = Console(file=file, width=width, color_system=None, highlight=False)
        console.print(self.table())
        console.print(self.totals())
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"

    def __str__(self) -> str:
        return self.to_text()


def summarize(load: LoadResult, network: Network) -> Summary:
    """The summary of a valid network."""
    assert load.model is not None
    specs = {layer.name: layer for layer in load.model.layers}
    infos = {info.name: info for info in network.layers}
    shapes = {name: type.shape for name, type in network.inputs.items()}
    shapes |= {name: info.outputs[""].shape for name, info in infos.items()}
    fields = receptive_fields(load, shapes)
    windowed = any(field.sizes is not None and prod(field.sizes) > 1 for field in fields.values())
    work = _flops(network)
    rows = []
    for name, spec in specs.items():
        counts = {"parameter": 0, "statistic": 0}
        for parameter in infos[name].parameters:
            found = network.parameters[parameter]
            counts[found.kind] += _count(found.type.shape)
        rows.append(
            SummaryRow(
                name,
                describe(spec),
                shapes[name],
                counts["parameter"],
                counts["statistic"],
                spec.share,
                work.get(name, 0),
                fields.get(name, WHOLE) if windowed else None,
            )
        )
    totals = {"parameter": 0, "statistic": 0}
    size = 0
    for parameter in network.parameters.values():
        totals[parameter.kind] += _count(parameter.type.shape)
        size += _count(parameter.type.shape) * np.dtype(parameter.type.dtype).itemsize
    total: DimLike = 0
    for flops in work.values():
        total = total + flops
    inputs = {name: (type.dtype, type.shape) for name, type in network.inputs.items()}
    return Summary(network.model, inputs, tuple(rows), totals["parameter"], totals["statistic"], size, total)


def _flops(network: Network) -> dict[str, DimLike]:
    """Arithmetic operations of one sample, by layer."""
    graph = network.graphs["predict"]
    one = {name: 1 for name, info in network.dims.items() if info.role == "batch"}
    found: dict[str, DimLike] = {}
    for node in graph:
        if node.op == "input":
            continue
        operands = [graph.type(value) for value in graph.operands(node)]
        flops = substitute(primitive(node.op).cost(node.attrs, operands, node.types).flops, one)
        layer = node.layer.split(".")[0]
        found[layer] = found.get(layer, 0) + flops
    return found


def _count(shape: Shape) -> int:
    return prod(size for size in shape if isinstance(size, int))


def _parameters(row: SummaryRow) -> str:
    if row.shared_with is not None:
        return f"as {row.shared_with}"
    parts = [f"{row.parameters:,}"] if row.parameters else []
    parts += [f"+ {row.statistics:,}"] if row.statistics else []
    return " ".join(parts)


def flops_text(flops: DimLike) -> str:
    """``1,204,000``, or a formula of open sizes: ``8,448·T``; nothing for 0."""
    if isinstance(flops, int):
        return f"{flops:,}" if flops else ""
    assert isinstance(flops, Dim)
    words = str(flops).replace("*", "·").split(" ")
    return " ".join(_grouped(word) for word in words)


def _grouped(word: str) -> str:
    number, dot, rest = word.partition("·")
    return f"{int(number):,}{dot}{rest}" if number.isdecimal() else word


def bytes_text(size: int) -> str:
    """``17.6 KB``, in steps of 1,000."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= step:
            return f"{size / step:.3g} {unit}"
    return f"{size} bytes"
