"""The data sets of a model, and whether they fit it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netwright.compiler.frontend.analyses.windows import time_dim as steps_of
from netwright.compiler.frontend.network import Network
from netwright.runtime.data import check_against
from netwright.runtime.errors import DataError
from netwright.runtime.npz import read_npz_headers
from netwright.runtime.windows import Windows
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.load import LoadResult
from netwright.specs.manifest import BufferInfo

from .errors import RequestError


def data_paths(load: LoadResult, given: Mapping[str, str | Path] | None = None) -> dict[str, Path]:
    """The files of the data sets by name: the spec's, relative to it, replaced or extended by ``given``."""
    assert load.model is not None
    train = load.model.train
    written = {} if train is None else train.data
    found = {name: Path(load.file).parent / path for name, path in written.items()}
    return found | {name: Path(path) for name, path in (given or {}).items()}


def data_path(load: LoadResult, name: str, given: Mapping[str, str | Path] | None = None) -> Path:
    """The file of one data set. Raises RequestError if there is none."""
    paths = data_paths(load, given)
    if name not in paths:
        raise RequestError(f"there is no data set {name}; the spec has {', '.join(paths) or 'none'}")
    return paths[name]


def expected_arrays(network: Network) -> list[BufferInfo]:
    """The arrays that a data set holds: inputs and targets."""
    types = {**network.inputs, **network.targets}
    return [
        BufferInfo(name=name, role="input", dtype=type.dtype, shape=[str(size) for size in type.shape])
        for name, type in types.items()
    ]


def check_data(load: LoadResult, network: Network) -> Diagnostics:
    """What is wrong with the files that the spec names, judged by their headers alone."""
    found = Diagnostics(sources=load.diagnostics.sources.values())
    train = load.model.train if load.model else None
    time = time_dim(network)
    windows = Windows(train.bptt.window, time) if train and train.bptt and time else None
    for name, path in data_paths(load).items():
        span = load.span(("train", "data", name))
        try:
            headers = read_npz_headers(path)
        except DataError as error:
            found.error("NW0703", str(error), span)
            continue
        for problem in check_against(headers, expected_arrays(network), list(network.dims.values()), windows):
            found.error("NW0704", f"{path.name}: {problem}", span)
    return found


def time_dim(network: Network) -> str | None:
    """The open dim that counts steps: the second axis of the first input whose second axis is open."""
    return steps_of(network.inputs.values(), network.dims)
