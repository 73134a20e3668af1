"""`netwright sample`: writes random data that fit a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from netwright.runtime.files.npz import write_npz

from ..errors import RequestError
from ..model import load
from ..sampling import sample
from .options import check_outputs, data_option, dim_option, settings_option, spec_argument
from .output import show_warnings, written


@click.command("sample")
@spec_argument
@click.option(
    "--samples", type=click.IntRange(1), default=64, show_default=True, help="How many in each data set."
)
@dim_option("The size of an open dim in the data, T=20.")
@data_option("train=other.npz")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Another seed gives other numbers.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@settings_option
def command(
    spec: Path,
    samples: int,
    dims: dict[str, Any],
    data: dict[str, Path],
    seed: int,
    force: bool,
    settings: tuple[str, ...],
) -> None:
    """Write random data sets to the paths in the spec's train section, so that a network can be tried, and trained,
    before there are real data. There is nothing to learn from them.
    """
    model = load(spec, settings)
    show_warnings(model)
    paths = data or model.data_paths
    if not paths:
        raise RequestError(
            f"{model.name} names no .npz files under train: data; give some: --data train=FILE.npz"
        )
    check_outputs(dict(paths), model.files)
    for path in paths.values():
        if path.exists() and not force:
            raise click.UsageError(f"{path} is there already; --force writes over it")
    if ranges := [name for name, size in dims.items() if not isinstance(size, int)]:
        raise click.UsageError(f"--dim {ranges[0]}: data have one size, {ranges[0]}=SIZE")
    for number, (name, path) in enumerate(paths.items()):
        arrays = sample(model.network, samples, dims, seed + number)
        write_npz(path, arrays)
        written(path, f"{samples} random samples for {name}", sized=True)
