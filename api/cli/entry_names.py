"""The type of `--entry`: names of entries, with commas between them."""

from __future__ import annotations

from typing import Any

import click

#: The entries by the names that users give them.
_NAMES = {"predict": "predict", "step": "step", "loss": "loss", "train": "train_step"}


class EntryNames(click.ParamType):
    """`predict,train`: a tuple of entries, each once, in the order of the program."""

    name = "entries"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{','.join(_NAMES)}]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        given = [part.strip() for part in str(value).split(",")]
        for name in given:
            if name not in _NAMES and name not in _NAMES.values():
                self.fail(f"{name!r} is none of {', '.join(_NAMES)}", param, ctx)
        return tuple(entry for name, entry in _NAMES.items() if {name, entry} & set(given))
