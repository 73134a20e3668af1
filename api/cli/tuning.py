"""What `netwright compile` does for `--tune` and `--tuning`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import Target
from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.machine import Machine

from ..tuning.file import add_to_file, machine_name, plans_for, read_tuning
from ..tuning.tune import tune, tuned_machine
from .output import console

Chosen = Callable[[Network, Mapping[str, Graph], Target], Machine]


def tuned_by(tunes: bool, file: Path | None, dims: Mapping[str, Any]) -> Chosen:
    """How a request gets its plans: measured now, and written to ``file`` if there is one, or read from it. ``dims``
    are the settled sizes; measuring uses those that are numbers."""

    def measured(network: Network, graphs: Mapping[str, Graph], target: Target) -> Machine:
        sizes = {name: size for name, size in dims.items() if isinstance(size, int)}
        out = console(err=True)
        with out.status("tuning") as status:  # nothing is shown unless it is a terminal
            made = tune(
                network,
                graphs,
                target,
                dims=sizes,
                progress=lambda text: status.update(f"tuning: {text}"),
            )
        click.echo(f"tuned: {made}", err=True)
        if file is not None:
            add_to_file(file, target, made.plans)
            click.echo(f"plans for {machine_name(target)}: {file}", err=True)
        return tuned_machine(describe(target), made.plans)

    def read(network: Network, graphs: Mapping[str, Graph], target: Target) -> Machine:
        assert file is not None
        return tuned_machine(describe(target), plans_for(read_tuning(file), target, str(file)))

    return measured if tunes else read
