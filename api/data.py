"""The data sets of a model: opens them as the spec declares them, and checks whether they fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from numpy.typing import NDArray

from netwright.compiler.frontend.analyses.windows import time_dim as steps_of
from netwright.compiler.frontend.network import Network
from netwright.runtime.data.dataset import Dataset
from netwright.runtime.data.extras import MissingPackageError
from netwright.runtime.data.fitting import check_against, class_problems
from netwright.runtime.data.samples import SampleCountError, Samples
from netwright.runtime.data.sources.registry import open_source
from netwright.runtime.data.splits import split
from netwright.runtime.data.wanted import Wanted
from netwright.runtime.errors import DataError
from netwright.runtime.windows import Windows
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.load import LoadResult
from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import (
    AnySource,
    ArraysData,
    CsvData,
    FolderData,
    ParquetData,
    SplitData,
    TableData,
)
from netwright.specs.models.train import SoftmaxCrossEntropy

from .errors import RequestError

#: A data set that does not come from the spec: a path, relative to the current folder, or arrays by name.
Given = str | Path | Mapping[str, NDArray] | Samples


class DataSets:
    """The data sets of a model by name: the spec's, replaced or extended by those ``given``.

    Sets are opened when they are asked for, each once. A given file is read as the spec declares the set that it
    replaces, or else the training data; a .npz or .npy file holds arrays.
    """

    def __init__(self, load: LoadResult, network: Network, given: Mapping[str, Given] | None = None):
        assert load.model is not None
        self._model = load.model.model
        self._declared = dict(load.model.train.data) if load.model.train else {}
        self._wanted = wanted(load, network)
        self._folders = dict.fromkeys(self._declared, Path(load.file).parent)
        self._sources: dict[str, Samples] = {}
        self._split: dict[str, dict[str, Samples]] = {}
        for name, source in (given or {}).items():
            if isinstance(source, str | Path):
                self._declared[name] = self._read_as(name, Path(source))
            else:
                self._sources[name] = (
                    source if isinstance(source, Samples) else Dataset(source, f"the data set {name}")
                )
                self._declared[name] = ArraysData.model_construct(path={})  # of no file
            self._folders[name] = Path()

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __contains__(self, name: object) -> bool:
        return name in self._declared

    def __getitem__(self, name: str) -> Samples:
        """Opens a data set. Raises RequestError if there is none of this name, DataError if it can't be read."""
        if name not in self:
            there = f"; there is {', '.join(self)}" if self._declared else ""
            raise RequestError(
                f"{self._model} has no data set {name}{there}. Name it in the spec (train: {{data: {{{name}: "
                f"{name}.npz}}}}) or with --data {name}=FILE"
            )
        spec = self._declared[name]
        source = spec.source if isinstance(spec, SplitData) else name
        splits = {
            key: declared
            for key, declared in self._declared.items()
            if isinstance(declared, SplitData) and declared.source == source
        }
        if not splits:
            return self._source(name)
        if source not in self._split:
            rest, parts = split(self._source(source), splits)
            self._split[source] = {source: rest, **parts}
        return self._split[source][name]

    def find(self, name: str) -> Samples | None:
        """A data set that may be missing. Raises DataError if it can't be read."""
        if name not in self:
            return None
        return self[name]

    def files(self, name: str) -> list[Path]:
        """The files and folders that a data set is read from."""
        spec = self._declared[name]
        if isinstance(spec, SplitData):
            return self.files(spec.source) if spec.source in self._declared else []
        paths = spec.path.values() if isinstance(spec.path, dict) else [spec.path]
        return [self._folders[name] / path for path in paths]

    def _source(self, name: str) -> Samples:
        if name not in self._sources:
            spec = self._declared[name]
            assert not isinstance(spec, SplitData)
            wanted = self._wanted
            # Classes without names in the spec are those of the training data, also where a set lacks some of them.
            open_classes = None in wanted.classes.values() and not isinstance(spec, ArraysData)
            if open_classes and name != "train" and "train" in self._declared:
                wanted = wanted.like(self["train"])
            self._sources[name] = open_source(spec, self._folders[name], wanted)
        return self._sources[name]

    def _read_as(self, name: str, path: Path) -> AnySource:
        """The declaration of a given file."""
        arrays = ArraysData(path=str(path))
        like = self._declared.get(name, self._declared.get("train"))
        if isinstance(like, SplitData):
            like = self._declared.get(like.source)
        if path.suffix in (".npz", ".npy") or isinstance(like, SplitData):
            return arrays
        if path.is_dir():
            return like.model_copy(update={"path": str(path)}) if isinstance(like, FolderData) else arrays
        table = {".csv": CsvData, ".tsv": CsvData, ".parquet": ParquetData}.get(path.suffix)
        if isinstance(like, table or TableData):
            return like.model_copy(update={"path": str(path)})  # type: ignore[union-attr]
        if table is None:
            return arrays
        columns = like.columns if isinstance(like, TableData) else {}
        tabs = {"separator": "\t"} if path.suffix == ".tsv" else {}
        return table(path=str(path), columns=columns, **tabs)


def archives(load: LoadResult) -> dict[str, Path]:
    """The .npz files among the spec's data sets, by the sets' names."""
    assert load.model is not None
    declared = load.model.train.data if load.model.train else {}
    return {
        name: Path(load.file).parent / source.path
        for name, source in declared.items()
        if isinstance(source, ArraysData) and isinstance(source.path, str) and source.path.endswith(".npz")
    }


def wanted(load: LoadResult, network: Network) -> Wanted:
    """What the network takes from a data set."""
    assert load.model is not None
    train, outputs = load.model.train, network.outputs
    classes: dict[str, tuple[str, ...] | None] = {}
    counts: dict[str, int] = {}
    if train is not None:
        target = train.loss.target
        integer = target in network.targets and network.targets[target].dtype in ("int32", "int64")
        if integer and isinstance(train.loss, SoftmaxCrossEntropy):
            size = outputs[train.loss.output].type.shape[-1]
            counts |= {target: size} if isinstance(size, int) else {}
            labels = outputs[train.loss.output].labels
            named = {
                output.labels for output in outputs.values() if output.labels and len(output.labels) == size
            }
            classes[target] = labels or (named.pop() if len(named) == 1 else None)
    arrays = {info.name: info for info in expected_arrays(network)}
    return Wanted(
        tuple(arrays[name] for name in network.inputs),
        tuple(arrays[name] for name in network.targets),
        classes,
        counts,
        {name: input.lengths for name, input in load.model.inputs.items() if input.lengths is not None},
    )


def expected_arrays(network: Network) -> list[BufferInfo]:
    """The arrays that a data set holds: inputs and targets."""
    types = {**network.inputs, **network.targets}
    return [
        BufferInfo(name=name, role="input", dtype=type.dtype, shape=[str(size) for size in type.shape])
        for name, type in types.items()
    ]


def check_data(load: LoadResult, network: Network) -> Diagnostics:
    """What is wrong with the data sets of the spec, judged by headers, tables' rows, and a file of each class."""
    diagnostics = Diagnostics(sources=load.diagnostics.sources.values())
    train = load.model.train if load.model else None
    counts = wanted(load, network).counts
    sets = DataSets(load, network)
    failed: set[str] = set()
    for name in sets:
        span = load.span(("train", "data", name))
        spec = train.data[name] if train else None
        try:
            data = sets[name]
            data.try_some()
        except DataError as error:
            known = str(error) in failed  # a split fails as the set that it is taken from
            failed.add(str(error))
            if isinstance(error, SampleCountError) and not isinstance(spec, SplitData):
                data = error
            else:
                if not known:
                    code = "NW0705" if isinstance(error, MissingPackageError) else "NW0703"
                    message, *more = map(str.strip, str(error).splitlines())
                    diagnostics.error(code, message, span, notes=more)
                continue
        expected = expected_arrays(network)
        problems = check_against(data.headers, expected, list(network.dims.values()), windows(load, network))
        if isinstance(data, SampleCountError):
            problems = problems or data.problems  # of an array that the model does not take
        else:
            problems += class_problems(data.classes, counts)
        named = Path(data.name).name or data.name
        if isinstance(spec, SplitData):
            continue  # it has the arrays of the set that it is taken from
        for problem in problems:
            diagnostics.error("NW0704", f"{named}: {problem}", span)
        for text in (
            () if problems or isinstance(data, SampleCountError) else data.roundings(expected).values()
        ):
            help = "store it as float32 to halve the file"
            diagnostics.warning("NW0706", f"{named}: {text}", span, help=help)
    return diagnostics


def windows(load: LoadResult, network: Network) -> Windows | None:
    """The windows that sequences are cut into; None if they are trained on whole."""
    train = load.model.train if load.model else None
    time = time_dim(network)
    return Windows(train.bptt.window, time) if train and train.bptt and time else None


def time_dim(network: Network) -> str | None:
    """The open dim that counts steps: the second axis of the first input whose second axis is open."""
    return steps_of(network.inputs.values(), network.dims)
