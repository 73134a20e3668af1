"""Writes a picture as text: in Graphviz's language, for other layouts, or as plain lines for a terminal."""

from __future__ import annotations

from netwright.specs.diagnostics.visible import visible

from .picture import Box, Picture


def to_dot(picture: Picture) -> str:
    """The picture in Graphviz's language."""
    lines = ["digraph {", f"  label={_quoted(picture.title)}; labelloc=t; fontname=Helvetica;"]
    lines.append('  node [shape=box, style="rounded", fontname=Helvetica]; edge [fontname=Helvetica];')
    for box in picture.boxes:
        text = "\n".join(part for part in (box.title, *box.lines, box.shape, box.tag) if part)
        style = ', style="rounded,dashed"' if box.tag else ""
        lines.append(f"  {_quoted(box.id)} [label={_quoted(text)}{style}];")
        lines += [f"  {_quoted(box.id)} -> {_quoted(box.id)} [label={_quoted(loop)}];" for loop in box.loops]
    rows: dict[str, list[str]] = {}
    for box in picture.boxes:
        rows.setdefault(box.row, []).append(box.id)
    for row, ids in rows.items():
        if row and len(ids) > 1:
            lines.append("  {rank=same; " + "; ".join(map(_quoted, ids)) + "}")
    for arrow in picture.arrows:
        label = f" [label={_quoted(arrow.label)}]" if arrow.label else ""
        lines.append(f"  {_quoted(arrow.source)} -> {_quoted(arrow.target)}{label};")
    return "\n".join([*lines, "}"]) + "\n"


def to_text(picture: Picture) -> str:
    """One line per box: what it is, its output, and what it reads."""
    titles = {box.id: _name(box) for box in picture.boxes}
    reads: dict[str, list[str]] = {box.id: [] for box in picture.boxes}
    for arrow in picture.arrows:
        label = f" ({arrow.label})" if arrow.label else ""
        reads[arrow.target].append(titles[arrow.source] + label)
    rows = [
        (
            titles[box.id],
            " · ".join((*box.lines, *(f"↺ {loop}" for loop in box.loops))),
            box.shape,
            ("← " + ", ".join(reads[box.id])) if reads[box.id] else "",
            box.tag,
        )
        for box in picture.boxes
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = [picture.title, picture.subtitle, ""] if picture.subtitle else [picture.title, ""]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append(
            "  ".join([*(cell for cell, width in zip(cells, widths, strict=True) if width), row[4]]).rstrip()
        )
    return "\n".join(map(visible, lines)) + "\n"


def _name(box: Box) -> str:
    return box.title if not box.row or box.row == box.id else f"{box.title}@{box.column}"


def _quoted(text: str) -> str:
    shown = visible(text, keep="\n")
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
