"""The limit of a budget that takes more than the spec to be checked: memory, for which the memory planner runs."""

from __future__ import annotations

from netwright.compiler.frontend.analyses.budget import exceeded, worst_dims
from netwright.compiler.frontend.network import Network
from netwright.compiler.frontend.problem import Problem
from netwright.specs.diagnostics.diagnostic import Diagnostic, Diagnostics
from netwright.specs.load import LoadResult

from ..errors import RequestError, SpecError
from .resources import Resources


def memory_exceeded(resources: Resources) -> list[Diagnostic]:
    """The error for a memory budget that is exceeded or can't be checked."""
    load, network = resources.load, resources.network
    limit = resources.spec.budget.memory if resources.spec.budget else None
    if limit is None:
        return []
    if "predict" not in resources.entries:
        resources = Resources(load, network, ("predict",))
    try:
        dims = worst_dims(load, network, "memory")
        memory = resources.memory("predict", dims)
    except Problem as problem:
        return [problem.diagnostic]
    except RequestError as error:  # more memory than can be addressed
        return [Diagnostic("NW0320", "error", str(error), load.span(("budget", "memory")))]
    parts = {**memory.buffers, "arena": memory.arena}
    return exceeded(load, "memory", memory.total, limit, parts, "bytes", dims)


def beyond_memory(load: LoadResult, network: Network) -> list[Diagnostic]:
    """The errors of `memory_exceeded` for a valid spec. Without a memory budget nothing is planned."""
    limited = (
        load.model is not None and load.model.budget is not None and load.model.budget.memory is not None
    )
    return memory_exceeded(Resources(load, network, ("predict",))) if limited else []


def keep_memory(load: LoadResult, network: Network) -> None:
    """Raises SpecError if the spec's memory budget is exceeded."""
    if errors := beyond_memory(load, network):
        raise SpecError(Diagnostics(errors, load.diagnostics.sources.values()))
