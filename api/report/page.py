"""The report's page: fills the template with the model's data. Nothing on it is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from netwright.specs.diagnostics.diagnostic import Diagnostic
from netwright.specs.diagnostics.visible import visible

from ..analysis.resources import Resources
from ..analysis.summary import Summary, SummaryRow
from ..describe import bytes_text, flops_text, shape_text
from ..drawing.layers import LayerPicture
from ..drawing.svg import to_svg
from ..markup import escape, script_json
from ..model import Model
from ..version import VERSION
from .analyses import memory, notes
from .answers import class_section, worst_section
from .charts import ChartSheet, chart_scripts
from .curves import Course, training_section
from .examination import Examination
from .flow import gradient_section
from .parameters import activity_section, filter_section, weight_section
from .template import file_text, whole_page, with_contents


def report(
    model: Model,
    courses: Sequence[Course] = (),
    weights: Mapping[str, NDArray] | None = None,
    examination: Examination | None = None,
    *,
    dims: Mapping[str, int] | None = None,
) -> str:
    """The page as HTML.

    ``courses`` are trainings whose curves it shows; further sections are about the first one. ``weights`` are its
    result, ``examination`` is what they answer to data; ``dims`` say through how many steps gradients flow. Raises
    SpecError for a spec with errors.
    """
    summary, sheet = model.summary(), ChartSheet()
    resources = Resources(model.load, model.network)
    picture = LayerPicture(model.load, model.network).rolled()
    parts = [
        training_section(courses, sheet),
        *(_examined(model, examination) if examination is not None else ()),
        gradient_section(model, weights, courses[0] if courses else None, sheet, dims),
    ]
    if weights is not None:
        parts.append(weight_section(model.network, weights, sheet))
        if examination is not None:
            active = examination.activities
            parts.append(activity_section(active, examination.active, examination.source, sheet))
        parts.append(filter_section(model.load, model.network, weights))
    parts += [memory(resources), notes(summary)]
    trained = parts[0] if courses else ""
    values = {
        "title": escape(model.name),
        "subtitle": escape(picture.subtitle),
        "totals": _totals(summary, resources),
        "warnings": _warnings(model),
        "graph": to_svg(picture),
        "layers": "".join(f'<option value="{escape(row.name)}">' for row in summary.rows),
        "table": "".join(_row(row) for row in summary.rows),
        "spec": _spec(model),
        "training": trained,
        "analyses": "".join(parts[1 if courses else 0 :]),
        "footer": escape(f"netwright {VERSION} · {model.load.file}"),
        "data": script_json(_data(model, summary)),
        "style": file_text("page.css") + file_text("data.css"),
        "script": file_text("blocks.js") + file_text("page.js"),
        "charts": chart_scripts(sheet),
    }
    return with_contents(whole_page("page.html", values, policy="script-src 'unsafe-inline'; img-src data:"))


def _examined(model: Model, examination: Examination) -> list[str]:
    return [class_section(examination.scores, examination.source), worst_section(model, examination)]


def _totals(summary: Summary, resources: Resources) -> str:
    items = [
        ("layers", f"{len(summary.rows):,}"),
        (
            "parameters",
            f"{summary.parameters:,}" + (f" ({summary.frozen:,} frozen)" if summary.frozen else ""),
        ),
        ("weights", bytes_text(summary.weight_bytes)),
        ("FLOPs per sample", flops_text(summary.flops) or "0"),
    ]
    items += [("statistics", f"{summary.statistics:,}")] if summary.statistics else []
    for entry in resources.entries:
        needed = resources.memory(entry)
        at = ", ".join(f"{name} = {size}" for name, size in needed.dims.items())
        what = "to predict" if entry == "predict" else "to train"
        items.append((f"memory {what}{f', {at}' if at else ''}", bytes_text(needed.total)))
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in items)


def _warnings(model: Model) -> str:
    warnings = model.diagnostics.items
    if not warnings:
        return '<p class="quiet">No warnings.</p>'
    return "<ul>" + "".join(_warning(item) for item in warnings) + "</ul>"


def _warning(item: Diagnostic) -> str:
    help = f"<br><span class='quiet'>{escape(item.help)}</span>" if item.help else ""
    place = f'<a href="#line-{item.span.line}">line {item.span.line}</a>'
    return f"<li><b>{item.code}</b> {escape(item.message)} ({place}){help}</li>"


def _row(row: SummaryRow) -> str:
    parameters = (
        f"as {row.shared_with}" if row.shared_with else f"{row.parameters:,}" if row.parameters else ""
    )
    cells = [
        row.description,
        shape_text(row.output),
        parameters,
        flops_text(row.flops),
        flops_text(row.bytes),
        str(row.receptive_field) if row.receptive_field else "",
        row.receptive_field.stride_text if row.receptive_field else "",
    ]
    name = f'<th scope="row"><button type="button">{escape(row.name)}</button></th>'
    inside = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr data-layer="{escape(row.name)}">{name}{inside}</tr>'


def _spec(model: Model) -> str:
    source = model.diagnostics.sources.get(model.load.file)
    lines = [source.line(number) for number in range(1, source.line_count + 1)] if source else []
    return "".join(
        f'<span class="line" id="line-{number}"><i>{number}</i>{escape(line) or " "}\n</span>'
        for number, line in enumerate(lines, 1)
    )


def _data(model: Model, summary: Summary) -> dict[str, Any]:
    """What the script shows for a selected layer, by the id of its box."""
    boxes: dict[str, Any] = {}
    entries = model.load.entries
    for row in summary.rows:
        entry = entries.get(row.name)
        node = model.load.node(entry.path) if entry else None
        span = node.span if node and node.text.file == model.load.file else None
        facts = [("", row.description), ("output", shape_text(row.output))]
        facts += [("parameters", f"as {row.shared_with}" if row.shared_with else f"{row.parameters:,}")]
        facts += [("of them frozen", f"{row.frozen:,}")] if row.frozen and not row.shared_with else []
        facts += [("statistics", f"{row.statistics:,}")] if row.statistics else []
        facts += [("FLOPs per sample", flops_text(row.flops) or "0")]
        facts += [("bytes moved per sample", flops_text(row.bytes) or "0")]
        if field := row.receptive_field:
            facts += [("receptive field", str(field))]
            facts += [("total stride", field.stride_text)] if field.stride_text else []
            facts += [("does not see", field.unseen_text)] if field.unseen_text else []
        owned = [
            (name.removeprefix(f"{row.name}."), shape_text(info.type.shape))
            for name, info in model.network.parameters.items()
            if info.layer == row.name
        ]
        boxes[row.name] = {
            "name": row.name,
            "facts": facts + owned,
            "lines": [span.line, span.end_line] if span else None,
        }
    for name, type in model.network.inputs.items():
        node = model.load.node(("inputs", name))
        lines = [node.span.line, node.span.end_line] if node else None
        facts = [("", f"input {type.dtype}"), ("shape", shape_text(type.shape))]
        boxes[f"input:{name}"] = {"name": name, "facts": facts, "lines": lines}
    for name, output in model.network.outputs.items():
        node = model.load.node(("outputs", name))
        lines = [node.span.line, node.span.end_line] if node else None
        facts = [("", f"output {output.type.dtype}"), ("shape", shape_text(output.type.shape))]
        facts += [("labels", visible(", ".join(output.labels)))] if output.labels else []
        boxes[f"output:{name}"] = {"name": name, "facts": facts, "lines": lines}
    return boxes
