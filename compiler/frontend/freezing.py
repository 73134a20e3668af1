"""What training leaves as it is: the patterns under `train.freeze`, compared with the names of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from netwright.specs.diagnostics.fixes import respelled
from netwright.specs.diagnostics.suggest import closest, did_you_mean
from netwright.specs.load import LoadResult

from .problem import Problem


def matched(name: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern matches the name of a parameter, or one of the layers and blocks that it is in."""
    return any(fnmatchcase(known, pattern) for known in _inside(name) for pattern in patterns)


def check_patterns(load: LoadResult, patterns: Sequence[str], names: Iterable[str]) -> Iterator[Problem]:
    """An error for each pattern that matches none of the names of parameters and statistics."""
    known = list(dict.fromkeys(part for name in names for part in _inside(name)))
    for position, pattern in enumerate(patterns):
        if any(fnmatchcase(name, pattern) for name in known):
            continue
        place = load.span(("train", "freeze", position))
        meant = closest(pattern, [*known, *dict.fromkeys(f"*.{name.rpartition('.')[2]}" for name in known)])
        help = (
            did_you_mean(meant) or f"names are layers, blocks and parameters, such as {', '.join(known[:3])}"
        )
        message = f"no parameter is called {pattern}, or is in a layer or block of that name"
        yield Problem("NW0412", message, place, help=help, fixes=respelled(pattern, meant, place))


def _inside(name: str) -> Iterator[str]:
    """`enc.0.kernel` gives `enc`, `enc.0` and `enc.0.kernel`."""
    end = name.find(".")
    while end >= 0:
        yield name[:end]
        end = name.find(".", end + 1)
    yield name
