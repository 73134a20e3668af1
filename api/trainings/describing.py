"""Runs as text and as JSON: in a list, one by itself, and side by side."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.reading.documents import read_file

from ..describe import bytes_text, count_text
from ..drawing.plot import curve_lines
from .reading import Run, value_of
from .table import cut, number_text, seconds_text, table_lines

_ROWS, _WIDEST = 8, 100
#: Keys that hold paths of data, relative to the spec.
_PATH = re.compile(r"train\.data\.\w+(\.path(\.\w+)?|\.labels)?")


def run_to_json(run: Run) -> dict[str, Any]:
    """What a list tells of a run, as plain values."""
    best = run.best
    return {
        "name": run.name,
        "path": str(run.path),
        "model": run.info.get("model"),
        "spec": run.info.get("spec_file"),
        "state": run.state,
        "started": run.info.get("started"),
        "epochs": len(run.history),
        "planned": run.info.get("epochs"),
        "metric": run.metric,
        "value": run.value,
        "best_epoch": best and best["epoch"],
        "seconds": seconds_of(run),
    }


def list_lines(listed: Sequence[Run], width: int) -> list[str]:
    """A table with a line per run. Where all are judged by the same number, its column is named after it."""
    metrics = {run.metric for run in listed}
    metric = metrics.pop() if len(metrics) == 1 else "best"
    rows = [
        {
            "name": run.name,
            "state": run.state,
            "epochs": f"{len(run.history)}/{run.info.get('epochs')}",
            metric: number_text(run.value) + (f" {run.metric}" if metrics else ""),
            "started": time_text(run.info.get("started")),
            "spec": str(run.info.get("spec_file") or ""),
        }
        for run in listed
    ]
    columns = ["name", "state", "epochs", metric, "started", "spec"]
    return table_lines(rows, columns, width, right=("epochs", *([] if metrics else [metric])), needed=4)


def time_text(written: object) -> str:
    """A time in `run.json` as local time, to the minute."""
    try:
        return datetime.fromisoformat(str(written)).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""


def seconds_of(run: Run) -> float:
    """How long its steps took, without validation."""
    return float(sum(record.get("seconds") or 0.0 for record in run.history))


def show_lines(run: Run, width: int) -> list[str]:
    """Everything about a run: how it stands, its numbers, what it ran on, and the curve that it is judged by."""
    info, best = run.info, run.best
    machine, versions = _mapping(info.get("machine")), _mapping(info.get("versions"))
    facts = {
        "state": run.state + (f": {info['error']}" if info.get("error") else ""),
        "spec": f"{info.get('spec_file')}, as {run.spec}",
        "hash": str(info.get("spec_hash")),
        "command": " ".join(map(str, info.get("command", []))),
        "started": time_text(info.get("started")),
        "resumed": ", ".join(map(time_text, info.get("resumed", []))),
        "ended": time_text(info.get("ended")),
        "seed": str(info.get("seed")),
        "epochs": f"{len(run.history)} of {info.get('epochs')}, {seconds_text(seconds_of(run))} of training",
        "weights": str(run.weights) if run.weights.exists() else "",
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "machine": ", ".join(
            str(machine[key]) for key in ("host", "processor", "system") if machine.get(key)
        ),
        "": f"{count_text(machine.get('processors', 0), 'processor')}, {bytes_text(machine.get('memory', 0))} of memory"
        if machine
        else "",
    }
    left = max(map(len, facts))
    lines = [cut(run.name, width), ""]
    lines += [
        f"{name:<{left}}  {cut(value, max(width - left - 2, 20))}" for name, value in facts.items() if value
    ]
    if best is not None:
        lines += ["", *_numbers(run, width)]
    values = [value for record in run.history if (value := value_of(record, run.metric)) is not None]
    if len(values) > 1:
        lines += ["", f"{run.metric} by epoch:", *_curve(values, min(width, _WIDEST))]
    return lines


def _numbers(run: Run, width: int) -> list[str]:
    """The best and the last epoch's numbers."""
    best, last = run.best, run.history[-1]
    assert best is not None
    epochs = {f"epoch {best['epoch']}, kept": best}
    if last is not best:
        epochs[f"epoch {last['epoch']}, the last"] = last
    rows = [
        {"": name, **{key: number_text(value_of(record, key)) for key in names_of(record)}}
        for name, record in epochs.items()
    ]
    return table_lines(rows, ["", *names_of(best)], width, right=names_of(best))


def names_of(record: Mapping[str, Any]) -> list[str]:
    """The numbers of an epoch's record: `train_loss`, `valid_loss`, …, those of validation first."""
    return [f"{part}_{name}" for part in ("valid", "train") for name in record.get(part) or {}]


def _curve(values: Sequence[float], width: int) -> list[str]:
    low, high = min(values), max(values)
    margin = (high - low or abs(high) or 1.0) * 0.05
    ticks = {0: number_text(high), _ROWS - 1: number_text(low)}
    left = max(map(len, ticks.values()))
    rows = curve_lines(values, low - margin, high + margin, max(width - left - 3, 10), _ROWS)
    return [f"{ticks.get(number, ''):>{left}} │{row}" for number, row in enumerate(rows)]


def compared(listed: Sequence[Run]) -> dict[str, dict[str, list[Any]]]:
    """The values of the specs that differ, by key, and the results; a list in the order of the runs for each."""
    specs = [flat_values(run) for run in listed]
    keys = dict.fromkeys(key for spec in specs for key in spec)
    by_key = {key: [spec.get(key) for spec in specs] for key in keys}
    different = {key: values for key, values in by_key.items() if any(value != values[0] for value in values)}
    names = dict.fromkeys(name for run in listed if run.best for name in names_of(run.best))
    results: dict[str, list[Any]] = {name: [value_of(run.best, name) for run in listed] for name in names}
    results["best epoch"] = [run.best and run.best["epoch"] for run in listed]
    results["epochs"] = [len(run.history) for run in listed]
    results["seconds"] = [round(seconds_of(run), 3) for run in listed]
    results["state"] = [run.state for run in listed]
    return {"spec": different, "results": results}


def compare_lines(listed: Sequence[Run], width: int) -> list[str]:
    """The differences of specs, and below them the results."""
    sections = compared(listed)
    labels = [run.name for run in listed]
    rows = []
    for title, values in sections.items():
        if title == "results":
            rows.append({})
        rows += [
            {"": key, **{label: _text(value) for label, value in zip(labels, several, strict=True)}}
            for key, several in values.items()
        ]
    if not sections["spec"]:
        rows = [{"": "the specs are the same"}, *rows]
    return table_lines(rows, ["", *labels], width, right=labels, needed=len(labels) + 1)


def flat_values(run: Run) -> dict[str, Any]:
    """The values in a run's spec by dotted keys; layers go by their names."""
    tree = read_file(run.spec, Diagnostics())
    values = {} if tree is None else dict(_flat(tree.value, ""))
    for key, value in values.items():
        if _PATH.fullmatch(key) and isinstance(
            value, str
        ):  # so that runs in different folders can be compared
            values[key] = os.path.relpath(run.spec.parent / value)
    return values


def _flat(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [
            pair for key, item in value.items() for pair in _flat(item, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        named = {str(item.get("name", number)): item for number, item in enumerate(value)}
        if len(named) == len(value):
            return _flat(named, path)
    return [(path, value)]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "–" if value is None else str(value)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
