"""`netwright gradients`: whether gradients will flow through a network's recurrences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..errors import RequestError
from ..inspection.gradients import gradient_flow
from ..model import load
from ..network_weights import read_weights
from .options import dim_option, format_option, settings_option, spec_argument, weights_option
from .output import console, show_warnings


@click.command("gradients")
@spec_argument
@weights_option(required=False, help="Trained weights; by default the initial ones.")
@dim_option("How long the sequences are: T=200.")
@format_option
@settings_option
def command(
    spec: Path, weights: Path | None, dims: dict[str, Any], form: str, settings: tuple[str, ...]
) -> None:
    """Measure how a gradient at the last step of each recurrence shrinks or grows on its way back to the first, on
    random inputs, with the initial or with trained weights.
    """
    if ranges := [name for name, size in dims.items() if not isinstance(size, int)]:
        raise RequestError(f"sequences have one length: {ranges[0]}=200, not a range")
    model = load(spec, settings)
    show_warnings(model)
    values = None if weights is None else read_weights(model.network, weights)
    flow = gradient_flow(model, values, dims=dims)
    if form == "json":
        click.echo(json.dumps(flow.to_json(), indent=2, ensure_ascii=False))
    elif flow.flows:
        console().print(flow.table())
    else:
        click.echo(flow.to_text(), nl=False)
