"""Resources: the memory that a compiled network takes to predict and to train, in bytes.

The numbers are exact, not estimates: the network is lowered, and the planner that the compiled program contains lays
out its arena. Only the kernels are left out, which use no memory besides the stack.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from netwright.compiler.codegen.files.plans import Planners
from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.frontend.network import Network
from netwright.compiler.loop import ir
from netwright.specs.dims import DimLike, evaluate, parse_dim, product
from netwright.specs.load import LoadResult
from netwright.specs.manifest import BufferInfo, EntryInfo

from ..build import build, entry_graphs
from ..data.needs import time_dim
from ..describe import flops_text
from ..errors import RequestError
from .streaming import Streaming, streaming

#: The default number of steps in a sequence.
STEPS = 100

#: The rows of the table: the name for the buffers of each role.
_ROLES = {
    "parameter": "weights",
    "statistic": "statistics",
    "packed": "packed weights",
    "constant": "constants",
    "state": "state",
    "input": "inputs",
    "output": "outputs",
}


@dataclass(frozen=True)
class Memory:
    """The memory of one entry at given dims, in bytes.

    ``buffers`` are owned by the caller, by kind. ``arena`` is one block of scratch memory; ``tape`` is the part of it
    that the forward pass keeps for the backward pass (0 if there is none). ``frozen`` is the part of the weights that
    training leaves as they are, and keeps no state for.
    """

    entry: str
    dims: Mapping[str, int]
    buffers: Mapping[str, int]
    arena: int
    tape: int
    frozen: int = 0

    @property
    def total(self) -> int:
        """The sum in bytes."""
        return sum(self.buffers.values()) + self.arena

    def to_json(self) -> dict[str, Any]:
        """The memory as a JSON object."""
        return {
            "entry": self.entry,
            "dims": dict(self.dims),
            **{name.replace(" ", "_"): size for name, size in self.buffers.items()},
            **({"frozen": self.frozen} if self.frozen else {}),
            "arena": self.arena,
            "tape": self.tape,
            "total": self.total,
        }


@dataclass(frozen=True)
class Formulas:
    """How an entry's memory grows, in bytes as formulas of the open dims.

    ``live`` is the size of the largest set of buffers alive at once, a lower bound of the arena. ``tape`` and ``data``
    (inputs and outputs) are exact except for the arena's alignment.
    """

    live: DimLike
    tape: DimLike
    data: DimLike


class Resources:
    """The memory of a network's entries, for any dims.

    ``load`` is its spec, without errors. Raises RequestError for an entry that the network does not have.
    """

    def __init__(
        self, load: LoadResult, network: Network, entries: Sequence[str] | None = None, *, cpu: str = "native"
    ):
        known = [name for name in ("predict", "train_step") if name in network.graphs]
        assert load.model is not None  # always there without errors
        self.load, self.network, self.spec = load, network, load.model
        self.entries = tuple(known if entries is None else entries)
        made = build(network, entry_graphs(network, self.entries), named_target(cpu))
        self.lowered = made.lowered
        self._target = made.target
        self._buffers = {buffer.name: buffer for buffer in made.lowered.manifest.buffers}
        self._infos = {entry.name: entry for entry in made.lowered.manifest.entries}

    @cached_property
    def _planners(self) -> Planners:
        return Planners(self.lowered.program, self._target)

    @cached_property
    def steps(self) -> Streaming | None:
        """When answers come if the network is given a sequence step by step; None if that can't be done."""
        answer = streaming(self.load, self.network)
        return answer if isinstance(answer, Streaming) else None

    def default_dims(self, entry: str) -> dict[str, int]:
        """The default sizes for an entry: a batch of 1, in training the spec's batch size; sequences as long as the
        spec allows, or 100 steps; in truncated training one window.
        """
        train = self.spec.train
        sizes = {}
        for name, info in self.network.dims.items():
            size = info.max or info.fitted(STEPS)
            if info.role == "batch":
                size = train.batch_size if train and entry != "predict" else 1
                size = info.fitted(size)
            sizes[name] = size
        window = train.bptt.window if train and train.bptt else None
        if window and entry == "train_step":
            time = time_dim(self.network)
            if time is not None:
                sizes[time] = min(sizes[time], window)  # a training step reads one window
        return sizes

    def dims(self, entry: str, given: Mapping[str, int] | None = None) -> dict[str, int]:
        """A size for every dim. Raises RequestError for a dim that the model does not have, or a size it does not
        admit.
        """
        known = self.network.dims
        for name, size in (given or {}).items():
            if name not in known:
                raise RequestError(
                    f"{self.spec.model} has no open size {name}: there is {', '.join(known) or 'none'}"
                )
            info = known[name]
            if not info.admits(size):
                raise RequestError(f"{name} has to be {info.admitted}, not {size}")
        return {**self.default_dims(entry), **(given or {})}

    def memory(self, entry: str, dims: Mapping[str, int] | None = None) -> Memory:
        """The memory of an entry. Raises RequestError for unknown dims, and for sizes too large to be addressed."""
        bound = self.dims(entry, dims)
        arena = self._planners.arena_bytes(entry, bound)
        if arena < 0:
            sizes = ", ".join(f"{name} = {size}" for name, size in bound.items())
            raise RequestError(
                f"{self.spec.model}.{entry} with {sizes} needs more memory than can be addressed"
            )
        buffers: dict[str, int] = {}
        for info in self._used(entry):
            kind = _ROLES[info.role]
            buffers[kind] = buffers.get(kind, 0) + evaluate(_nbytes(info), bound)
        ordered = {name: buffers[name] for name in _ROLES.values() if buffers.get(name)}
        tape = sum(evaluate(buffer.nbytes, bound) for buffer in self.tape_buffers(entry))
        frozen = (
            [info for info in self._used(entry) if self._is_frozen(info)] if entry == "train_step" else []
        )
        return Memory(entry, bound, ordered, arena, tape, sum(evaluate(_nbytes(info), {}) for info in frozen))

    def formulas(self, entry: str, dims: Mapping[str, int] | None = None) -> Formulas:
        """The memory as formulas of the open dims. Which set of buffers is the largest is decided at ``dims``."""
        bound = self.dims(entry, dims)
        arena = self.lowered.program.entries[entry].arena
        steps = sorted({buffer.first for buffer in arena})
        alive = [[buffer.nbytes for buffer in arena if buffer.first <= step <= buffer.last] for step in steps]
        sums = [_sum(sizes) for sizes in alive]
        live = max(sums, key=lambda size: evaluate(size, bound), default=0)
        data = _sum(_nbytes(info) for info in self._used(entry) if info.role in ("input", "output"))
        return Formulas(live, _sum(buffer.nbytes for buffer in self.tape_buffers(entry)), data)

    def tape_buffers(self, entry: str) -> list[ir.ArenaBuffer]:
        """The tape: the arena's buffers that are alive at the moment when the loss is known."""
        lowered = self.lowered.program.entries[entry]
        if entry != "train_step":
            return []
        numerators = self.lowered.manifest.scores[0].sums[::2]
        moment = max(_step_of_write(self.lowered.program, lowered, name) for name in numerators)
        return [buffer for buffer in lowered.arena if buffer.first < moment < buffer.last]

    def _used(self, entry: str) -> list[BufferInfo]:
        """The buffers that the caller owns for an entry. For `predict` these include what `prepare` reads to pack the
        weights.
        """
        entries: list[EntryInfo] = [self._infos[entry]]
        if entry == "predict" and "prepare" in self._infos:
            entries.append(self._infos["prepare"])
        names = {name for info in entries for name in (*info.reads, *info.writes)}
        return [info for name, info in self._buffers.items() if name in names]

    def _is_frozen(self, info: BufferInfo) -> bool:
        return info.role == "parameter" and self.network.parameters[info.name].frozen

    # Output.

    def table(self, dims: Mapping[str, int] | None = None) -> Table:
        """A table with a column for each entry."""
        memories = [self.memory(entry, self.dims(entry, dims)) for entry in self.entries]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("bytes", style="bold", no_wrap=True)
        for memory in memories:
            at = ", ".join(f"{name} = {size}" for name, size in memory.dims.items())
            table.add_column(f"{memory.entry}\n{at}", justify="right", no_wrap=True)
        for kind in _ROLES.values():
            if any(kind in memory.buffers for memory in memories):
                table.add_row(kind, *(_number(memory.buffers.get(kind, 0)) for memory in memories))
            if kind == _ROLES["parameter"] and any(memory.frozen for memory in memories):
                table.add_row("  of it frozen", *(_number(memory.frozen) for memory in memories))
        table.add_row("arena", *(_number(memory.arena) for memory in memories))
        if any(memory.tape for memory in memories):
            table.add_row("  of it tape", *(_number(memory.tape) for memory in memories))
        table.add_section()
        table.add_row("in all", *(_number(memory.total) for memory in memories))
        return table

    def growth(self, dims: Mapping[str, int] | None = None) -> list[str]:
        """A few lines on how the arena grows with the open dims."""
        lines: list[str] = []
        for entry in self.entries:
            bound = self.dims(entry, self.dims(entry, dims))
            formulas = self.formulas(entry, bound)
            if entry == "train_step":
                lines += [f"{entry}: {checkpoints}" for checkpoints in self.network.checkpoints]
            if not bound:
                continue
            lines.append(f"{entry}: arena at least {flops_text(formulas.live) or '0'} bytes")
            if formulas.tape:
                lines[-1] += f", of it the tape {flops_text(formulas.tape)}"
            lines[-1] += f"; inputs and outputs {flops_text(formulas.data)}"
            for name in bound:
                info = self.network.dims[name]
                sizes = [size for size in _samples(info.role) if info.admits(size)]
                cells = []
                for size in sizes:
                    arena = self._planners.arena_bytes(entry, {**bound, name: size})
                    cells.append(
                        f"{name} = {size}: {arena:,}" if arena >= 0 else f"{name} = {size}: too large"
                    )
                if cells:
                    lines.append("  arena at " + " · ".join(cells))
        return lines if self.steps is None else [*lines, f"step by step: {self.steps}"]

    def to_text(self, dims: Mapping[str, int] | None = None) -> str:
        """The table as plain text."""
        file = io.StringIO()
        console = Console(file=file, width=120, color_system=None, highlight=False, markup=False, emoji=False)
        console.print(self.table(dims))
        for line in self.growth(dims):
            console.print(line, soft_wrap=True)
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"

    def to_json(self, dims: Mapping[str, int] | None = None) -> dict[str, Any]:
        """Exact numbers at the dims, and formulas, as a JSON object."""
        entries = []
        for entry in self.entries:
            bound = self.dims(entry, self.dims(entry, dims))
            formulas = self.formulas(entry, bound)
            shown = {"live": str(formulas.live), "tape": str(formulas.tape), "data": str(formulas.data)}
            entries.append({**self.memory(entry, bound).to_json(), "formulas": shown})
        card = {
            "model": self.spec.model,
            "target": self.lowered.manifest.target,
            "entries": entries,
            "checkpoints": [checkpoints.to_json() for checkpoints in self.network.checkpoints],
        }
        return card if self.steps is None else {**card, "step_by_step": self.steps.to_json()}


def _samples(role: str) -> tuple[int, ...]:
    return (1, 8, 64, 256) if role == "batch" else (16, 128, 1024)


def _number(size: int) -> str:
    return f"{size:,}" if size else "–"


def _sum(sizes: Any) -> DimLike:
    total: DimLike = 0
    for size in sizes:
        total = total + size
    return total


def _nbytes(info: BufferInfo) -> DimLike:
    return product(map(parse_dim, info.shape)) * np.dtype(info.dtype).itemsize


def _step_of_write(program: ir.Program, entry: ir.Entry, buffer: str) -> int:
    """The position (as lifetimes count) of the last call that writes a buffer of the table."""
    last = 0
    step = 0

    def walk(body: Sequence[ir.Stmt]) -> None:
        nonlocal last, step
        for statement in body:
            if isinstance(statement, ir.Call):
                parameters = program.kernels[statement.function].parameters
                for parameter, argument in zip(parameters, statement.buffers, strict=True):
                    if argument.buffer == buffer and parameter.access != "read":
                        last = step
                step += 1
            elif isinstance(statement, ir.For):
                step += 1
                walk(statement.body)
                step += 1
            elif isinstance(statement, ir.Divide):
                walk(statement.body)

    walk(entry.function.body)
    return last
