"""Explains what the compiler did: what each pass changed, and which operations were fused into one kernel and which
were not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.frontend.analyses.work import layer_of
from netwright.compiler.frontend.network import Checkpoints
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Node
from netwright.compiler.lowering.grouping.groups import Group, Grouping
from netwright.compiler.lowering.grouping.roles import LoopPart, Roles
from netwright.compiler.observers import Choice, Observer, Refusal, Step
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.compiler.pipeline import run
from netwright.compiler.scan_window_work import ScanWindowWork, scan_window_work
from netwright.specs.dims import DimLike

from ..build import entry_graphs
from ..describe import count_text, flops_text
from ..model import Model


@dataclass(frozen=True, slots=True)
class Change:
    """What a pass did: the operations it removed and added, by name, including those in the bodies of loops."""

    name: str
    gone: tuple[tuple[str, int], ...]
    new: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        parts = [f"− {', '.join(_counted(self.gone))}"] if self.gone else []
        parts += [f"+ {', '.join(_counted(self.new))}"] if self.new else []
        return f"{self.name}: {'; '.join(parts) or 'moved operations'}"


@dataclass(frozen=True, slots=True)
class FusedKernel:
    """Operations fused into one kernel: their layers, and how many bytes of results are never written to memory.
    ``loop`` is the recurrence that runs the kernel in each step, if any.
    """

    layers: tuple[str, ...]
    operations: tuple[str, ...]
    saved: DimLike
    loop: str = ""

    def __str__(self) -> str:
        own = ", ".join(layer for layer in self.layers if layer != self.loop)
        of = f"each step of {self.loop}" if self.loop else own or "no layer"
        of += f", {own}" if self.loop and own else ""
        kept = f"; {flops_text(self.saved)} bytes stay in registers" if self.saved != 0 else ""
        return f"{of}: {' · '.join(self.operations)}{kept}"


@dataclass(frozen=True, slots=True)
class Unfused:
    """An operation that was not fused with the kernel of its operands: its layer, the rule that prevented it, and how
    many bytes fusion would have kept out of memory. ``loop`` is the recurrence it is in, if any.
    """

    layer: str
    operation: str
    rule: str
    saved: DimLike
    loop: str = ""

    def __str__(self) -> str:
        of = ", ".join(dict.fromkeys(filter(None, (self.loop and f"each step of {self.loop}", self.layer))))
        return f"{of or 'no layer'}: {self.operation}: {self.rule} ({flops_text(self.saved)} bytes)"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """By which algorithm a layer's operation is computed, and why."""

    layer: str
    operation: str
    algorithm: str
    reason: str

    def __str__(self) -> str:
        return f"{self.layer or 'no layer'}: {self.operation}: {self.algorithm}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """The choice as a JSON object."""
        return {
            "layer": self.layer,
            "operation": self.operation,
            "algorithm": self.algorithm,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Optimizations:
    """The result for one entry: the number of ``operations`` before and after the passes, their changes, the kernels in
    order, fusions that were refused, recurrences that compute steps again, and the algorithms of convolutions.
    """

    model: str
    entry: str
    operations: tuple[int, int]
    changes: tuple[Change, ...]
    kernels: tuple[FusedKernel, ...]
    unfused: tuple[Unfused, ...]
    scans: tuple[ScanWindowWork, ...]
    checkpoints: tuple[Checkpoints, ...] = ()
    algorithms: tuple[Algorithm, ...] = ()

    def to_text(self) -> str:
        """A section each for the passes, the kernels, and the refused fusions."""
        before, after = self.operations
        lines = [f"{self.model}, {self.entry}: {before} operations, {after} after optimizing", ""]
        lines += ["Passes that changed something:"]
        lines += [f"  {change}" for change in self.changes] or ["  none"]
        for scan in self.scans:
            if scan.before == scan.after:
                continue  # a first layer that sees the whole window shares no work
            saved = f"{flops_text(scan.after)} multiplications instead of {flops_text(scan.before)}"
            lines.append(f"  the windows of {scan.scan} share their work: {saved}")
        if self.checkpoints:
            lines += ["", "Memory for time:", *(f"  {checkpoints}" for checkpoints in self.checkpoints)]
        if self.algorithms:
            lines += [
                "",
                "Convolutions, by which algorithm, and why:",
                *(f"  {each}" for each in self.algorithms),
            ]
        lines += ["", f"{count_text(len(self.kernels), 'kernel')}, in order:"]
        lines += [f"  {kernel}" for kernel in self.kernels]
        if self.unfused:
            lines += ["", "Not fused with what makes their operands, and the memory that would have saved:"]
            lines += [f"  {entry}" for entry in self.unfused]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        """The result as a JSON object."""
        return {
            "model": self.model,
            "entry": self.entry,
            "operations": {"before": self.operations[0], "after": self.operations[1]},
            "passes": [
                {"name": change.name, "gone": dict(change.gone), "new": dict(change.new)}
                for change in self.changes
            ],
            "scans": [
                {"scan": scan.scan, "before": str(scan.before), "after": str(scan.after)}
                for scan in self.scans
            ],
            "checkpoints": [checkpoints.to_json() for checkpoints in self.checkpoints],
            "algorithms": [each.to_json() for each in self.algorithms],
            "kernels": [
                {
                    "layers": list(kernel.layers),
                    "operations": list(kernel.operations),
                    "saved_bytes": str(kernel.saved),
                    "loop": kernel.loop or None,
                }
                for kernel in self.kernels
            ],
            "unfused": [
                {
                    "layer": entry.layer,
                    "operation": entry.operation,
                    "rule": entry.rule,
                    "saved_bytes": str(entry.saved),
                    "loop": entry.loop or None,
                }
                for entry in self.unfused
            ],
        }


def optimizations(model: Model, entry: str = "predict") -> Optimizations:
    """How the compiler optimizes an entry on this machine. Raises SpecError, RequestError."""
    network = model.network
    graph = entry_graphs(network, [entry])[entry]
    watch = _Watch(entry=entry)
    made = run(
        {entry: graph}, describe(host_target()), math=network.math, steady=network.has_time, observer=watch
    )[entry]
    known = {layer.name: layer.name for layer in network.layers}

    def layer(node: Node) -> str:
        name = layer_of(node.layer, known)
        return name if name in known else ""

    counts = _count(graph).total(), _count(made).total()
    unfused: list[Unfused] = []
    kernels = tuple(_kernels(made, layer, "", unfused))
    scans = scan_window_work(graph) if entry == "predict" else ()
    checkpoints = network.checkpoints if entry == "train_step" else ()
    changes = tuple(watch.changes)
    algorithms = tuple(
        Algorithm(layer(choice.node), choice.node.op, choice.algorithm, choice.reason)
        for choice in watch.choices
    )
    return Optimizations(
        model.name, entry, counts, changes, kernels, tuple(unfused), scans, checkpoints, algorithms
    )


@dataclass
class Choices(Observer):
    """An observer that records choices among algorithms."""

    choices: list[Choice] = field(default_factory=list)

    def chose(self, choice: Choice) -> None:
        self.choices.append(choice)


@dataclass
class _Watch(Choices):
    """An observer that records what each pass did to the graph of one entry, too."""

    entry: str = ""
    changes: list[Change] = field(default_factory=list)

    def passed(self, step: Step) -> None:
        if step.entry == self.entry and step.changed and step.name != "input":
            before, after = _count(step.before), _count(step.after)
            gone, new = (before - after).most_common(), (after - before).most_common()
            self.changes.append(Change(step.name, tuple(gone), tuple(new)))


@dataclass
class _Refusals(Observer):
    """Records the fusions that were refused."""

    refusals: list[Refusal] = field(default_factory=list)

    def refused(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)


def _count(graph: Graph) -> Counter[str]:
    counts: Counter[str] = Counter()
    for node in graph:
        if isinstance(node.attrs, ScanAttributes):
            counts += _count(node.attrs.body)
        if node.op != "input":
            counts[node.op] += 1
    return counts


def _counted(counts: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{number} {op}" if number > 1 else op for op, number in counts]


def _kernels(graph: Graph, layer: Any, loop: str, unfused: list[Unfused]) -> list[FusedKernel]:
    observer = _Refusals()
    grouping = Grouping(Roles(graph), observer)
    for refusal in observer.refusals:
        if refusal.saved != 0:
            unfused.append(Unfused(layer(refusal.node), refusal.node.op, refusal.rule, refusal.saved, loop))
    kernels: list[FusedKernel] = []
    for group in grouping.groups:
        if not group.members:
            continue
        match group.members:
            case [LoopPart() as loop_part]:
                inside = layer(loop_part.node) or "a loop"
                kernels += _kernels(loop_part.attrs.body, layer, inside, unfused)
            case _:
                kernels.append(_kernel(grouping, group, layer, loop))
    return kernels


def _kernel(grouping: Grouping, group: Group, layer: Any, loop: str) -> FusedKernel:
    saved: DimLike = 0
    nodes = [part.node for part in group.members]
    for value in (value for node in nodes for value in node.values):
        if group.fusable and grouping.roles.uses(value) and not grouping.stored(value):
            saved = saved + grouping.roles.type(value).nbytes
    layers = dict.fromkeys(name for name in map(layer, nodes) if name)
    operations = Counter(node.op for node in nodes)
    return FusedKernel(tuple(layers), tuple(_counted(list(operations.items()))), saved, loop)
