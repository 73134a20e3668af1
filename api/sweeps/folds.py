"""Cross-validation: a run per fold, each with another part of the training data left out to validate by."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netwright.specs.files import write_file
from netwright.specs.models.data import SplitData
from netwright.specs.models.train import TrainSpec

from ..trainings.describing import names_of
from ..trainings.table import number_text, table_lines
from .search import Trial

KEY = "train.data.valid"
RESULTS = "results.json"


def fold_settings(train: TrainSpec, folds: int) -> list[dict[str, str]]:
    """The setting of each fold: a part of the data that validation data are split off, or else of the training data. A
    split keeps its `stratify` and `seed`.
    """
    valid = train.data.get("valid")
    split = valid if isinstance(valid, SplitData) else None
    kept = {} if split is None else {"stratify": split.stratify, "seed": split.seed or None}
    source = split.source if split is not None else "train"
    values = [{"from": source, "folds": folds, "fold": number + 1} for number in range(folds)]
    return [
        {KEY: json.dumps(value | {name: kept[name] for name in kept if kept[name] is not None})}
        for value in values
    ]


def fold_results(trials: Sequence[Trial]) -> dict[str, Any]:
    """The numbers of each fold in the epoch whose weights are kept, and over the folds that have some their mean and
    standard deviation (of a sample: divided by n − 1).
    """
    done = [trial for trial in trials if trial.run is not None and trial.run.best is not None]
    names = dict.fromkeys(
        name for trial in done if trial.run and trial.run.best for name in names_of(trial.run.best)
    )
    rows = {
        trial.name: {name: trial.run.kept(name) if trial.run is not None else None for name in names}
        for trial in trials
    }
    columns = {name: [value for row in rows.values() if (value := row[name]) is not None] for name in names}
    return {
        "folds": rows,
        "mean": {name: statistics.fmean(values) if values else None for name, values in columns.items()},
        "deviation": {
            name: statistics.stdev(values) if len(values) > 1 else None for name, values in columns.items()
        },
    }


def fold_lines(trials: Sequence[Trial], width: int) -> list[str]:
    """A line per fold, and below them mean and standard deviation."""
    results = fold_results(trials)
    rows = [
        {
            "fold": trial.name,
            "epochs": f"{trial.run.best['epoch']}/{len(trial.run.history)}"
            if trial.run and trial.run.best
            else "",
            "state": trial.state,
            **{name: number_text(value) for name, value in results["folds"][trial.name].items()},
        }
        for trial in trials
    ]
    for name, key in (("mean", "mean"), ("± deviation", "deviation")):
        rows.append({"fold": name, **{column: number_text(value) for column, value in results[key].items()}})
    names = list(results["mean"])
    return table_lines(rows, ["fold", *names, "epochs", "state"], width, right=(*names, "epochs"), needed=2)


def write_results(folder: Path, trials: Sequence[Trial]) -> None:
    """Writes `results.json`. Raises OSError."""
    text = json.dumps(fold_results(trials), indent=2, ensure_ascii=False) + "\n"
    write_file(folder / RESULTS, text.encode(), durable=False)
