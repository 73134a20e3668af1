"""The resource card of a microcontroller: what a network takes of its flash, RAM and stack."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.codegen.files.bare import Footprint, footprint
from netwright.compiler.codegen.files.plans import Planners
from netwright.compiler.codegen.files.platforms import chosen_target
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.frontend.analyses.budget import exceeded
from netwright.compiler.frontend.network import Network
from netwright.specs.diagnostics.diagnostic import Diagnostic, Diagnostics
from netwright.specs.dims import evaluate, parse_dim
from netwright.specs.files import scratch_folder
from netwright.specs.load import LoadResult

from ..artifacts.libraries import write_library
from ..artifacts.request import Request
from ..build import build
from ..errors import RequestError, SpecError

#: The limits of a budget for targets without a system.
LIMITS = ("flash", "ram", "stack")


def is_bare(target: str | None) -> bool:
    """Whether programs for the named target run without a system."""
    if target is None:
        return False
    made = chosen_target(target, None)
    return not made.has_system and not made.is_wasm


def bare_footprint(
    network: Network,
    weights: Mapping[str, NDArray],
    target: str,
    cpu: str | None = None,
) -> Footprint:
    """What `predict` takes on ``target``. Raises RequestError for a target with a system, or for open sizes;
    LinkError."""
    if not is_bare(target):
        raise RequestError(f"{target} has a system: flash, RAM and stack are for targets without one")
    if network.dims:
        given = " ".join(f"--dim {name}={info.min}" for name, info in network.dims.items())
        raise RequestError(
            f"flash, RAM and stack are those of a network whose sizes are all settled: {given}"
        )
    chosen = chosen_target(target, cpu)
    made = build(network, {"predict": network.graphs["predict"]}, chosen)
    # The planner is the same code on every target, and runs here.
    arena = Planners(made.lowered.program, host_target()).arena_bytes("predict", {})
    sizes = [
        evaluate(parse_dim("*".join(info.shape) or "1"), {}) * np.dtype(info.dtype).itemsize
        for role in ("input", "output")
        for info in made.lowered.manifest.buffers
        if info.role == role
    ]
    with scratch_folder() as folder:
        library = folder.path / "model.a"
        request = Request("static", cpu, ("predict",), target=target)
        write_library(network, made, weights, library, chosen, request, None, {})
        header = library.with_suffix(".h")
        # The arena may begin anywhere, and is aligned by the function that is called.
        return footprint(library, header, made.lowered.manifest.prefix, sizes, arena + 63, chosen)


def bare_exceeded(load: LoadResult, card: Footprint) -> list[Diagnostic]:
    """The errors for a budget's flash, RAM and stack that are exceeded."""
    budget = load.model.budget if load.model else None
    if budget is None:
        return []
    errors: list[Diagnostic] = []
    parts = {
        "flash": {"weights and constants": card.constants, "code": card.code},
        "ram": {"inputs, outputs and arena": card.ram},
        "stack": {},
    }
    for key, number in (("flash", card.flash), ("ram", card.ram), ("stack", card.stack)):
        limit = getattr(budget, key)
        if limit is not None and number is not None:
            errors += exceeded(load, key, number, limit, parts[key], f"bytes of {key}")
    return errors


def keep_bare(load: LoadResult, network: Network, weights: Mapping[str, NDArray], target: str | None) -> None:
    """Raises SpecError if a limit of the budget for flash, RAM or stack is exceeded on a target without a system."""
    budget = load.model.budget if load.model else None
    limited = budget is not None and any(getattr(budget, key) is not None for key in LIMITS)
    if target is None or not limited or not is_bare(target):
        return
    if errors := bare_exceeded(load, bare_footprint(network, weights, target)):
        raise SpecError(Diagnostics(errors, load.diagnostics.sources.values()))
