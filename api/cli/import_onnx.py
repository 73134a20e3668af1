"""`netwright import`: converts an ONNX model to a spec with weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

import click

from netwright.specs.diagnostics.visible import visible

from .onnx_extra import need_onnx
from .options import PATH, check_outputs, dim_option, named_values
from .output import to_standard_output, written


@click.command("import")
@click.argument("model", type=PATH)
@click.option("-o", "--spec", "output", type=PATH, required=True, metavar="SPEC", help="The spec to write.")
@click.option("--weights", type=PATH, required=True, metavar="FILE", help="The weights to write.")
@click.option("--name", metavar="NAME", help="The model's name; by default that of the file.")
@click.option(
    "--layout",
    type=click.Choice(["onnx", "native"]),
    default="onnx",
    show_default=True,
    help="onnx: inputs and outputs stay as they are, images channels first. native: they have the order of axes that "
    "the network itself has, images channels last, sequences samples first, and no transpose stands at the border.",
)
@dim_option(
    "Settle an open size, H=256, say between which numbers it is, T=16..512, what it is a multiple of, H=32k, or that "
    "it is the same as another, y_batch=x_batch.",
    "size range multiple name",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=VALUE",
    callback=lambda ctx, param, values: named_values(values, param),
    help="Fix an input's value: sr=16000, or a list in JSON. The spec does not have the input.",
)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="NAME",
    help="Use this value of the model as output instead of its own; nodes after it are left out.",
)
def command(
    model: Path,
    output: Path,
    weights: Path,
    name: str | None,
    layout: Literal["onnx", "native"],
    dims: dict[str, Any],
    inputs: dict[str, Any],
    outputs: tuple[str, ...],
) -> None:
    """Import an ONNX model.

    The spec consists of the language's own layers and can be read and changed. If the model's outputs need a node that
    is not supported, each such node is reported with the reason, the exit code is 1, and nothing is written.
    """
    need_onnx()
    from ..onnx.errors import OnnxError
    from ..onnx.files import import_model

    check_outputs({"-o": output, "--weights": weights}, [model])
    try:
        imported = import_model(model, name=name, layout=layout, dims=dims, inputs=inputs, outputs=outputs)
    except OnnxError as error:
        for finding in error.findings:
            click.echo(visible(f"error: {finding}", keep="\n"), err=True)
        if error.help:
            click.echo(visible(f"help: {error.help}", keep="\n"), err=True)
        sys.exit(1)
    imported.save(output, weights)
    aside = to_standard_output(output)
    for size, reason in imported.same.items():
        click.echo(f"the open size {size} is the same as {reason}", err=aside)
    for note in imported.notes:
        click.echo(visible(f"note: {note}"), err=aside)
    written(output, "spec")
    for kind, names in (("input", imported.inputs), ("output", imported.outputs)):
        for old, new in names.items():
            if old != new:
                click.echo(f"the {kind} {old} is named {new} here", err=aside)
    written(weights, "weights", sized=True)
