"""HTML for notebooks: small tables and boxes in the notebook's own style, in light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .markup import escape


def table_html(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A table; columns after the first ``left`` are aligned to the right."""

    def row(cells: Sequence[str], tag: str) -> str:
        sides = ("left" if number < left else "right" for number in range(len(cells)))
        return "".join(
            f'<{tag} style="text-align:{side};white-space:nowrap">{escape(cell)}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        )

    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows)
    return f"<table><thead><tr>{row(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def folded(title: str, content: str, *, is_open: bool = False) -> str:
    """HTML below a title that opens and closes it."""
    state = " open" if is_open else ""
    return f"<details{state}><summary>{escape(title)}</summary>{content}</details>"


def scrolled(content: str) -> str:
    """HTML in a box that scrolls if it is too large for a notebook."""
    return f'<div style="max-width:100%;max-height:560px;overflow:auto">{content}</div>'


def plain_text(text: str) -> str:
    """Text as it is printed."""
    return f'<pre style="overflow-x:auto">{escape(text)}</pre>'
