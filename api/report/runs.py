"""The reports of runs: one about a run by itself, and one that compares several."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from netwright.runtime.data.samples import Samples
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.reading.documents import read_text

from ..data.sets import DataSets
from ..describe import count_text
from ..live.words import duration_text, number_text
from ..markup import escape
from ..model import Model, load
from ..program import EngineName
from ..trainings.reading import Run, value_of
from ..version import VERSION
from ..weights.network import read_weights
from .charts import ChartSheet, chart_scripts
from .curves import Course, Record, training_section
from .examination import examine
from .page import report
from .template import file_text, whole_page, with_contents

#: Norms of gradients by layer, a line of JSON per epoch, in the folder of a run.
SLOPES = "gradients.jsonl"


def course_of(run: Run) -> Course:
    """How a run went."""
    return Course(run.name, run.records, _slopes(run.path / SLOPES, len(run.history)))


def run_report(
    run: Run,
    model: Model | None = None,
    sets: DataSets | None = None,
    *,
    engine: EngineName = "native",
    threads: int | None = None,
) -> str:
    """The page about a run as HTML: its curves, what its weights answer to the validation data (or the training data,
    if there are no others), the weights themselves, and its network.

    ``model`` and ``sets`` are by default those of the spec in its folder. Raises SpecError, WeightsError, and DataError
    if data can't be read.
    """
    model = model or load(run.spec)
    course = course_of(run)
    if not run.weights.exists():
        return report(model, [course])
    weights = read_weights(model.network, run.weights)
    data = _data(sets or model.data(weights=run.weights))
    if data is None:
        return report(model, [course], weights)
    program = model.compile(run.weights, engine=engine, threads=threads, entries=("predict", "loss"))
    try:
        return report(model, [course], weights, examine(model, program, data, engine=engine, threads=threads))
    finally:
        program.close()


def _data(sets: DataSets) -> Samples | None:
    """The validation data, or the training data."""
    return sets.find("valid") or sets.find("train")


def runs_page(runs: Sequence[Run]) -> str:
    """The page about several runs as HTML: their curves in the same charts, and what they differ in."""
    sheet = ChartSheet()
    courses = [course_of(run) for run in runs]
    values = {
        "title": escape(", ".join(dict.fromkeys(str(run.info.get("model")) for run in runs))),
        "totals": f"<div><dt>runs</dt><dd>{len(runs)}</dd></div>",
        "training": training_section(courses, sheet),
        "table": _comparison(runs),
        "footer": escape(f"netwright {VERSION}"),
        "style": file_text("page.css"),
        "charts": chart_scripts(sheet),
    }
    return with_contents(whole_page("runs.html", values, policy="script-src 'unsafe-inline'; img-src data:"))


def _comparison(runs: Sequence[Run]) -> str:
    """A row per run: how it stands, its best epoch, and the settings that are not the same in all."""
    settings = [dict(_flat(_values(run.spec))) for run in runs]
    keys = dict.fromkeys(key for values in settings for key in values)
    different = [key for key in keys if len({json.dumps(values.get(key)) for values in settings}) > 1]
    head = ["run", "state", "epochs", "best epoch", "best", "time", *different]
    rows = []
    for run, values in zip(runs, settings, strict=True):
        best, value = run.best, value_of(run.best, run.metric)
        seconds = sum(record.get("seconds") or 0.0 for record in run.history)
        cells = [
            run.state,
            f"{len(run.history)}",
            "" if best is None else str(best["epoch"]),
            "" if value is None else f"{run.metric} {number_text(value)}",
            duration_text(seconds),
            *(_shown(values.get(key)) for key in different),
        ]
        rows.append(
            f'<tr><th scope="row">{escape(run.name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        )
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    same = (
        ""
        if different
        else f'<p class="quiet">The specs of the {escape(count_text(len(runs), "run"))} are the same.</p>'
    )
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>{same}'


def _values(spec: Path) -> Any:
    """The values of a spec as plain data; nothing if it can't be read."""
    try:
        tree = read_text(spec.read_text(encoding="utf-8"), spec.name, Diagnostics())
    except (OSError, ValueError):
        return {}
    return {} if tree is None else tree.value


def _flat(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The single values of nested ones, by their paths; items of lists are called by their names, if they have some."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(values, list) and any(isinstance(item, Mapping) for item in values):
        for number, item in enumerate(values):
            name = item.get("name", number) if isinstance(item, Mapping) else number
            yield from _flat(item, f"{path}.{name}")
    else:
        yield path, values


def _shown(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _slopes(path: Path, epochs: int) -> list[Record]:
    """The records of gradients of the first ``epochs``: the last one of each, where a training went on from before."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return []
    records: dict[int, Record] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if (
            isinstance(record, dict)
            and isinstance(record.get("norms"), dict)
            and type(record.get("epoch")) is int
        ):
            records[record["epoch"]] = record
    return [records[epoch] for epoch in sorted(records) if epoch <= epochs]
