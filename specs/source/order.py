"""The order of things that read each other, and the cycles that keep them from having one."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def find_order(
    names: Iterable[str], sources: Callable[[str], Iterable[str]]
) -> tuple[list[str], list[list[str]]]:
    """All names, each after its sources, and the cycles among them: each member reads the next, the last the
    first.

    Depth first and iterative, in the order of `names`. Of cycles that share a member only the first found is
    given; members of a cycle stand in the order somewhere.
    """
    finished: dict[str, bool] = {}  # False while on the stack
    order: list[str] = []
    cycles: list[list[str]] = []
    in_cycle: set[str] = set()
    for root in names:
        if root in finished:
            continue
        finished[root] = False
        stack = [(root, iter(sources(root)))]
        while stack:
            name, remaining = stack[-1]
            source = next(remaining, None)
            if source is None:
                stack.pop()
                finished[name] = True
                order.append(name)
            elif source not in finished:
                finished[source] = False
                stack.append((source, iter(sources(source))))
            elif not finished[source] and source not in in_cycle:
                path = [ancestor for ancestor, _ in stack]
                cycle = path[path.index(source) :]
                if not in_cycle.intersection(cycle):
                    cycles.append(cycle)
                in_cycle.update(cycle)
    return order, cycles
