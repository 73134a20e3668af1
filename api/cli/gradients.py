"""`netwright gradients`: whether gradients will flow through a network's recurrences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from numpy.typing import NDArray

from netwright.specs.files import is_stream, write_file

from ..errors import RequestError
from ..inspection.gradients import gradient_flow
from ..model import Model, load
from ..report.flow_chart import flow_chart
from ..weights.network import read_weights
from .options import (
    PATH,
    check_outputs,
    dim_option,
    format_option,
    settings_option,
    spec_argument,
    weights_option,
)
from .output import console, show_warnings, to_standard_output, written

#: How many samples of a data set are looked at.
_SAMPLES = 16


@click.command("gradients")
@spec_argument
@weights_option(required=False, help="Trained weights; by default the initial ones.")
@dim_option("How long the sequences are: T=200.")
@click.option(
    "--data",
    type=PATH,
    metavar="FILE",
    help=f"A data set of whose first {_SAMPLES} samples the inputs are; by default they are random.",
)
@click.option("-o", "--output", type=PATH, metavar="FILE.svg", help="Also draw the norms over time.")
@format_option
@settings_option
def command(
    spec: Path,
    weights: Path | None,
    dims: dict[str, Any],
    data: Path | None,
    output: Path | None,
    form: str,
    settings: tuple[str, ...],
) -> None:
    """Measure how a gradient at the last step of each recurrence shrinks or grows on its way back to the first, on
    random inputs or on data, with the initial or with trained weights.
    """
    if ranges := [name for name, size in dims.items() if not isinstance(size, int)]:
        raise RequestError(f"sequences have one length: {ranges[0]}=200, not a range")
    if output is not None and not is_stream(output) and output.suffix != ".svg":
        raise click.UsageError(f"-o: {output} has to end in .svg")
    model = load(spec, settings)
    check_outputs({"-o": output}, [*model.files, weights, data])
    show_warnings(model)
    values = None if weights is None else read_weights(model.network, weights)
    flow = gradient_flow(model, values, dims=dims, inputs=_inputs(model, data, weights))
    if output is not None and not flow.flows:
        raise RequestError(f"{model.name} has no recurrence to draw")
    aside = output is not None and to_standard_output(output)
    if form == "json":
        click.echo(json.dumps(flow.to_json(), indent=2, ensure_ascii=False), err=aside)
    elif flow.flows:
        console(err=aside).print(flow.table())
    else:
        click.echo(flow.to_text(), nl=False)
    if output is not None:
        write_file(output, f"{flow_chart({line.layer: line for line in flow.flows})}\n".encode())
        written(output, sized=True)


def _inputs(model: Model, data: Path | None, weights: Path | None) -> Mapping[str, NDArray] | None:
    """The inputs in the first samples of a file."""
    if data is None:
        return None
    dataset = model.data({"data": data}, weights=weights)["data"]
    if missing := [name for name in model.network.inputs if name not in dataset.headers]:
        raise RequestError(f"{dataset.name} has no array {missing[0]}")
    return dataset.read(slice(0, _SAMPLES), model.network.inputs)
