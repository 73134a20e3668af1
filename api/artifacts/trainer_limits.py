"""What an executable that trains can't do: it is said when it is compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np

from netwright.compiler.codegen.targets.target import Target
from netwright.compiler.frontend.network import Network
from netwright.compiler.ops.random.vary_crop import MOST_IN_ROW
from netwright.compiler.ranges import merged_ranges
from netwright.specs.diagnostics.diagnostic import Diagnostic, Diagnostics
from netwright.specs.dims import parse_dim
from netwright.specs.load import LoadResult
from netwright.specs.manifest import TRAIN
from netwright.specs.models.data import SplitData, TableData
from netwright.specs.models.train import TrainSpec

from ..errors import RequestError, SpecError
from ..training.ranks import DIVIDED
from .trainer_variations import can_vary

#: What an executable can't follow: the key, why, and what to do.
Beyond: TypeAlias = tuple[tuple[str | int, ...], str, str]
#: An order of samples is compiled for each class that is balanced.
_MOST_CLASSES = 256
_BESIDE = "train it with netwright train"


def check_trainer(load: LoadResult, network: Network, target: Target, *, weights: bool) -> None:
    """Raises SpecError, which names all keys that an executable can't follow, and RequestError without a train
    section, and for a system without signals and files as POSIX has them. ``weights`` says whether it begins with
    given weights.
    """
    if not target.is_posix:
        raise RequestError(
            f"programs that train are made for Linux and macOS, and not for {target.triple}: a library with "
            "--entry train has what they call"
        )
    assert load.model is not None
    train = load.model.train
    if train is None:
        raise RequestError(f"{network.model} can't be trained: the spec has no train section")
    if beyond := list(_beyond(load, train, network, weights)):
        raise refusal(load, beyond)


def refusal(load: LoadResult, beyond: Iterable[Beyond]) -> SpecError:
    errors = [
        Diagnostic("NW0413", "error", f"an executable that trains {what}", load.span(path), "", help=help)
        for path, what, help in beyond
    ]
    return SpecError(Diagnostics(errors, load.diagnostics.sources.values()))


def _beyond(load: LoadResult, train: TrainSpec, network: Network, weights: bool) -> Iterator[Beyond]:
    """What of a spec an executable can't follow."""
    for name, source in train.data.items():
        if isinstance(source, SplitData) and source.source in ("train", "valid"):
            yield from _beyond_split(name, source, train, network)
    for name, changes in train.augment.items():
        if changes and not can_vary(network, train, name):
            yield unvaried(name)
    if train.balance and not balanced_classes(train, network):
        what = f"balances up to {_MOST_CLASSES} classes, if it is known how many there are"
        yield ("train", "balance"), what, f"remove balance, or {_BESIDE}"
    if train.parts and train.bptt:
        what = "does not cut parts of batches into windows"
        yield ("train", "parts"), what, f"remove parts or bptt, or {_BESIDE}"
    if network.fitted and not weights:
        yield (
            load.entries[network.fitted[0]].path if network.fitted[0] in load.entries else ("layers",),
            f"does not fit {', '.join(network.fitted)} to the training data",
            "give --weights with the statistics, those of a trained network, or write mean and deviation into the spec",
        )


def balanced_classes(train: TrainSpec, network: Network) -> int:
    """How many classes the array has by which samples are balanced; 0 if that is not known, or if they are too
    many."""
    if train.balance is None:
        return 0
    entries = step_entries(train)
    known = merged_ranges(network.graphs[entry] for entry in entries).get(train.balance, ())
    highs = [parse_dim(info.high) for info in known if info.what == "class" and info.low == 0]
    count = max((high + 1 for high in highs if isinstance(high, int)), default=0)
    return count if count <= _MOST_CLASSES else 0


def unvaried(name: str) -> Beyond:
    what = f"does not vary {name} so: its sizes are open, or rows of images have more than {MOST_IN_ROW:,} numbers"
    return ("train", "augment", name), what, f"settle sizes with --dim, remove {name} there, or {_BESIDE}"


def _beyond_split(name: str, split: SplitData, train: TrainSpec, network: Network) -> Iterator[Beyond]:
    """What an executable can't take out of the training or validation data."""
    path = ("train", "data", name)
    known = {**network.inputs, **network.targets}
    by, source = split.stratify, train.data.get(split.source)
    if by is not None and (by not in known or np.dtype(known[by].dtype).kind not in "biu"):
        what = f"splits data by arrays of integers that the network takes, and {by} is none"
        yield (*path, "stratify"), what, "choose another array, or leave stratify out"
    if isinstance(source, TableData) and source.window is not None:
        what = f"does not split windows that overlap, and {split.source} has such"
        help = f"netwright data SPEC -o FOLDER writes {name}; then --set train.data.{name}=FOLDER/{name}.npz"
        yield path, what, help


def step_entries(train: TrainSpec | None) -> tuple[str, ...]:
    """The entries of the network that an executable that trains runs."""
    return ("loss", TRAIN) if train is None or train.parts is None else DIVIDED
