"""`netwright explain`: a page for a diagnostic's code."""

from __future__ import annotations

import click
from rich.syntax import Syntax
from rich.text import Text

from netwright.specs.codes import CODES
from netwright.specs.pages import Page, pages

from .output import console


@click.command("explain")
@click.argument("code", required=False)
@click.option("--markdown", is_flag=True, help="Print Markdown.")
def command(code: str | None, markdown: bool) -> None:
    """Explain a diagnostic's CODE with an example: what is wrong (-) and what is right (+).

    Without CODE all codes are listed.
    """
    if code is None:
        for known, title in CODES.items():
            click.echo(f"{known}  {title}")
        return
    page = pages().get(_normal(code))
    if page is None:
        raise click.UsageError(f"there is no code {code}; netwright explain lists them all")
    if markdown:
        click.echo(page.to_markdown(), nl=False)
    else:
        _print(page)


def _normal(code: str) -> str:
    """`304`, `nw0304` and `NW0304` are one."""
    digits = code.upper().removeprefix("NW")
    return f"NW{digits.zfill(4)}"


def _print(page: Page) -> None:
    out = console()
    out.print(Text(f"{page.code}: {page.title}", style="bold"))
    out.print()
    out.print(Text(page.text.replace("`", "")), soft_wrap=not out.is_terminal)
    if page.example:
        out.print()
        if out.is_terminal and not out.no_color:
            out.print(Syntax(page.example.rstrip("\n"), "diff", background_color="default"))
        else:
            out.print(Text(page.example.rstrip("\n")), soft_wrap=True)
