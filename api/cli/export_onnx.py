"""`netwright export`: writes a network as an ONNX model."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from netwright.specs.diagnostics.visible import visible

from ..model import load
from .onnx_extra import need_onnx
from .options import PATH, check_outputs, settings_option, spec_argument, weights_option
from .output import show_warnings, written


@click.command("export")
@spec_argument
@weights_option()
@click.option("-o", "--output", type=PATH, required=True, metavar="MODEL", help="The ONNX file to write.")
@settings_option
def command(spec: Path, weights: Path, output: Path, settings: tuple[str, ...]) -> None:
    """Export a network's prediction to ONNX.

    Layers become the operators of the same name if there are any, and several operators otherwise. Inputs and outputs
    keep their names and layout.
    """
    need_onnx()
    from ..onnx.errors import OnnxError
    from ..onnx.files import export_model

    model = load(spec, settings)
    check_outputs({"-o": output}, [*model.files, weights])
    show_warnings(model)
    try:
        exported = export_model(model, weights)
    except OnnxError as error:
        for finding in error.findings:
            click.echo(visible(f"error: {finding}", keep="\n"), err=True)
        sys.exit(1)
    exported.save(output)
    written(output, f"ONNX model, opset {exported.opset}", sized=True)
