"""Measures how a trained network responds when real data are shifted.

The analysis in `shift` says what holds exactly, borders left out. A trained network may have learnt more than that, and
here the borders count, as they do in use. Cells that move in at a border repeat the border's cell.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from ..analysis.shift import Answer, InputAxis, ShiftAnalysis
from ..program import Program

SHIFTS = (1, 2, 4)
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Probe:
    """How an output responds to inputs shifted ``by`` cells along ``axis``, over all samples.

    ``same`` is the fraction of answers that stay the same, for outputs that are classes or logits of several classes;
    otherwise None. ``change`` is ‖y′ − y‖ / ‖y‖, with y shifted along if the output is equivariant to that shift; None
    for integers.
    """

    output: str
    axis: InputAxis
    by: int
    moved: int
    same: float | None
    change: float | None

    def to_json(self) -> dict[str, Any]:
        """The measurement as a JSON object."""
        return {
            "output": self.output,
            "input": self.axis.input,
            "axis": self.axis.axis,
            "by": self.by,
            "moved": self.moved,
            "same": self.same,
            "change": self.change,
        }


@dataclass(frozen=True)
class ShiftProbe:
    """All measurements, and the number of samples."""

    model: str
    samples: int
    probes: tuple[Probe, ...]

    def table(self) -> Table:
        """A table with a row for each output, axis and shift."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("output", style="bold", no_wrap=True)
        table.add_column("shifted", no_wrap=True)
        table.add_column("by", justify="right")
        table.add_column("same answer", justify="right")
        table.add_column("change", justify="right")
        for probe in self.probes:
            same = "" if probe.same is None else f"{100 * probe.same:.1f} %"
            change = "" if probe.change is None else f"{100 * probe.change:.3g} %"
            change += f", moved by {probe.moved}" if probe.moved else ""
            table.add_row(probe.output, str(probe.axis), str(probe.by), same, change)
        return table

    def to_text(self) -> str:
        """The table as plain text."""
        file = io.StringIO()
        Console(file=file, width=120, color_system=None, highlight=False, markup=False, emoji=False).print(
            self.table()
        )
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"

    def to_json(self) -> dict[str, Any]:
        """The measurements as a JSON object."""
        return {
            "model": self.model,
            "samples": self.samples,
            "probes": [probe.to_json() for probe in self.probes],
        }


def probe_shifts(
    program: Program, inputs: Mapping[str, NDArray], shifts: Sequence[int] = SHIFTS
) -> ShiftProbe:
    """Shifts each input along each of its axes and compares the outputs.

    ``inputs`` are arrays by name. Shifts by the whole axis or more are left out. Raises InputError for arrays that are
    not the network's inputs.
    """
    analysis = ShiftAnalysis(program.load, program.network)
    arrays = {name: np.asarray(inputs[name]) for name in program.network.inputs if name in inputs}
    before = _predict(program, arrays)
    probes = []
    for axis in analysis.axes:
        for by in shifts:
            array = arrays.get(axis.input)
            if array is None or not 0 < by < array.shape[axis.axis]:
                continue
            after = _predict(program, {**arrays, axis.input: shifted(array, axis.axis, by)})
            for answer in analysis.answers:
                if answer.axis == axis:
                    probes.append(_compare(answer, by, before[answer.output], after[answer.output]))
    samples = len(next(iter(arrays.values()), ()))
    return ShiftProbe(program.network.model, samples, tuple(probes))


def shifted(array: NDArray, axis: int, by: int) -> NDArray:
    """An array moved ``by`` cells towards the end of an axis; the first cell is repeated."""
    width = [(0, 0)] * array.ndim
    width[axis] = (by, 0)
    padded = np.pad(array, width, mode="edge")
    return np.ascontiguousarray(np.take(padded, range(array.shape[axis]), axis))


def _predict(program: Program, arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
    count = len(next(iter(arrays.values()), ()))
    parts = [
        program.predict(**{name: array[start : start + _BATCH] for name, array in arrays.items()})
        for start in range(0, max(count, 1), _BATCH)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _compare(answer: Answer, by: int, before: NDArray, after: NDArray) -> Probe:
    moved = 0
    if answer.verdict == "equivariant" and by % answer.period == 0 and answer.output_axis is not None:
        moved = by // answer.period * answer.moved
        size = before.shape[answer.output_axis]
        before = np.take(before, range(size - moved), answer.output_axis)
        after = np.take(after, range(moved, size), answer.output_axis)
    whole = before.dtype.kind in "iub"
    same = None
    if whole:
        same = float(np.mean(before == after)) if before.size else None
    elif before.ndim >= 2 and before.shape[-1] > 1 and before.size:
        same = float(np.mean(np.argmax(before, -1) == np.argmax(after, -1)))
    norm = 0.0 if whole else float(np.linalg.norm(before.astype(np.float64)))
    change = float(np.linalg.norm(after.astype(np.float64) - before)) / norm if norm else None
    return Probe(answer.output, answer.axis, by, moved, same, change)
