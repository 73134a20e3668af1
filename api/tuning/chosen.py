"""The machine with plans, from a file or measured now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netwright.compiler.codegen.machines import describe
from netwright.compiler.codegen.target import Target
from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.machine import Machine

from .file import plans_for, read_tuning
from .tune import tune, tuned_machine


def chosen_machine(
    network: Network, graphs: Mapping[str, Graph], target: Target, how: bool | str | Path
) -> Machine | None:
    """The target's machine with the plans in the file ``how``; True measures them here, False is None. Raises TuningError,
    RequestError, OSError."""
    if how is False:
        return None
    if how is True:
        plans = tune(network, graphs, target).plans
    else:
        plans = plans_for(read_tuning(how), target, str(how))
    return tuned_machine(describe(target), plans)
