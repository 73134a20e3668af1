"""`type: text`: a file with a text per line, or a folder of text files by class."""

from __future__ import annotations

from pathlib import Path

from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import TextData

from ...errors import DataError
from ..dataset import Dataset
from ..ragged import TextCollector, with_next_tokens
from ..spans import Spans
from ..wanted import Wanted, check_whole
from .folders import list_folder
from .lines import Labelled, place_of, read_labelled, read_lines, read_text
from .tables import text_arrays


def open_set(spec: TextData, folder: Path, wanted: Wanted) -> Dataset:
    """Reads all texts. Raises DataError and OSError."""
    path = folder / spec.path
    input = wanted.input(spec.input, (2,), path, whole=True)
    check_whole(input, path)
    if spec.next_token:
        return _with_next_tokens(spec, path, input, wanted)
    if path.is_dir():
        target = wanted.target(spec.target, path).name
        listing = list_folder(path, wanted, target, (".txt",))
        texts = [read_text(file) for file in listing.files]
        labelled = Labelled(texts, {target: listing.labels}, {target: listing.classes})
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
