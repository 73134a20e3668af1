"""How long a training step takes on many ranks, from what it takes on one: a model of latency, bandwidth and overlap.

A step computes gradients, of which some are complete after each mark of the entry; sums them up over all ranks, bucket
by bucket; and updates the weights. Two small exchanges come with it: counts before, sums of losses after. A sum of n
bytes over R ranks takes 2·⌈log₂ R⌉·α + 2·(R − 1)/R·n/β (reduce-scatter and gather; Thakur et al., 2005), an exchange
⌈log₂ R⌉·α. A bucket's sum begins when it is complete and the one before it is done; what is not done when the gradients
are is waited for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Net:
    """What connects the ranks: seconds per message, bytes per second, and the fraction of a transfer that goes on
    while the processor computes.
    """

    name: str
    latency: float
    bandwidth: float
    overlap: float


@dataclass(frozen=True)
class Step:
    """A step of one rank in seconds: the gradients of its part, the update, and everything else (``loop``); and the
    buckets, each with its bytes and the fraction of the gradients' time after which it is complete.
    """

    network: str
    samples: int
    gradients: float
    update: float
    loop: float
    buckets: tuple[tuple[float, float], ...]

    @property
    def alone(self) -> float:
        """The time on one rank."""
        return self.gradients + self.update + self.loop


def sum_time(net: Net, ranks: int, size: float) -> float:
    """Seconds for the sum of ``size`` bytes over all ranks."""
    rounds = math.ceil(math.log2(ranks)) if ranks > 1 else 0
    return 2 * rounds * net.latency + 2 * (ranks - 1) / ranks * size / net.bandwidth


def waiting(step: Step, net: Net, ranks: int) -> float:
    """Seconds for which the sums are waited for after the gradients are computed."""
    end, whole = 0.0, 0.0
    for size, complete in step.buckets:
        taken = sum_time(net, ranks, size)
        whole += taken
        end = max(end, complete * step.gradients) + taken
    beside = max(0.0, end - step.gradients)
    return net.overlap * beside + (1 - net.overlap) * whole


def step_time(step: Step, net: Net, ranks: int) -> float:
    """Seconds for a step in which each rank has as many samples as the one of ``step``."""
    rounds = math.ceil(math.log2(ranks)) if ranks > 1 else 0
    return step.alone + waiting(step, net, ranks) + 2 * rounds * net.latency


def efficiency(step: Step, net: Net, ranks: int) -> float:
    """The throughput per rank, as a fraction of that of one rank."""
    return step.alone / step_time(step, net, ranks)


def table(steps: Sequence[Step], nets: Sequence[Net], counts: Sequence[int]) -> list[str]:
    """The efficiencies as lines of Markdown."""
    lines = [f"| network | between ranks | {' | '.join(f'{count:,}' for count in counts)} |"]
    lines.append("|---|---|" + "---:|" * len(counts))
    for step in steps:
        for net in nets:
            cells = " | ".join(f"{100 * efficiency(step, net, count):.0f} %" for count in counts)
            lines.append(f"| {step.network}, {step.samples} samples per rank | {net.name} | {cells} |")
    return lines
