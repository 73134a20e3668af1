"""What is predicted for: files read as a data set of the spec declares them, or texts."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path

from netwright.compiler.frontend.network import Network
from netwright.compiler.ranges import merged_ranges
from netwright.runtime.data.inputs import InputBatch, Inputs, fitted
from netwright.runtime.data.sources.array_files import is_folder_of
from netwright.runtime.data.sources.registry import read_inputs
from netwright.runtime.data.sources.tables import text_inputs
from netwright.runtime.data.sources.text_files import read_texts
from netwright.runtime.data.text_input import TextInput
from netwright.runtime.data.vocabulary import Vocabulary
from netwright.runtime.data.wanted import Wanted
from netwright.runtime.errors import DataWarning
from netwright.specs.files import STANDARD_STREAM, is_stream, open_regular
from netwright.specs.load import LoadResult
from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import (
    AnySource,
    ArraysData,
    CsvData,
    ParquetData,
    SequenceData,
    SplitData,
    TableData,
    TextData,
    TokensData,
)

from ..data.needs import expected_arrays
from ..errors import RequestError

_TABLES = {".csv": CsvData, ".tsv": CsvData, ".parquet": ParquetData}


class PredictionInputs:
    """Samples for a network, in batches of up to ``size``.

    ``like`` names the data set that says how files are read: by default `train`, or the only one there is. Text is read
    with the ``vocabularies`` of the weights. With ``labelled``, lines hold the labels that the data set declares, which
    are left out. Inputs ``without`` are not read. Raises RequestError if there is no such data set.
    """

    def __init__(
        self,
        load: LoadResult,
        network: Network,
        vocabularies: Mapping[str, Vocabulary],
        *,
        like: str | None = None,
        labelled: bool = False,
        size: int,
        without: Collection[str] = (),
    ):
        assert load.model is not None
        self._model, self._size = load.model.model, size
        self._like = _declared(load, like)
        self._separator: str | None = None
        if isinstance(self._like, SequenceData) and not labelled:
            self._separator = self._like.separator if self._like.label else None
            self._like = self._like.model_copy(update={"label": None, "labels": None})
        elif labelled and not (isinstance(self._like, SequenceData) and self._like.label):
            raise RequestError("no data set says that lines hold labels: there is none to leave out")
        ranges = merged_ranges([network.graphs["predict"]])
        infos = [
            info.model_copy(update={"ranges": ranges.get(info.name)})
            for info in expected_arrays(network)
            if info.name in network.inputs and info.name not in without
        ]
        lengths = {name: input.lengths for name, input in load.model.inputs.items() if input.lengths}
        self.wanted = Wanted(
            tuple(infos),
            lengths={name: other for name, other in lengths.items() if name not in without},
            vocabularies=vocabularies,
            dims=network.dims,
            unread=[*(name for name in network.targets if name not in network.inputs), *without],
        )

    def of_paths(self, paths: Sequence[Path]) -> Inputs:
        """The samples of files, folders and standard input (`-`), in this order. Raises RequestError and DataError for
        paths that can't be what is read.
        """
        groups = [(spec, list(some)) for spec, some in groupby(paths, self._read_as)]
        for spec, some in groups:
            if self._separator == "\t" and isinstance(spec, SequenceData):
                _warn_of_labels(some)
        return self._fitted([read_inputs(spec, some, self.wanted, self._size) for spec, some in groups])

    def of_texts(self, texts: Sequence[str]) -> Inputs:
        """Texts themselves. Raises RequestError for a network that was trained on something else."""
        spec = self._lines
        if spec is None:
            raise RequestError(f"{self._model} is not declared to read text (train: data: type: text)")
        self._check_alone(spec)
        return self._fitted([read_texts(spec, texts, self.wanted, self._size)])

    @property
    def of_text(self) -> dict[str, TextInput]:
        """The inputs that can be made from text, since the data set says how and the weights have a vocabulary. Raises
        DataError for a data set that divides text in another way than the vocabulary was made for.
        """
        spec, known = self._like, replace(self.wanted, inputs=self._with_vocabulary)
        if isinstance(spec, TableData):
            return text_inputs(spec, known, spec.path)
        if not isinstance(spec, TextData) or not known.inputs:
            return {}
        info = self.wanted.input(spec.input, (2,), spec.path, whole=True)
        return {info.name: TextInput(info, spec, self.wanted, spec.path)} if info in known.inputs else {}

    @property
    def _with_vocabulary(self) -> tuple[BufferInfo, ...]:
        return tuple(info for info in self.wanted.inputs if info.name in self.wanted.vocabularies)

    @property
    def _lines(self) -> TextData | None:
        """How lines of text are read: as a data set of text declares, or as the only column of a table."""
        if isinstance(self._like, TextData):
            return self._like
        filled = self._filled
        if isinstance(self._like, TableData) and len(filled) == 1 and filled[0] in self._like.text:
            column = self._like.text[filled[0]]
            return TextData(
                path=self._like.path, input=filled[0], vocabulary=column.vocabulary, length=column.length
            )
        return None

    @property
    def _filled(self) -> list[str]:
        """The inputs that hold more than the lengths of others."""
        return [info.name for info in self.wanted.inputs if info.name not in self.wanted.lengths.values()]

    def _fitted(self, sources: Sequence[Inputs]) -> Inputs:
        told: set[str] = set()
        names = [info.name for info in self.wanted.inputs]
        for item in chain.from_iterable(sources):
            if isinstance(item, InputBatch):
                batch = InputBatch(item.places, {name: item.arrays[name] for name in names}, item.texts)
                yield from fitted(batch, self.wanted, told)
            else:
                yield item

    def _read_as(self, path: Path) -> AnySource:
        """The declaration by which a path is read."""
        like, suffix = self._like, path.suffix.lower()
        arrays = suffix in (".npz", ".npy") and not (isinstance(like, TokensData) and suffix == ".npz")
        if arrays or is_folder_of((info.name for info in self.wanted.inputs), path):
            return ArraysData(path=str(path))
        if isinstance(like, TableData) and suffix == ".txt" and (lines := self._lines) is not None:
            return lines
        if (kind := _TABLES.get(suffix)) is not None and not isinstance(like, kind | SequenceData):
            reading = like.reading() if isinstance(like, TableData) else {}
            return kind(path=str(path), **reading)
        if like is None:
            if path.is_dir() or str(path) == STANDARD_STREAM:
                return ArraysData(path=str(path))
            raise RequestError(
                f"{path}: {self._model} declares no data set that says how it is read; name one under train: data, or "
                "give arrays (.npz, .npy)"
            )
        self._check_alone(like)
        return like

    def _check_alone(self, spec: AnySource) -> None:
        """Raises RequestError if other inputs remain that the files of a data set don't fill."""
        filled = self._filled
        if len(filled) > 1 and not isinstance(spec, ArraysData | TableData):
            raise RequestError(
                f"{self._model} takes {', '.join(filled)}; a file of {spec.type} fills only one input: put the arrays "
                "of all of them into a .npz file"
            )


def texts_of(
    load: LoadResult, network: Network, vocabularies: Mapping[str, Vocabulary]
) -> dict[str, TextInput]:
    """The inputs of a network that can be made from text, by name, with what makes their arrays. Raises DataError as
    ``PredictionInputs.of_text`` does.
    """
    try:
        inputs = PredictionInputs(load, network, vocabularies, size=1)
    except RequestError:  # several data sets, and none is called train
        return {}
    return inputs.of_text


def _warn_of_labels(paths: Sequence[Path]) -> None:
    """Warns of files whose lines seem to have labels, which would be read as text. A tab is seldom in a text."""
    for path in paths:
        if path.is_file() and not is_stream(path):
            with open_regular(path) as file:
                if b"\t" in file.readline(1 << 16):
                    what = "has a tab, as lines with a label have: --labelled leaves the label out"
                    warnings.warn(f"{path}: the first line {what}", DataWarning, stacklevel=2)


def _declared(load: LoadResult, name: str | None) -> AnySource | None:
    """The data set that says how files are read; None if the spec has none."""
    assert load.model is not None
    declared = load.model.train.data if load.model.train else {}
    if name is None and declared:
        name = "train" if "train" in declared else next(iter(declared))
        if name != "train" and len(declared) > 1:
            raise RequestError(f"which data set are the files like? Say --like {' or '.join(declared)}")
    if name is None:
        return None
    if name not in declared:
        there = f"there is {', '.join(declared)}" if declared else "there is none"
        raise RequestError(f"{load.model.model} declares no data set {name}; {there}")
    spec = declared[name]
    if isinstance(spec, SplitData):
        return _declared(load, spec.source) if spec.source in declared else None
    return spec
