"""The open sizes of a model during its import: what the user says about them, and what the model's own arithmetic
implies.

A size may be fixed, limited, a multiple of a number, or equal to another one. Names that the network requires to be
equal are merged. If a model works only for some sizes, the least multiple is found by trying.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import lcm
from typing import TypeVar

from netwright.specs.dims import DimLike, Range, dim, multiple
from netwright.specs.specialize import multiple_of

from .agreement import Sizes, same_names
from .errors import Finding, OnnxError
from .reading import OnnxGraph

R = TypeVar("R")
#: What can be said of an open size: a number, limits, `32k` for a multiple, or another size's name.
Said = int | tuple[int, int | None] | str
#: How often a model is imported again.
MOST_NAMES, MOST_MULTIPLES = 16, 8


@dataclass(frozen=True)
class OpenSizes:
    """A graph, and what is known of its sizes."""

    graph: OnnxGraph
    ranges: Mapping[str, Range] = field(default_factory=dict)
    multiples: Mapping[str, int] = field(default_factory=dict)
    same: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Names that were merged with another one because the network requires it: that other one, and the node."""

    @classmethod
    def said(cls, graph: OnnxGraph, dims: Mapping[str, Said]) -> OpenSizes:
        """With what the user says. Raises OnnxError for an unknown size."""
        known: dict[str, DimLike] = {}
        sizes = cls(graph.settled({}, dims))
        ranges: dict[str, Range] = {}
        multiples: dict[str, int] = {}
        for name, size in dims.items():
            if isinstance(size, int):
                known[name] = size
            elif isinstance(size, tuple):
                ranges[name] = size
            elif (of := multiple_of(size)) is not None:
                multiples[name] = of
            elif size in graph.open_sizes() and size not in dims:
                known[name] = dim(size)
            else:
                others = [other for other in graph.open_sizes() if other != name and other not in dims]
                wanted = f"a number, a multiple such as 32k{', or ' * bool(others)}{' or '.join(others)}"
                raise OnnxError(f"the open size {name} can't be {size}: it can be {wanted}")
        return replace(sizes, graph=graph.settled(known), ranges=ranges).with_multiples(multiples)

    def with_multiples(self, multiples: Mapping[str, int]) -> OpenSizes:
        """With open sizes that are multiples of these numbers and of those known already."""
        factors = dict(self.multiples)
        for name, of in multiples.items():
            factors[name] = lcm(of, factors.get(name, 1))
        sizes = {name: multiple(name, of) for name, of in factors.items()}
        return replace(self, graph=self.graph.settled(sizes), multiples=factors)

    def noted(self, limits: Mapping[str, Range]) -> OpenSizes:
        """With limits of the sizes that are still open, where nothing else was said."""
        own = {name: limits[name] for name in self.graph.open_sizes() if name in limits}
        return replace(self, ranges={**own, **self.ranges})

    def with_one_name(self, findings: tuple[Finding, ...]) -> OpenSizes | None:
        """With names merged as the findings require; None if that can't help."""
        same: dict[str, tuple[str, str]] = {}
        for finding in findings:
            for name, other in same_names(finding.mismatches).items():
                same.setdefault(*self._ordered(name, other, finding.node))
        same = {name: (other, node) for name, (other, node) in same.items() if other not in same}
        if not same or len(self.same) >= MOST_NAMES:
            return None
        graph = self.graph.settled({name: dim(other) for name, (other, _) in same.items()})
        for key, of in self.multiples.items():
            if key in same:
                return None if of != self.multiples.get(same[key][0]) else replace(self, graph=graph)
        before = {name: (same.get(other, (other,))[0], node) for name, (other, node) in self.same.items()}
        return replace(self, graph=graph, same={**before, **same})

    def with_limits(self, findings: tuple[Finding, ...]) -> OpenSizes | None:
        """With open sizes limited as the findings require; None if that can't help."""
        ranges = dict(self.ranges)
        for finding in findings:
            for mismatch in finding.mismatches:
                for name, (least, most) in mismatch.limits().items() if isinstance(mismatch, Sizes) else ():
                    low, high = ranges.get(name, (1, None))
                    low = max(low or 1, least or 1)
                    high = most if high is None else high if most is None else min(high, most)
                    if high is None or low <= high:
                        ranges[name] = (low, high)
        return replace(self, ranges=ranges) if ranges != self.ranges else None

    def _ordered(self, name: str, other: str, node: str) -> tuple[str, tuple[str, str]]:
        """Which of two names is kept: the one that comes first in the model's inputs."""
        order = [str(size) for port in self.graph.inputs for size in port.shape]
        places = [order.index(size) if size in order else len(order) for size in (name, other)]
        return (name, (other, node)) if places[0] >= places[1] else (other, (name, node))

    def settle(self, attempt: Callable[[OpenSizes], R]) -> tuple[R, OpenSizes]:
        """Imports, merging names as required. Returns the result and the sizes for which it holds. Raises OnnxError."""
        sizes = self
        while True:
            try:
                return attempt(sizes), sizes
            except OnnxError as error:
                following = sizes.with_one_name(error.findings) or sizes.with_limits(error.findings)
                if following is None:
                    raise
                sizes = following

    def fitting(self, attempt: Callable[[OpenSizes], R], error: OnnxError) -> Mapping[str, int]:
        """The least multiples for which a failed import succeeds, found by trying; {} if there are none."""
        sizes = self
        for _ in range(MOST_MULTIPLES):
            wanted: dict[str, int] = {}
            for finding in error.findings:
                for mismatch in finding.mismatches:
                    for name, of in mismatch.multiples().items() if isinstance(mismatch, Sizes) else ():
                        wanted[name] = lcm(of, wanted.get(name, 1))
            following = sizes.with_multiples(wanted)
            if following.multiples == sizes.multiples:
                return {}
            sizes = following
            try:
                _, settled = sizes.settle(attempt)
            except OnnxError as next_error:
                error = next_error
            else:
                return settled.multiples
        return {}

    def help(self, attempt: Callable[[OpenSizes], R], error: OnnxError) -> str:
        """Advice if open sizes are the cause."""
        if factors := self.fitting(attempt, error):
            rows = sorted(factors.items())
            options = " ".join(f"--dim {name}={of}k" for name, of in rows)
            words = " and ".join(f"{name} is a multiple of {of}" for name, of in rows)
            return f"it fits where {words}: {options}"
        reasons = " ".join(finding.reason for finding in error.findings)
        samples = {str(port.shape[0]) for port in self.graph.inputs if port.shape}
        open_sizes = [name for name in self.graph.open_sizes() if re.search(rf"\b{name}\b", reasons)]
        names = [name for name in open_sizes if name not in samples] or open_sizes
        return f"--dim {names[0]}=SIZE settles an open size ({', '.join(names)})" if names else ""
