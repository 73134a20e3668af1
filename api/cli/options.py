"""Options that several commands share, and functions that read their values."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from netwright.specs.files import STANDARD_STREAM, check_writable, is_stream
from netwright.specs.manifest import MOST_THREADS

F = TypeVar("F", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
_DIM = re.compile(r"([A-Za-z_]\w*)=(?:(\d+)(?:\.\.(\d*))?|([1-9]\d*k)|([A-Za-z_]\w*))")
_NAMED = re.compile(r"([A-Za-z_][\w.]*)=(.+)", re.DOTALL)


def spec_argument(function: F) -> F:
    """SPEC, a path. The loader, not click, checks that it can be read, and reports errors as diagnostics."""
    return click.argument("spec", type=PATH)(function)


def settings_option(function: F) -> F:
    """--set, which can be repeated."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change the spec: train.optimizer.learning_rate=0.01, layers.conv1.filters=8.",
    )(function)


def format_option(function: F) -> F:
    """--format, text or JSON."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="How to print.",
    )(function)


def weights_option(
    required: bool = True, help: str = "Trained weights, or a checkpoint: its best ones."
) -> Callable[[F], F]:
    """--weights, a safetensors file or a checkpoint."""
    return click.option("--weights", type=PATH, required=required, metavar="FILE", help=help)


class _Threads(click.ParamType):
    """A number of threads, or `auto`, which becomes None."""

    name = "threads"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        return None if value == "auto" else click.IntRange(1, MOST_THREADS).convert(value, param, ctx)


def given(ctx: click.Context, name: str) -> bool:
    """Whether an option was given, and does not have its default."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def engine_options(function: F) -> F:
    """--engine, --threads and --pin."""
    function = click.option(
        "--pin",
        is_flag=True,
        help="Keep each thread on a processor of its own; for a computer that is idle otherwise.",
    )(function)
    function = click.option(
        "--threads",
        type=_Threads(),
        default="auto",
        show_default=True,
        help="The most threads to use; auto: as many as there are processors. Small work uses fewer.",
    )(function)
    return click.option(
        "--engine",
        type=click.Choice(["native", "reference"]),
        default="native",
        show_default=True,
        help="Compiled code, or the interpreter it is tested against.",
    )(function)


def verbosity_options(function: F) -> F:
    """--quiet and --verbose. Raises UsageError for both at once."""

    def at_most_one(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
        if value and ctx.params.get("quiet"):
            raise click.UsageError("-q prints less and -v more: leave one of them out", ctx)
        return value

    function = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        callback=at_most_one,
        help="Also print what is trained on what, and off a terminal a line every ten seconds.",
    )(function)
    return click.option(
        "-q", "--quiet", is_flag=True, is_eager=True, help="Print warnings, notes and errors alone."
    )(function)


def data_option(example: str) -> Callable[[F], F]:
    """--data NAME=FILE, which can be repeated."""
    return click.option(
        "--data",
        "data",
        multiple=True,
        metavar="NAME=FILE",
        callback=lambda ctx, param, values: named_paths(values, param),
        help=f"Another file for a data set: {example}.",
    )


def dim_option(help: str, forms: str = "size") -> Callable[[F], F]:
    """--dim NAME=SIZE, which can be repeated. ``forms`` adds NAME=LEAST..GREATEST ("range"), NAME=32k ("multiple") and
    NAME=OTHER ("name").
    """
    return click.option(
        "--dim",
        "dims",
        multiple=True,
        metavar="NAME=SIZE",
        callback=lambda ctx, param, values: dim_ranges(values, param, forms),
        help=help,
    )


def named_paths(values: Sequence[str], param: click.Parameter) -> dict[str, Path]:
    """Reads `NAME=FILE` texts into a mapping. Raises BadParameter."""
    paths: dict[str, Path] = {}
    for value in values:
        match = _NAMED.fullmatch(value)
        if match is None:
            raise click.BadParameter(f"{value!r} is not NAME=FILE", param=param)
        if match[1] in paths:
            raise click.BadParameter(f"{match[1]} is given twice", param=param)
        paths[match[1]] = Path(match[2])
    return paths


def named_values(values: Sequence[str], param: click.Parameter) -> dict[str, Any]:
    """Reads `NAME=VALUE` texts with values in JSON into a mapping. Raises BadParameter."""
    named: dict[str, Any] = {}
    for value in values:
        name, _, text = value.partition("=")
        try:
            known = json.loads(text)
        except (ValueError, RecursionError):
            raise click.BadParameter(
                f"{value!r} is not NAME=VALUE, with a number, true, false or a list of such", param=param
            ) from None
        if name in named:
            raise click.BadParameter(f"{name} is given twice", param=param)
        named[name] = known
    return named


_FORMS = {
    "size": "NAME=SIZE",
    "range": "NAME=LEAST..GREATEST",
    "multiple": "NAME=32k for a multiple",
    "name": "NAME=OTHER for the same size as another",
}


def dim_ranges(
    values: Sequence[str], param: click.Parameter, forms: str = "size range multiple"
) -> dict[str, Any]:
    """Reads `N=1`, `T=16..512`, `T=16..`, `H=32k` and `M=N` into the form that `load` and `import_model` take. Raises
    BadParameter.
    """
    ranges: dict[str, Any] = {}
    for value in values:
        match = _DIM.fullmatch(value)
        form = match and (
            "name" if match[5] else "multiple" if match[4] else "size" if match[3] is None else "range"
        )
        if match is None or form not in forms.split():
            *others, last = [_FORMS[word] for word in forms.split()]
            wanted = f"{', '.join(others)} or {last}" if others else last
            raise click.BadParameter(f"{value!r} is not {wanted}", param=param)
        name, least, most, multiple, other = match.groups()
        if name in ranges:
            raise click.BadParameter(f"{name} is given twice", param=param)
        ranges[name] = other or multiple or (int(least), int(most) if most else None)
        if form == "size":
            ranges[name] = int(least)
    return ranges


def check_outputs(outputs: Mapping[str, Path | None], inputs: Iterable[str | Path | None] = ()) -> None:
    """Raises UsageError if an output (by its option) can't be written, or would replace an input or another output.
    Called first, so that an hour of training does not end with this error.
    """
    taken = [(path, f"is the input {path}") for path in inputs if path is not None and not is_stream(path)]
    for option, path in outputs.items():
        if path is None:
            continue
        try:
            check_writable(path)
        except OSError as error:
            raise click.UsageError(f"{option}: {path}: {error.strerror}") from None
        for other, what in taken:
            if _same(path, other):
                raise click.UsageError(f"{option}: {path} {what}: choose another name")
        taken.append((path, f"is what {option} is, too"))


def _same(output: Path, other: str | Path) -> bool:
    """Whether two paths are the same file, or both standard output. Other streams can take several outputs."""
    if is_stream(output):
        return os.fspath(output) == os.fspath(other) == STANDARD_STREAM
    try:
        return os.path.samefile(output, other)
    except OSError:
        return os.path.realpath(output) == os.path.realpath(other)
