"""What has to be reached: a score on held-out data of an example."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Task:
    """A training of an example that ends when ``metric`` of the held-out data is as good as ``goal``: at least that for
    an accuracy, at most for a loss."""

    name: str
    metric: str
    goal: float
    epochs: int = 60

    @property
    def spec(self) -> Path:
        """The example's spec."""
        return EXAMPLES / self.name / f"{self.name}.yaml"

    def data(self, part: str) -> Path:
        """Its data set `train` or `valid`."""
        return EXAMPLES / self.name / f"{self.name}-{part}.npz"

    def reached(self, score: float) -> bool:
        """Whether a score is good enough."""
        return score <= self.goal if self.metric == "loss" else score >= self.goal


TASKS = {task.name: task for task in (Task("digits", "accuracy", 0.98), Task("sunspots", "loss", 400.0))}
