"""The report's sections on memory, shifts and gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numpy.typing import NDArray

from ..analysis.resources import Memory, Resources
from ..analysis.summary import Summary
from ..describe import bytes_text
from ..inspection.gradients import Flow, gradient_flow
from ..markup import escape
from ..model import Model
from .flow_chart import flow_lines

_WORDS = {"arena": "scratch memory", "tape": "of it tape"}


def memory(resources: Resources) -> str:
    """The section on memory: a bar and a column for each entry, and how it grows."""
    memories = [resources.memory(entry) for entry in resources.entries]
    kinds = list(dict.fromkeys(kind for usage in memories for kind in usage.buffers))
    rows = [(kind, [usage.buffers.get(kind, 0) for usage in memories]) for kind in kinds]
    rows.append(("arena", [usage.arena for usage in memories]))
    if any(usage.tape for usage in memories):
        rows.append(("tape", [usage.tape for usage in memories]))
    rows.append(("in all", [usage.total for usage in memories]))
    head = "".join(f"<th>{escape(usage.entry)}<br>{escape(_at(usage))}</th>" for usage in memories)
    body = "".join(
        f'<tr><th scope="row">{_swatch(name)}{escape(_WORDS.get(name, name))}</th>'
        + "".join(f"<td>{size:,}</td>" if size else "<td>–</td>" for size in sizes)
        + "</tr>"
        for name, sizes in rows
    )
    bars = "".join(_bar(usage, kinds) for usage in memories)
    growth = "".join(f"<li>{escape(line)}</li>" for line in resources.growth() if not line.startswith(" "))
    return (
        '<section id="the-memory"><h2>Memory</h2>'
        '<p class="quiet">Bytes, exactly as the compiled network asks for them.</p>'
        f'{bars}<div class="wide"><table class="numbers"><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody>'
        f'</table></div><ul class="quiet">{growth}</ul></section>'
    )


def _swatch(kind: str) -> str:
    return "" if kind == "in all" else f'<span class="part key {escape(kind.replace(" ", "-"))}"></span>'


def _at(memory: Memory) -> str:
    return ", ".join(f"{name} = {size}" for name, size in memory.dims.items())


def _bar(memory: Memory, kinds: Sequence[str]) -> str:
    """How memory is divided, as a bar of parts."""
    parts = [(kind, memory.buffers.get(kind, 0)) for kind in kinds]
    parts += [("tape", memory.tape), ("arena", max(memory.arena - memory.tape, 0))]
    shown = "".join(
        f'<span class="part {escape(kind.replace(" ", "-"))}" style="flex-grow:{size}" '
        f'title="{escape(_WORDS.get(kind, kind).removeprefix("of it "))}: {bytes_text(size)}"></span>'
        for kind, size in parts
        if size
    )
    title = (
        f"{escape(memory.entry)} <span class='quiet'>{escape(_at(memory))}: {bytes_text(memory.total)}</span>"
    )
    return f'<div class="bar"><p>{title}</p><div class="parts">{shown}</div></div>'


def notes(summary: Summary) -> str:
    """What sharing saves, which borders no layer sees, and how outputs respond to shifts."""
    lines = summary.notes()
    if not lines:
        return ""
    items = "".join(f"<li>{_named(line)}</li>" for line in lines)
    return f'<section id="the-notes"><h2>Sharing, borders, shifts</h2><ul>{items}</ul></section>'


def _named(line: str) -> str:
    topic, colon, rest = line.partition(": ")
    return f"<b>{escape(topic)}</b>{colon}{escape(rest)}"


def gradient_section(
    model: Model, weights: Mapping[str, NDArray] | None, dims: Mapping[str, int] | None = None
) -> str:
    """A chart for each recurrence, with the initial weights and, if there are any, the trained ones. ``dims`` say how
    long the sequences are.
    """
    start = gradient_flow(model, dims=dims)
    if not start.flows:
        return ""
    trained = (
        gradient_flow(model, weights, dims=dims).flows if weights is not None else (None,) * len(start.flows)
    )
    figures = "".join(_flow(flow, other) for flow, other in zip(start.flows, trained, strict=True))
    legend = '<span class="key train">first weights</span>'
    legend += ' <span class="key valid">trained</span>' if weights is not None else ""
    said = "The norm of ∂L/∂h(t), the last step’s being 1, on random inputs; logarithmic."
    return (
        f'<section id="the-gradients"><h2>Gradient flow</h2><p class="quiet">{said} · {legend}</p>'
        f'<div class="charts">{figures}</div></section>'
    )


def _flow(flow: Flow, trained: Flow | None) -> str:
    lines = {"train": flow, **({"valid": trained} if trained else {})}
    said = f"{flow.verdict}: × {flow.gain:.3g} a step"
    said += f", spectral radius {flow.radius:.3g}" if flow.radius is not None else ""
    said += f"; trained, × {trained.gain:.3g}" if trained else ""
    caption = f"{escape(flow.layer)} <span class='quiet'>{escape(said)}</span>"
    return f"<figure><figcaption>{caption}</figcaption>{flow_lines(flow.layer, lines)}</figure>"
