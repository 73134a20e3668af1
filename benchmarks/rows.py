"""What is measured of a case, as plain numbers: they are printed, kept as JSON, and made into tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import exp, log
from typing import Any


@dataclass(frozen=True)
class Row:
    """A case on a number of threads. ``seconds`` per call and ``spread`` (half the distance of the quartiles, relative)
    are by the names of systems, ours is `netwright`; ``notes`` says of the others why they have none. ``roof`` is the
    least number of seconds that this machine could take, ``compile`` how many seconds ours needed before the first
    call."""

    case: str
    threads: int
    seconds: Mapping[str, float]
    spread: Mapping[str, float] = field(default_factory=dict)
    flops: int = 0
    roof: float = 0.0
    peak: float = 0.0
    compile: float = 0.0
    notes: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, float] = field(default_factory=dict)

    @property
    def ours(self) -> float:
        """Our seconds per call."""
        return self.seconds["netwright"]

    @property
    def best(self) -> str:
        """The name of the fastest peer; empty where there is none."""
        peers = {name: seconds for name, seconds in self.seconds.items() if name != "netwright"}
        return min(peers, key=lambda name: peers[name]) if peers else ""

    @property
    def ratio(self) -> float | None:
        """How many times faster ours is than the best peer."""
        return self.seconds[self.best] / self.ours if self.best else None

    @property
    def gflops(self) -> float:
        """Billions of operations per second."""
        return self.flops / self.ours / 1e9

    @property
    def of_peak(self) -> float:
        """The share of the peak of multiply-adds of all cores that work on it."""
        return self.flops / self.ours / (self.peak * self.threads) if self.peak else 0.0

    @property
    def ceiling(self) -> float | None:
        """The ratio that a program at the roofline would have."""
        return self.seconds[self.best] / self.roof if self.best and self.roof else None

    @property
    def of_ceiling(self) -> float:
        """The share of the ceiling that is reached: the time at the roofline over ours."""
        return self.roof / self.ours

    @property
    def calm(self) -> bool:
        """Whether the times that make the ratio are sure: neither spread is above ten percent."""
        return all(self.spread.get(name, 0.0) <= 0.1 for name in ("netwright", self.best))

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @staticmethod
    def of(values: Mapping[str, Any]) -> Row:
        """From JSON. Raises TypeError for unknown keys."""
        return Row(**values)


def geomean(ratios: Sequence[float]) -> float:
    """The geometric mean of positive numbers. Raises ValueError for none."""
    if not ratios:
        raise ValueError("no ratios")
    return exp(sum(map(log, ratios)) / len(ratios))


def last_line(rows: Iterable[Row]) -> str:
    """`geomean 1.83 min 0.92`: ours against the best peer of each row."""
    ratios = [row.ratio for row in rows if row.ratio is not None]
    return f"geomean {geomean(ratios):.2f} min {min(ratios):.2f}" if ratios else "no peer to compare with"


def speedups(rows: Sequence[Row]) -> dict[str, float]:
    """How much faster a case is on its largest number of threads than on one, for those that were measured on both."""
    single = {row.case: row for row in rows if row.threads == 1}
    several = {row.case: row for row in sorted(rows, key=lambda row: row.threads) if row.threads > 1}
    return {name: single[name].ours / row.ours for name, row in several.items() if name in single}
