"""The budget of a spec: limits on parameters and arithmetic, which can be checked without compiling.

Memory is checked where memory is planned, latency where it is measured; both report with the functions of this
module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netwright.specs.diagnostics.diagnostic import Diagnostic
from netwright.specs.dims import Dim, DimLike, dim_symbols, evaluate, product
from netwright.specs.load import LoadResult

from ..network import Network
from ..problem import Problem
from .work import work

_SHOWN = 3  # contributors named in a message


def check_budget(load: LoadResult, network: Network) -> list[Diagnostic]:
    """Errors for parameters and FLOPs that exceed the budget."""
    budget = load.model.budget if load.model else None
    errors: list[Diagnostic] = []
    if budget is None:
        return errors
    if budget.params is not None:
        sizes: dict[str, int] = {}
        for parameter in network.parameters.values():
            if parameter.kind == "parameter":
                sizes[parameter.layer] = sizes.get(parameter.layer, 0) + evaluate(
                    product(parameter.type.shape), {}
                )
        errors += exceeded(load, "params", sum(sizes.values()), budget.params, sizes, "parameters")
    if budget.flops is not None:
        costs = {name: cost.flops for name, cost in work(network).items()}
        try:
            at = worst_dims(load, network, "flops", sum(costs.values(), 0))
        except Problem as problem:
            return [*errors, problem.diagnostic]
        numbers = {name: evaluate(flops, at) for name, flops in costs.items()}
        errors += exceeded(
            load, "flops", sum(numbers.values()), budget.flops, numbers, "FLOPs per sample", at
        )
    return errors


def worst_dims(load: LoadResult, network: Network, key: str, size: DimLike | None = None) -> dict[str, int]:
    """The sizes for which a budget is checked: a batch at its minimum, every other dim at its maximum.

    Raises Problem if a dim without ``max`` matters: one that ``size`` depends on, or any if ``size`` is None.
    """
    needed = set(network.dims) if size is None else set(dim_symbols(size)) if isinstance(size, Dim) else set()
    sizes = {}
    for name, info in network.dims.items():
        if info.role != "batch" and info.max is None and name in needed:
            raise Problem(
                "NW0321",
                f"{key} grows with {name}, which has no max",
                load.span(("budget", key), key=True),
                labels=[(load.span(("dims", name), key=True), "open without end")],
                help=f"dims: {{{name}: {{role: {info.role or 'size'}, max: 512}}}}, or settle it: --dim {name}=512",
            )
        sizes[name] = info.min if info.role == "batch" or info.max is None else info.max
    return sizes


def exceeded(
    load: LoadResult,
    key: str,
    number: int | float,
    limit: int | float,
    parts: Mapping[str, int],
    unit: str,
    dims: Mapping[str, int] | None = None,
    shown: Callable[[int], str] = "{:,}".format,
) -> list[Diagnostic]:
    """The error for a number beyond its limit, with the largest contributors; empty if the limit is kept."""
    if number <= limit:
        return []
    largest = sorted(((size, name) for name, size in parts.items() if size), reverse=True)[:_SHOWN]
    total = sum(parts.values()) or 1
    named = ", ".join(f"{name} {shown(size)} ({100 * size / total:.0f} %)" for size, name in largest)
    open_sizes = [f"{name} = {size}" for name, size in (dims or {}).items()]
    at = f" at {', '.join(open_sizes)}" if open_sizes else ""
    notes = [f"most of it: {named}"] if named else []
    return [
        Diagnostic(
            "NW0320",
            "error",
            f"{number:,} {unit}{at} exceed the budget of {limit:,}",
            load.span(("budget", key)),
            f"{number / limit:.3g} times as much" if limit else "",
            notes=tuple(notes),
        )
    ]
