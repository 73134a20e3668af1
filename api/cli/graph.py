"""`netwright graph`: a network as a picture or as text."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from netwright.specs.files import is_stream, write_file

from ..model import load
from ..pictures import SUFFIXES, draw
from .options import PATH, check_outputs, settings_option, spec_argument
from .output import show_warnings, written


@click.command("graph")
@spec_argument
@click.option(
    "-o",
    "--output",
    type=PATH,
    required=True,
    metavar="FILE",
    help="graph.svg, graph.png, graph.dot or graph.txt.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([suffix.removeprefix(".") for suffix in SUFFIXES]),
    help="The format if the file's extension does not say it; svg by default.",
)
@click.option(
    "--unroll", type=click.IntRange(1, 100), metavar="K", help="Unroll recurrences: K steps side by side."
)
@click.option(
    "--stage",
    type=click.Choice(["spec", "graph", "optimized"]),
    default="spec",
    show_default=True,
    help="The layers as written, the operations they become, or these after optimization.",
)
@click.option(
    "--entry",
    type=click.Choice(["predict", "loss", "train_step"]),
    default="predict",
    show_default=True,
    help="Which graph, for --stage graph and optimized.",
)
@settings_option
def command(
    spec: Path,
    output: Path,
    form: str | None,
    unroll: int | None,
    stage: Literal["spec", "graph", "optimized"],
    entry: str,
    settings: tuple[str, ...],
) -> None:
    """Draw a network as SVG or PNG, or write it for Graphviz (.dot) or as text (.txt).

    Recurrences are drawn as loops. With --unroll they are drawn step by step, as a feed-forward network with shared
    parameters.
    """
    model = load(spec, settings)
    check_outputs({"-o": output}, model.files)
    show_warnings(model)
    suffix = f".{form}" if form else ".svg" if is_stream(output) else output.suffix
    write_file(output, draw(model, unroll=unroll, stage=stage, entry=entry).content(suffix))
    written(output, sized=True)
