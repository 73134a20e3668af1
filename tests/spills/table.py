"""The rows of the table: what the kernels of one network and entry spill on one CPU."""

from __future__ import annotations

from collections.abc import Iterator

from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.driver import lower
from netwright.compiler.frontend.network import Network

from .counting import FILES, Spills, assembly_of, count

CPUS = ("haswell", "znver3", "x86-64-v4", "x86-64-v2", "cortex-a72")


def kernels(network: Network, entry: str, cpu: str, level: int = FILES) -> Iterator[tuple[str, Spills]]:
    """Each kernel: what it is of, and what it spills."""
    target = named_target(cpu)
    lowered = lower(
        network.model,
        {entry: network.graphs[entry]},
        list(network.dims.values()),
        version="spills",
        target=cpu,
        machine=describe(target),
    )
    for name, function in lowered.program.kernels.items():
        layers = ", ".join(lowered.program.layers.get(name, ()))
        yield f"{name} ({layers or 'no layer'})", count(assembly_of(function, target, level), target)
