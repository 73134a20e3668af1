"""Patterns that stand for parameters: those under `train.freeze`, and those of parameter groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from netwright.specs.diagnostics.fixes import respelled
from netwright.specs.diagnostics.suggest import closest, did_you_mean
from netwright.specs.load import LoadResult
from netwright.specs.models.train import ParameterGroupSpec, TrainSpec
from netwright.specs.source.tree import Path, Span

from .network import Parameter
from .problem import Problem


def matched(name: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern matches the name of a parameter, or one of the layers and blocks that it is in."""
    return any(fnmatchcase(known, pattern) for known in _inside(name) for pattern in patterns)


def group_of(name: str, train: TrainSpec) -> ParameterGroupSpec | None:
    """The first parameter group that a parameter belongs to."""
    return next((group for group in train.parameter_groups if matched(name, group.parameters)), None)


def check_patterns(load: LoadResult, train: TrainSpec, names: Iterable[str]) -> Iterator[Problem]:
    """An error for each pattern that matches none of the names of parameters and statistics."""
    known = list(dict.fromkeys(part for name in names for part in _inside(name)))
    written: list[tuple[Path, str]] = [
        (("train", "freeze", i), pattern) for i, pattern in enumerate(train.freeze)
    ]
    for number, group in enumerate(train.parameter_groups):
        path = ("train", "parameter_groups", number, "parameters")
        written += [((*path, i), pattern) for i, pattern in enumerate(group.parameters)]
    for path, pattern in written:
        if any(fnmatchcase(name, pattern) for name in known):
            continue
        place = load.span(path)
        meant = closest(pattern, [*known, *dict.fromkeys(f"*.{name.rpartition('.')[2]}" for name in known)])
        help = (
            did_you_mean(meant) or f"names are layers, blocks and parameters, such as {', '.join(known[:3])}"
        )
        message = f"no parameter is called {pattern}, or is in a layer or block of that name"
        yield Problem("NW0412", message, place, help=help, fixes=respelled(pattern, meant, place))


def frozen_at(load: LoadResult, train: TrainSpec, parameters: Iterable[Parameter]) -> list[Span]:
    """The places that freeze parameters, each once."""
    places: dict[Span, None] = {}
    for parameter in parameters:
        if not parameter.frozen:
            continue
        entry = load.entries.get(parameter.layer)
        if entry is not None and entry.placement.frozen is not None:
            places[entry.placement.frozen] = None
        elif matched(parameter.name, train.freeze):
            places[load.span(("train", "freeze"))] = None
        elif entry is not None:
            places[load.layer_span(parameter.layer, "trainable")] = None
    return list(places)


def _inside(name: str) -> Iterator[str]:
    """`enc.0.kernel` gives `enc`, `enc.0` and `enc.0.kernel`."""
    end = name.find(".")
    while end >= 0:
        yield name[:end]
        end = name.find(".", end + 1)
    yield name
