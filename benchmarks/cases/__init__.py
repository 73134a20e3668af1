"""What is measured: networks with sizes, for prediction, for steps of a stream, and for training."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..networks.builder import Network

Kind = Literal["inference", "step", "training"]


@dataclass(frozen=True)
class Case:
    """A row of a table: a network at sizes of its open dims. ``step`` is one frame of a stream."""

    name: str
    network: Callable[[], Network]
    kind: Kind
    sizes: Mapping[str, int] = field(default_factory=dict)
    quick: bool = False

    @property
    def batch(self) -> int:
        """Samples per call."""
        return self.sizes.get("N", 1)


def select(cases: Iterable[Case], patterns: Sequence[str], quick: bool) -> list[Case]:
    """The cases whose names match one of the patterns (`*` where there is none), and, if ``quick``, belong to the short
    slice."""
    return [
        case
        for case in cases
        if (case.quick or not quick)
        and (not patterns or any(fnmatch.fnmatchcase(case.name, pattern) for pattern in patterns))
    ]
