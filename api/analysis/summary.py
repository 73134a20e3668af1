"""A network in numbers: shapes, parameters, arithmetic, receptive fields."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from rich.console import Console

from netwright.compiler.frontend.analyses.work import work
from netwright.compiler.frontend.network import Checkpoints, Network, Parameter
from netwright.compiler.ops.base import Cost
from netwright.compiler.scan_window_work import ScanWindowWork, scan_window_work
from netwright.specs.dims import Dim, DimLike, Shape
from netwright.specs.load import LoadResult

from ..describe import bytes_text, count_text, describe, flops_text, shape_text
from ..markup import escape
from ..notebook import scrolled
from .fields import ReceptiveField, receptive_fields
from .layer_table import Column, LayerTable, short_count
from .shift import Answer, ShiftAnalysis


@dataclass(frozen=True)
class SummaryRow:
    """A layer in numbers.

    ``parameters`` counts the values it learns or learned; ``shared_with`` names their owner if that is another layer.
    ``frozen`` of them are left as they are. ``statistics`` are stored with the weights but not trained. ``flops`` are
    the arithmetic operations per sample in prediction (a multiply-add is two), ``bytes`` what its operations read and
    write; both may depend on open sizes (``compiler.frontend.analyses.work`` has the formulas). ``receptive_field`` is
    None in networks without windows.
    """

    name: str
    description: str
    output: Shape
    parameters: int
    frozen: int
    statistics: int
    shared_with: str | None
    flops: DimLike
    bytes: DimLike
    receptive_field: ReceptiveField | None


@dataclass(frozen=True)
class Summary:
    """All layers in the spec's order, and totals.

    The totals count a shared parameter once; ``repeated`` counts it once per layer that uses it. ``scans`` is the work
    of scans, with and without sharing what overlapping windows have in common. ``shifts`` says how each output responds
    to shifts of the inputs, ``checkpoints`` which recurrences compute steps again in training.
    """

    model: str
    inputs: dict[str, tuple[str, Shape]]
    rows: tuple[SummaryRow, ...]
    parameters: int
    frozen: int
    repeated: int
    statistics: int
    weight_bytes: int
    flops: DimLike
    bytes: DimLike
    scans: tuple[ScanWindowWork, ...]
    shifts: tuple[Answer, ...]
    checkpoints: tuple[Checkpoints, ...]

    def table(self) -> LayerTable:
        """The layers as a table for a rich console, as wide as that is."""
        inputs = [(name, f"input {dtype}", shape_text(shape)) for name, (dtype, shape) in self.inputs.items()]
        rows = [(row.name, row.description, shape_text(row.output)) for row in self.rows]
        names, types, outputs = (list(column) for column in zip(*inputs, *rows, strict=True))
        before = [""] * len(inputs)
        columns = [
            Column("layer", names),
            Column("type", types, wrapped=True),
            Column("output", outputs),
            Column("parameters", before + [_parameters(row) for row in self.rows], right=True, rank=1),
            Column(
                "FLOPs",
                before + [flops_text(row.flops) for row in self.rows],
                before + [short_count(row.flops) for row in self.rows],
                right=True,
                wrapped=True,
                rank=2,
            ),
        ]
        fields = [row.receptive_field for row in self.rows]
        if any(fields):
            sees = [str(field) if field else "" for field in fields]
            strides = [field.stride_text if field else "" for field in fields]
            columns.append(Column("receptive\nfield", before + sees, right=True, rank=3))
            columns.append(Column("total\nstride", before + strides, right=True, rank=4))
        return LayerTable(columns)

    def totals(self) -> str:
        """The totals, the line below the table."""
        parts = [
            count_text(self.parameters, "parameter") + (f" ({self.frozen:,} frozen)" if self.frozen else ""),
            *([f"{count_text(self.statistics, 'statistic')} (not trained)"] if self.statistics else []),
            f"{bytes_text(self.weight_bytes)} of weights",
            f"{flops_text(self.flops) or '0'} FLOPs per sample",
        ]
        return " · ".join(parts)

    def notes(self) -> list[str]:
        """Further lines: what is shared, borders that no layer sees, shifts."""
        lines = []
        if self.repeated > self.parameters:
            lines.append(f"sharing: {self.parameters:,} parameters do the work of {self.repeated:,}")
        for scan in self.scans:
            if scan.before == scan.after:
                continue
            apart, shared = flops_text(scan.before), flops_text(scan.after)
            saved = f"{shared} instead of {apart} multiplications per sample"
            lines.append(f"work saved by sharing: {scan.scan} takes {saved}{_saving(scan)}")
        lines += [f"training: {checkpoints}" for checkpoints in self.checkpoints]
        before = ""
        for row in self.rows:
            unseen = row.receptive_field.unseen_text if row.receptive_field else ""
            if unseen and unseen != before:
                lines.append(f"borders: {row.name} does not see {unseen} of the input")
                before = unseen
        return lines + self._shifts()

    def _shifts(self) -> list[str]:
        """One line for each output; axes with the same response share a line."""
        lines: dict[tuple[object, ...], tuple[Answer, list[str]]] = {}
        for answer in self.shifts:
            key = (
                answer.axis.input,
                answer.output,
                answer.verdict,
                answer.period,
                answer.moved,
                answer.layer,
            )
            lines.setdefault(key, (answer, []))[1].append(f"{answer.axis.name}s")
        return [
            f"shifts of {answer.axis.input} ({', '.join(axes)}): {answer.output} is {answer}"
            for answer, axes in lines.values()
        ]

    def to_text(self, width: int = 120) -> str:
        """The table and totals as plain text."""
        file = io.StringIO()
        console = Console(
            file=file, width=width, color_system=None, highlight=False, markup=False, emoji=False
        )
        console.print(self.table())
        console.print(self.totals())
        for note in self.notes():
            console.print(note, soft_wrap=True)
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"

    def to_json(self) -> dict[str, Any]:
        """The summary as a JSON object. Open sizes are formulas, as strings."""
        return {
            "model": self.model,
            "parameters": self.parameters,
            "frozen": self.frozen,
            "statistics": self.statistics,
            "weight_bytes": self.weight_bytes,
            "flops": _size(self.flops),
            "bytes": _size(self.bytes),
            "layers": [
                {
                    "name": row.name,
                    "description": row.description,
                    "output": [_size(size) for size in row.output],
                    "parameters": row.parameters,
                    "frozen": row.frozen,
                    "statistics": row.statistics,
                    "shared_with": row.shared_with,
                    "flops": _size(row.flops),
                    "bytes": _size(row.bytes),
                    "receptive_field": str(row.receptive_field) if row.receptive_field else None,
                    "total_stride": row.receptive_field.stride_text or None if row.receptive_field else None,
                }
                for row in self.rows
            ],
            "scans": [
                {"scan": scan.scan, "before": _size(scan.before), "after": _size(scan.after)}
                for scan in self.scans
            ],
            "checkpoints": [checkpoints.to_json() for checkpoints in self.checkpoints],
            "shifts": [answer.to_json() for answer in self.shifts],
        }

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        """The table, the totals and the notes, for notebooks."""
        lines = "".join(f"<p>{escape(line)}</p>" for line in [self.totals(), *self.notes()])
        return scrolled(self.table().to_html()) + lines


def summarize(load: LoadResult, network: Network) -> Summary:
    """Summarizes a valid network."""
    assert load.model is not None
    specs = {layer.name: layer for layer in load.model.layers}
    infos = {info.name: info for info in network.layers}
    shapes = {name: type.shape for name, type in network.inputs.items()}
    shapes |= {name: info.outputs[""].shape for name, info in infos.items()}
    analysis = ShiftAnalysis(load, network)
    fields = receptive_fields(analysis)
    windowed = any(
        axis.size is not None and axis.size > 1 for field in fields.values() for axis in field.axes
    )
    costs = work(network)
    rows = []
    for name, spec in specs.items():
        counts = {"parameter": 0, "statistic": 0, "frozen": 0}
        for parameter in infos[name].parameters:
            info = network.parameters[parameter]
            counts[info.kind] += _count(info.type.shape)
            counts["frozen"] += _frozen(info)
        rows.append(
            SummaryRow(
                name,
                describe(spec),
                shapes[name],
                counts["parameter"],
                counts["frozen"],
                counts["statistic"],
                spec.share,
                costs.get(name, Cost()).flops,
                costs.get(name, Cost()).bytes,
                fields.get(name) if windowed else None,
            )
        )
    totals = {"parameter": 0, "statistic": 0}
    size = 0
    for parameter in network.parameters.values():
        totals[parameter.kind] += _count(parameter.type.shape)
        size += _count(parameter.type.shape) * np.dtype(parameter.type.dtype).itemsize
    inputs = {name: (type.dtype, type.shape) for name, type in network.inputs.items()}
    return Summary(
        network.model,
        inputs,
        tuple(rows),
        totals["parameter"],
        sum(_frozen(parameter) for parameter in network.parameters.values()),
        sum(row.parameters for row in rows),
        totals["statistic"],
        size,
        _sum(cost.flops for cost in costs.values()),
        _sum(cost.bytes for cost in costs.values()),
        scan_window_work(
            network.graphs["predict"],
            {name: 1 for name, info in network.dims.items() if info.role == "batch"},
        ),
        analysis.answers,
        network.checkpoints,
    )


def _sum(sizes: Iterable[DimLike]) -> DimLike:
    total: DimLike = 0
    for size in sizes:
        total = total + size
    return total


def _size(size: DimLike) -> int | str:
    return size if isinstance(size, int) else str(size)


def _terms(size: DimLike) -> dict[tuple[object, ...], int]:
    return dict(size.terms) if isinstance(size, Dim) else {(): size}


def _saving(scan: ScanWindowWork) -> str:
    """The fraction that is saved for large sizes, from the leading coefficients."""
    before, after = _terms(scan.before), _terms(scan.after)
    longest = max(before, key=len, default=())
    most = before.get(longest, 0)
    if most <= 0 or longest not in after or after[longest] >= most:
        return ""
    where = " of long inputs" if longest and any(name != "N" for name in longest) else ""
    return f", {100 * (1 - after[longest] / most):.0f} % less{where}"


def _count(shape: Shape) -> int:
    return prod(size for size in shape if isinstance(size, int))


def _frozen(parameter: Parameter) -> int:
    """How many numbers of a parameter are frozen."""
    trained = parameter.trained or parameter.kind == "statistic"
    return 0 if trained else _count(parameter.type.shape)


def _parameters(row: SummaryRow) -> str:
    if row.shared_with is not None:
        return f"as {row.shared_with}"
    parts = [f"{row.parameters:,}"] if row.parameters else []
    if row.frozen:
        parts += ["frozen" if row.frozen == row.parameters else f"({row.frozen:,} frozen)"]
    parts += [f"+ {row.statistics:,}"] if row.statistics else []
    return " ".join(parts)
