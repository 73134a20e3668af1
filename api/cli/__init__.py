"""The command `netwright`: one module per command, imported when it is called, so that help is instant."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from netwright.runtime.errors import DataWarning
from netwright.specs.diagnostics.visible import visible

from ..collection import SELDOM

#: Each command's module and its line in the help.
COMMANDS = {
    "new": "Start a spec from a template.",
    "validate": "Check specs and report everything wrong.",
    "fix": "Apply the safe fixes.",
    "explain": "What a code means; how the compiler optimizes a spec.",
    "summary": "Layers, shapes, parameters, FLOPs.",
    "resources": "The exact memory it needs.",
    "shift": "To which shifts it is equivariant or invariant.",
    "gradients": "Whether gradients will flow through recurrences.",
    "graph": "Draw a network.",
    "report": "One page about a network, for a browser.",
    "sample": "Random data that fit a spec, to try it.",
    "data": "What is in the data sets: counts, ranges, classes.",
    "rate": "Which learning rates the loss falls at.",
    "train": "Train a network and write its weights.",
    "sweep": "Train with many values of the spec, and compare.",
    "runs": "List trainings; show, compare and plot them.",
    "evaluate": "Loss and metrics of trained weights on data.",
    "probe": "Shift data and compare the answers.",
    "predict": "Predict for images, recordings, tables, texts.",
    "generate": "Go on with a text, or answer texts.",
    "serve": "Answer over HTTP (KServe, Triton).",
    "arrays": "Samples in files as the arrays of inputs.",
    "run": "Predict for arrays in files.",
    "compile": "Write an executable, a library, or code as text.",
    "verify": "Whether a compiled file computes what it should.",
    "profile": "Where the time goes, layer by layer.",
    "cache": "The cache of compiled code: what it holds, and clearing it.",
    "targets": "The systems that it compiles for.",
    "machine": "What the compiler assumes about a CPU; this one's speed.",
    "import": "An ONNX model as a spec with weights.",
    "export": "A network as an ONNX model.",
    "quickstart": "From a spec to an executable, on handwritten digits.",
    "lsp": "The language server, for editors.",
    "schema": "The JSON Schema of specs, for editors.",
}

#: The modules of commands whose names can't be or aren't module names.
_MODULES = {"import": "import_onnx", "export": "export_onnx"}


class LazyGroup(click.Group):
    """A group that imports its commands on demand and turns errors into messages."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        if args is None:  # called as a program, not from Python
            gc.set_threshold(*SELDOM)  # modules stay as well: with Python's own, commands take twice as long
        with _explained():  # printing help can fail too, on a full disk
            return super().main(args, *more, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return import_module(f".{_MODULES.get(cmd_name, cmd_name)}", __name__).command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]}?" if near else f" There is {', '.join(COMMANDS)}."
            raise click.UsageError(f"No such command: {args[0]}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        with _explained(), _noted():
            return super().invoke(ctx)


@contextmanager
def _explained() -> Iterator[None]:
    """Turns errors that the user can act on into a message and an exit code."""
    try:
        yield
    except (click.exceptions.Exit, click.ClickException, click.Abort, BrokenPipeError):
        raise
    except KeyboardInterrupt:  # the second Ctrl-C in a training
        sys.exit(130)
    except Exception as error:
        from .failure import report

        code = report(error)
        if code is None:
            raise
        sys.exit(code)


@contextmanager
def _noted() -> Iterator[None]:
    """Prints what is said about data as a note, without the line of code that says it."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", DataWarning)
        show = warnings.showwarning

        def note(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, DataWarning):
                click.echo(f"note: {visible(str(message))}", err=True)
            else:
                show(message, category, *where, **more)

        warnings.showwarning = note
        yield


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from ..version import VERSION

        click.echo(f"netwright {VERSION}")
        ctx.exit()


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
def main() -> None:
    """Networks described in YAML or JSON: checked, trained and compiled to native code."""
