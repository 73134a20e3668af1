"""The report's sections on memory and shifts."""

from __future__ import annotations

from collections.abc import Sequence

from ..analysis.resources import Memory, Resources
from ..analysis.summary import Summary
from ..describe import bytes_text
from ..markup import escape

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
