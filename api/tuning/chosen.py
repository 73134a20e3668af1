"""The machine with plans, from a file or measured now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import Target
from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.machine import Machine

from .file import MachinePlans, plans_for, read_tuning
from .tune import tune, tuned_machine


def chosen_machine(
    network: Network, graphs: Mapping[str, Graph], target: Target, how: bool | str | Path
) -> Machine | None:
    """The target's machine with the plans in the file ``how``; True measures them here, and False is None. Raises
    TuningError, RequestError, OSError."""
    if how is False:
        return None
    known = tune(network, graphs, target).plans if how is True else _read(how, target)
    return tuned_machine(describe(target), known)


def _read(path: str | Path, target: Target) -> MachinePlans:
    return plans_for(read_tuning(path), target, str(path))
