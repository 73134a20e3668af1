"""The limits of a budget that need more than the spec: memory needs the planner, latency a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netwright.compiler.frontend.analyses.budget import exceeded, worst_dims
from netwright.compiler.frontend.problem import Problem
from netwright.specs.diagnostics.diagnostic import Diagnostic, Diagnostics

from ..errors import RequestError, SpecError
from .measure import measure
from .resources import Resources

if TYPE_CHECKING:
    from ..model import Model


def memory_exceeded(resources: Resources) -> list[Diagnostic]:
    """The error for a budget of memory that is exceeded, or can't be checked."""
    model = resources.model
    limit = model.spec.budget.memory if model.spec.budget else None
    if limit is None:
        return []
    if "predict" not in resources.entries:
        resources = Resources(model, ("predict",))
    try:
        dims = worst_dims(model.load, model.network, "memory")
        found = resources.memory("predict", dims)
    except Problem as problem:
        return [problem.diagnostic]
    except RequestError as error:  # beyond what can be addressed
        return [Diagnostic("NW0320", "error", str(error), model.load.span(("budget", "memory")))]
    parts = {**found.buffers, "arena": found.arena}
    return exceeded(model.load, "memory", found.total, limit, parts, "bytes", dims)


def latency_exceeded(model: Model) -> list[Diagnostic]:
    """The error for a budget of time that is exceeded on this machine, or can't be checked."""
    limit = model.spec.budget.latency_ms if model.spec.budget else None
    if limit is None:
        return []
    try:
        dims = worst_dims(model.load, model.network, "latency_ms")
    except Problem as problem:
        return [problem.diagnostic]
    found = round(measure(model, dims, size=False).latency_ms, 3)
    return exceeded(model.load, "latency_ms", found, limit, {}, "ms", dims)


def beyond_memory(model: Model) -> list[Diagnostic]:
    """What `memory_exceeded` says of a valid model; nothing is planned for one without such a limit."""
    limited = model.spec.budget is not None and model.spec.budget.memory is not None
    return memory_exceeded(Resources(model, ("predict",))) if limited else []


def keep_memory(model: Model) -> None:
    """Raises SpecError for a model whose budget of memory is exceeded."""
    if found := beyond_memory(model):
        raise SpecError(Diagnostics(found, model.diagnostics.sources.values()))
