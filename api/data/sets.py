"""The data sets of a model by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from numpy.typing import ArrayLike

from netwright.compiler.frontend.network import Network
from netwright.runtime.data.class_names import ClassNames
from netwright.runtime.data.dataset import given_arrays
from netwright.runtime.data.samples import Samples
from netwright.runtime.data.sources.registry import open_source
from netwright.runtime.data.splits import split
from netwright.runtime.data.vocabulary import Vocabulary
from netwright.runtime.errors import DataError
from netwright.specs.load import LoadResult
from netwright.specs.models.data import (
    AnySource,
    ArraysData,
    AudioData,
    CsvData,
    FolderData,
    ParquetData,
    SequenceData,
    SplitData,
    TableData,
    TextData,
    TokensData,
)

from ..errors import RequestError
from .needs import wanted

#: A data set that does not come from the spec: a path, relative to the current folder, or arrays by name.
Given = str | Path | Mapping[str, ArrayLike] | Samples
#: Files that hold something else than text or tokens.
_OTHERS = (".npz", ".npy", ".csv", ".parquet")


class DataSets:
    """The data sets of a model by name: the spec's, replaced or extended by those ``given``.

    Sets are opened when they are asked for, each once. A given file is read as the spec declares the set that it
    replaces, or else the training data; a .npz or .npy file holds arrays.

    Text is read with ``vocabularies``, those that were stored with weights. None means that there are no such weights:
    then they are made from the training data. Classes that the spec does not name have the names in ``classes``, which
    were stored with weights, or else those of the training data.
    """

    def __init__(
        self,
        load: LoadResult,
        network: Network,
        given: Mapping[str, Given] | None = None,
        vocabularies: Mapping[str, Vocabulary] | None = None,
        classes: ClassNames | None = None,
    ):
        assert load.model is not None
        self._model = load.model.model
        self._declared = dict(load.model.train.data) if load.model.train else {}
        known = wanted(load, network).knowing(classes or {})
        self._wanted = replace(known, vocabularies=dict(vocabularies or {}))
        self._trained = vocabularies is not None
        self._folders = dict.fromkeys(self._declared, Path(load.file).parent)
        self._sources: dict[str, Samples] = {}
        self._split: dict[str, dict[str, Samples]] = {}
        for name, source in (given or {}).items():
            if isinstance(source, str | Path):
                self._declared[name] = self._read_as(name, Path(source))
            else:
                self._sources[name] = (
                    source if isinstance(source, Samples) else given_arrays(source, f"the data set {name}")
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
        samples = self._source(source)
        if splits:
            if source not in self._split:
                rest, parts = split(samples, splits)
                self._split[source] = {source: rest, **parts}
            samples = self._split[source][name]
        self._build_vocabularies(name, samples)
        return samples

    def _build_vocabularies(self, name: str, samples: Samples) -> None:
        """Makes the vocabularies that a data set lacks from the training data."""
        if not (missing := samples.texts.keys() - samples.vocabularies.keys()):
            return
        if self._trained:
            raise DataError(
                f"{samples.name}: the weights hold no vocabulary of {missing.pop()}: they were not trained on text"
            )
        if name == "train":
            samples.build_vocabularies()
        elif "train" in self:
            self["train"]  # of which this set is a split
        if samples.texts.keys() - samples.vocabularies.keys():
            raise DataError(
                f"{samples.name}: there is no vocabulary of {missing.pop()}; it is made from the data set train, or "
                "stored with weights"
            )

    def to_write(self, names: Iterable[str]) -> dict[str, Samples]:
        """The sets that hold the samples of those called ``names``. Sets from which others are split are whole, so that
        they can be split again; but samples that overlap are split as they are here. Raises as ``[name]`` does.
        """
        sets: dict[str, Samples] = {}
        for name in names:
            samples, spec = self[name], self._declared[name]
            source = spec.source if isinstance(spec, SplitData) else name
            whole = self._source(source)
            sets |= {name: samples} if whole.overlap else {source: whole}
        return sets

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
        paths = list(spec.path.values()) if isinstance(spec.path, dict) else [spec.path]
        paths += [spec.labels] if isinstance(spec, SequenceData) and spec.labels else []
        paths += [spec.transcripts.path] if isinstance(spec, AudioData) and spec.transcripts else []
        return [self._folders[name] / path for path in paths]

    def declared(self, name: str) -> tuple[AnySource | SplitData, Path]:
        """How a data set is declared, and the folder that its paths are relative to. Arrays have no path."""
        return self._declared[name], self._folders[name]

    def _source(self, name: str) -> Samples:
        if name not in self._sources:
            spec = self._declared[name]
            assert not isinstance(spec, SplitData)
            wanted = self._wanted
            # Vocabularies, and classes without names in the spec, are those of the training data, also where a set
            # lacks some of them.
            unnamed = None in wanted.classes.values() or any(
                spelling.names is None for spelling in wanted.spellings.values()
            )
            open_classes = unnamed and not isinstance(spec, ArraysData)
            has_text = isinstance(spec, TextData) or (isinstance(spec, TableData) and bool(spec.text))
            if (
                (open_classes or (has_text and not self._trained))
                and name != "train"
                and "train" in self._declared
            ):
                wanted = wanted.like(self["train"])
            self._sources[name] = open_source(spec, self._folders[name], wanted)
        return self._sources[name]

    def _read_as(self, name: str, path: Path) -> AnySource:
        """The declaration of a given file."""
        arrays = ArraysData(path=str(path))
        like = self._declared.get(name, self._declared.get("train"))
        if isinstance(like, SplitData):
            like = self._declared.get(like.source)
        if isinstance(like, TokensData) or (isinstance(like, TextData) and path.suffix not in _OTHERS):
            if like.labels is not None:
                raise RequestError(
                    f"{path} needs labels of its own: declare the set under train: data, with labels"
                )
            return like.model_copy(update={"path": str(path)})
        if isinstance(like, AudioData) and like.transcripts is not None and path.is_dir():
            raise RequestError(
                f"{path} needs transcripts of its own: declare the set under train: data, with transcripts"
            )
        if path.suffix in (".npz", ".npy") or isinstance(like, SplitData):
            return arrays
        if path.is_dir():
            return like.model_copy(update={"path": str(path)}) if isinstance(like, FolderData) else arrays
        table = {".csv": CsvData, ".tsv": CsvData, ".parquet": ParquetData}.get(path.suffix)
        if isinstance(like, table or TableData):
            return like.model_copy(update={"path": str(path)})  # type: ignore[union-attr]
        if table is None:
            return arrays
        tabs = {"separator": "\t"} if path.suffix == ".tsv" else {}
        reading = like.reading() if isinstance(like, TableData) else {}
        return table(path=str(path), **reading, **tabs)


def archives(load: LoadResult) -> dict[str, Path]:
    """The .npz files among the spec's data sets, by the sets' names."""
    assert load.model is not None
    declared = load.model.train.data if load.model.train else {}
    return {
        name: Path(load.file).parent / source.path
        for name, source in declared.items()
        if isinstance(source, ArraysData) and isinstance(source.path, str) and source.path.endswith(".npz")
    }
