"""`netwright arrays`: the samples in files as the arrays that a network, and its executable, reads."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from netwright.runtime.data.inputs import Inputs, Unreadable
from netwright.runtime.files.npy import write_npy
from netwright.runtime.files.npz import write_npz
from netwright.runtime.sessions.weights import load_vocabularies

from ..data.written import written_by
from ..describe import shape_text
from ..errors import RequestError
from ..model import load
from ..prediction.inputs import PredictionInputs
from .options import PATH, check_outputs, settings_option, spec_argument, weights_option
from .output import show_warnings, written

#: All samples are one batch, so that texts are padded to the longest of all.
_ALL = 1 << 31


@click.command("arrays")
@spec_argument
@click.argument("paths", nargs=-1, type=PATH)
@weights_option(required=False, help="Trained weights, with the vocabularies of texts.")
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="A text itself in place of a path.")
@click.option(
    "--like", metavar="NAME", help="Read the paths as this data set of the spec; by default as train."
)
@click.option("--labelled", is_flag=True, help="Lines hold labels, as the data set says: leave them out.")
@click.option(
    "--generate",
    "writes",
    is_flag=True,
    help="Without the tokens that the network writes, as compile --generate.",
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    required=True,
    metavar="OUT",
    help="A folder for a NAME.npy per input, a .npz file, or a .npy file for the only input.",
)
@settings_option
def command(
    spec: Path,
    paths: tuple[Path, ...],
    weights: Path | None,
    texts: tuple[str, ...],
    like: str | None,
    labelled: bool,
    writes: bool,
    output: Path,
    settings: tuple[str, ...],
) -> None:
    """Write the samples in PATHs as the arrays that the network reads, such as numbers of tokens in place of texts.
    Executables and libraries take these.
    """
    if bool(paths) == bool(texts):
        raise click.UsageError("give paths, or texts with --text")
    model = load(spec, settings)
    check_outputs(
        {"-o": output if output.suffix in (".npy", ".npz") else None}, [*model.files, weights, *paths]
    )
    show_warnings(model)
    without: list[str] = []
    if writes:
        own = written_by(model.spec, model.network)
        without = [name for name in (own.input, own.lengths) if name is not None]
    source = PredictionInputs(
        model.load,
        model.network,
        {} if weights is None else load_vocabularies(weights),
        like=like,
        labelled=labelled,
        size=_ALL,
        without=without,
    )
    lengths = set(source.wanted.lengths)
    arrays = _joined(source.of_texts(texts) if texts else source.of_paths(paths), lengths)
    for path, some in _files(output, arrays).items():
        if path.suffix == ".npz":
            write_npz(path, some)
        else:
            write_npy(path, next(iter(some.values())))
        written(
            path,
            ", ".join(f"{name} {array.dtype.name} {shape_text(array.shape)}" for name, array in some.items()),
        )


def _files(output: Path, arrays: dict[str, NDArray]) -> dict[Path, dict[str, NDArray]]:
    """The arrays of each file that is written. Raises RequestError."""
    if output.suffix == ".npz":
        return {output: arrays}
    if output.suffix == ".npy":
        if len(arrays) > 1:
            raise RequestError(f"{output}: a .npy file holds one array, these are {', '.join(arrays)}")
        return {output: arrays}
    try:
        output.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise RequestError(f"{output} is a file: end its name in .npz, or name a folder") from None
    return {output / f"{name}.npy": {name: array} for name, array in arrays.items()}


def _joined(inputs: Inputs, padded: set[str]) -> dict[str, NDArray]:
    """All samples. Shorter sequences of the inputs ``padded``, which have lengths, end in zeros. Raises RequestError
    for what can't be read, and for samples of different shapes.
    """
    parts: dict[str, list[NDArray]] = {}
    for item in inputs:
        if isinstance(item, Unreadable):
            raise RequestError(item.message)
        for name, array in item.arrays.items():
            parts.setdefault(name, []).append(array)
    if not parts:
        raise RequestError("there is no sample")
    return {name: _stacked(name, some, padded) for name, some in parts.items()}


def _stacked(name: str, parts: list[NDArray], padded: set[str]) -> NDArray:
    longest = max(part.shape[1] for part in parts) if name in padded else 0
    parts = [
        np.pad(part, [(0, 0), (0, longest - part.shape[1]), *[(0, 0)] * (part.ndim - 2)]) if longest else part
        for part in parts
    ]
    if len({part.shape[1:] for part in parts}) > 1:
        shapes = ", ".join(shape_text(shape) for shape in sorted({part.shape[1:] for part in parts})[:4])
        raise RequestError(f"{name}: samples have different shapes ({shapes})")
    return np.concatenate(parts)
