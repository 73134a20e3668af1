"""Trains until the goal is reached, in a process of its own, and prints the epochs and the score as JSON:
`python -m benchmarks.goal.worker netwright|torch TASK`.
"""

from __future__ import annotations

import json
import sys

from .tasks import TASKS, Task


def ours(task: Task) -> tuple[int, float]:
    """The epochs and the score of the spec's own training."""
    import netwright

    scores: list[float] = []

    def on_epoch(record: netwright.runtime.training.plan.EpochRecord) -> bool:
        scores.append(record.value(f"valid_{task.metric}"))
        return task.reached(scores[-1])

    program = netwright.load(task.spec).compile(entries=["loss", "train_step"], threads=1)
    program.train(epochs=task.epochs, on_epoch=on_epoch)
    return len(scores), scores[-1]


def main() -> None:
    """Runs one system."""
    system, task = sys.argv[1], TASKS[sys.argv[2]]
    if system == "torch":
        from .torch_training import train

        epochs, score = train(task)
    else:
        epochs, score = ours(task)
    print(json.dumps({"epochs": epochs, "score": score, "reached": task.reached(score)}))


if __name__ == "__main__":
    main()
