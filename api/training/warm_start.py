"""Warm starts: a training that begins with the weights of another one, as far as names and shapes agree."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from netwright.compiler.frontend.network import Network
from netwright.runtime.arrays.arrays import is_lossless
from netwright.runtime.errors import WeightsError
from netwright.runtime.files.weights_file import WeightsFile

from ..describe import count_text, shape_text
from ..weights.network import Weights

TAKEN = "taken"
#: How many unused tensors are named.
_NAMED = 6


@dataclass(frozen=True)
class WarmStart:
    """What a network takes over from other weights.

    ``taken`` has the arrays by name. ``outcomes`` says of each parameter and statistic of the network whether it was
    taken, or why it keeps its first values. ``unused`` are the tensors that the network has nothing of that name for.
    """

    source: str
    taken: Mapping[str, NDArray]
    outcomes: Mapping[str, str]
    unused: tuple[str, ...]

    def table(self) -> Table:
        """What became of each tensor; those of a layer with the same outcome share a row."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in ("layer", "tensors", self.source):
            table.add_column(name, overflow="fold", style="bold" if name == "layer" else None)
        rows = [(*name.rpartition(".")[::2], outcome) for name, outcome in self.outcomes.items()]
        for (layer, outcome), group in groupby(rows, lambda row: (row[0], row[2])):
            table.add_row(layer, ", ".join(name for _, name, _ in group), outcome)
        return table

    def totals(self) -> str:
        """How much was taken, the line below the table."""
        count = sum(array.size for array in self.taken.values())
        tensors = count_text(len(self.outcomes), "tensor")
        text = f"took {len(self.taken)} of {tensors} from {self.source}, {count_text(count, 'weight')}"
        if not self.unused:
            return text
        more = len(self.unused) - _NAMED
        named = ", ".join(self.unused[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"{text}; not used: {named}"

    def to_text(self) -> str:
        """The table and the totals as plain text."""
        file = io.StringIO()
        console = Console(file=file, width=120, color_system=None, highlight=False, markup=False, emoji=False)
        console.print(self.table())
        console.print(self.totals(), soft_wrap=True)
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"

    def __str__(self) -> str:
        return self.to_text()


def warm_start(network: Network, weights: Weights) -> WarmStart:
    """What ``network`` can take from a weights file, a checkpoint, or arrays by name: tensors of the same name and
    shape that can be cast without loss.

    Raises WeightsError if the file can't be read, or if nothing can be taken.
    """
    if isinstance(weights, str | Path):
        file, source = WeightsFile(weights), str(weights)
        headers, read = file.headers, file.read
    else:
        arrays, source = {name: np.asarray(value) for name, value in weights.items()}, "the arrays"
        headers, read = (
            {name: (array.shape, array.dtype) for name, array in arrays.items()},
            arrays.__getitem__,
        )
    outcomes = dict(_outcomes(network, headers))
    taken = {
        name: read(name).astype(network.parameters[name].type.dtype, copy=False)
        for name, outcome in outcomes.items()
        if outcome == TAKEN
    }
    unused = tuple(name for name in headers if name not in outcomes)
    if not taken:
        problems = [f"{name}: {outcome}" for name, outcome in outcomes.items()]
        there = f"; it has {', '.join(unused[:_NAMED])}" if unused else ""
        message = (
            f"{source} has nothing to start {network.model} with, no tensor of the same name and shape{there}"
        )
        raise WeightsError("\n  ".join([message, *problems[:_NAMED]]), problems)
    return WarmStart(source, taken, outcomes, unused)


def _outcomes(
    network: Network, headers: Mapping[str, tuple[tuple[int, ...], np.dtype]]
) -> Iterator[tuple[str, str]]:
    for name, parameter in network.parameters.items():
        if name not in headers:
            yield name, "not there: keeps its first values"
            continue
        shape, dtype = headers[name]
        wanted = parameter.type.shape
        if tuple(wanted) != tuple(shape):
            what = f"has the shape {shape_text(shape)} there, {shape_text(wanted)} here"
            yield name, f"{what}: keeps its first values"
        elif not is_lossless(dtype, np.dtype(parameter.type.dtype)):
            yield name, f"is {dtype.name} there, {parameter.type.dtype} here: keeps its first values"
        else:
            yield name, TAKEN
