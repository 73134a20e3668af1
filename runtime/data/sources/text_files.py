"""`type: text`: a file with a text per line, or a folder of text files, by class where they are for training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import TextData

from ...errors import DataError
from ..dataset import Dataset
from ..input_files import files_below, list_files
from ..inputs import (
    InputBatch,
    Inputs,
    Place,
    Unreadable,
    each_alone,
    input_name,
    samples_of_files,
    unreadable,
)
from ..ragged import TextCollector, with_next_tokens
from ..spans import Spans
from ..text_input import TextInput
from ..wanted import Wanted, check_whole
from .folders import list_folder
from .lines import Labelled, input_lines, place_of, read_labelled, read_lines, read_text
from .tables import text_arrays

SUFFIXES = (".txt",)
_Text = tuple[Place, str]


def open_set(spec: TextData, folder: Path, wanted: Wanted) -> Dataset:
    """Reads all texts. Raises DataError and OSError."""
    path = folder / spec.path
    input = wanted.input(spec.input, (2,), path, whole=True)
    check_whole(input, path)
    if spec.next_token:
        return _with_next_tokens(spec, path, input, wanted)
    if path.is_dir():
        target = wanted.target(spec.target, path)
        listing = list_folder(path, wanted, target, SUFFIXES)
        texts = [read_text(file) for file in listing.files]
        labelled = Labelled(texts, listing.targets, listing.classes)
        place = listing.place
    else:
        labelled, place = read_labelled(spec, folder, path, wanted), place_of
    collected = TextCollector(spec.vocabulary)
    for text in labelled.texts:
        collected.add(text)
    arrays = {**text_arrays(input, collected, spec, wanted, place, path), **labelled.arrays}
    return Dataset(arrays, str(path), labelled.classes, place)


def _with_next_tokens(spec: TextData, path: Path, input: BufferInfo, wanted: Wanted) -> Dataset:
    """Lines, or windows of the whole text, whose tokens are to be predicted."""
    if path.is_dir():
        raise DataError(f"{path}: next_token reads a file, this is a folder")
    target = wanted.target(spec.target, path)
    collected = TextCollector(spec.vocabulary)
    if spec.stride is None:
        for text in read_lines(path):
            collected.add(text)
        spans, place = collected.spans.as_followed(), place_of
    else:
        assert spec.length is not None
        collected.add(read_text(path).replace("\r\n", "\n"))
        spans = Spans.windows(len(collected.codes), spec.length, spec.stride, path)
        place = spans.place
    arrays = text_arrays(input, collected, spec, wanted, place, path, spans)
    return Dataset(with_next_tokens(arrays, input.name, target, path), str(path), place=place)


def read_inputs(spec: TextData, paths: Sequence[Path], wanted: Wanted, size: int) -> Inputs:
    """Texts to predict for: the lines of files, and the `.txt` files in and below folders, each of which is a text.
    Raises DataError for other paths, and as ``TextInput`` does.
    """
    input = TextInput(wanted.input(spec.input, (2,), spec.path, whole=True), spec, wanted, spec.path)
    folders = {path: files_below(path, SUFFIXES, "text") for path in paths if path.is_dir()}
    list_files([path for path in paths if path not in folders], SUFFIXES, "text", others=True)
    size = input.batch(size)

    def read(path: Path) -> Inputs:
        yield from _batches(
            input, _whole(folders[path], size) if path in folders else _lines(path, spec, size)
        )

    return input.telling(samples_of_files(paths, read, wanted, varying=size == 1))


def read_texts(spec: TextData, texts: Sequence[str], wanted: Wanted, size: int) -> Inputs:
    """``texts`` themselves to predict for. Raises DataError as ``TextInput`` does."""
    input = TextInput(wanted.input(spec.input, (2,), spec.path, whole=True), spec, wanted, spec.path)
    given = [(Place("", "text", number), text) for number, text in enumerate(texts, 1)]
    size = input.batch(size)
    batches = (given[start : start + size] for start in range(0, len(given), size))
    return input.telling(_batches(input, batches))


def _batches(input: TextInput, texts: Iterable[list[_Text] | Unreadable]) -> Inputs:
    def build(some: Sequence[_Text]) -> InputBatch:
        places, lines = [place for place, _ in some], [line for _, line in some]
        return InputBatch(places, input.arrays(lines, places), lines)

    for some in texts:
        if isinstance(some, Unreadable):
            yield some
        else:
            yield from each_alone(some, build)


def _lines(path: Path, spec: TextData, size: int) -> Iterator[list[_Text]]:
    name = str(input_name(path))
    for rows in input_lines(path, spec, size):
        yield [(Place(name, "line", number), text) for number, text in rows]


def _whole(files: Iterable[Path], size: int) -> Iterator[list[_Text] | Unreadable]:
    """The texts of files, ``size`` at a time."""
    texts: list[_Text] = []
    for file in files:
        try:
            texts.append((Place(str(file)), read_text(file)))
        except (DataError, OSError) as error:
            yield unreadable(error, file)
        if len(texts) == size:
            yield texts
            texts = []
    if texts:
        yield texts
