"""`netwright cache`: what the cache of compiled code holds, and how to empty it."""

from __future__ import annotations

import json
import re
import time
from datetime import date

import click

from netwright.compiler.codegen.objects.cache import ObjectCache, default_cache
from netwright.compiler.codegen.objects.upkeep import DAY, Usage, clear, usage

from ..describe import bytes_text
from .options import format_option

_AGE = re.compile(r"(\d+)\s*([dwm])")
_DAYS = {"d": 1, "w": 7, "m": 30}


class _Age(click.ParamType):
    """`30d`, `4w`, `6m` (of 30 days), in seconds."""

    name = "age"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if not isinstance(value, str):
            return float(value)
        match = _AGE.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is no age: write days, weeks or months, such as 30d, 4w or 6m", param, ctx)
        return int(match[1]) * _DAYS[match[2]] * DAY


@click.group("cache")
def command() -> None:
    """The cache of compiled code, which makes compiling the same network again fast.

    It is in the folder NETWRIGHT_CACHE_DIR, or else netwright in the user's cache folder, and keeps to about
    NETWRIGHT_CACHE_LIMIT bytes (1 GB): code that was used least recently is removed. An empty NETWRIGHT_CACHE_DIR
    turns it off.
    """


@command.command("info")
@format_option
def info(form: str) -> None:
    """Show where the cache is and what it holds."""
    cache = default_cache()
    held = Usage(0, 0, None) if cache is None else usage(cache.folder)
    if form == "json":
        click.echo(json.dumps(_facts(cache, held), indent=2))
        return
    if cache is None:
        click.echo("off, since NETWRIGHT_CACHE_DIR is empty")
        return
    click.echo(f"folder  {cache.folder}")
    if not cache.usable:
        click.echo("        not used: it must be yours, and writable by nobody else")
    click.echo(f"holds   {_amount(held)} of {bytes_text(cache.limit)}")
    if held.used is not None:
        first, last = (date.fromtimestamp(used).isoformat() for used in held.used)
        click.echo(f"used    {last}" if first == last else f"used    from {first} to {last}")


@command.command("clear")
@click.option("--unused", type=_Age(), metavar="AGE", help="Only what was not used for so long: 30d, 4w, 6m.")
def clear_command(unused: float | None) -> None:
    """Remove compiled code. It is compiled again when it is needed."""
    cache = default_cache()
    if cache is None or not cache.usable:
        click.echo("there is no cache in use; `netwright cache info` says why")
        return
    removed = clear(cache.folder, unused or 0.0)
    click.echo(f"removed {_amount(removed)}")


def _amount(held: Usage) -> str:
    return f"{held.files:,} file{'s' * (held.files != 1)}, {bytes_text(held.bytes)}"


def _facts(cache: ObjectCache | None, held: Usage) -> dict[str, object]:
    return {
        "folder": None if cache is None else str(cache.folder),
        "usable": cache is not None and cache.usable,
        "files": held.files,
        "bytes": held.bytes,
        "limit": None if cache is None else cache.limit,
        "oldest_use_days": None if held.used is None else int((time.time() - held.used[0]) // DAY),
    }
