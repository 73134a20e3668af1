"""`type: text`: a file with a text per line, or a folder of text files by class."""

from __future__ import annotations

from pathlib import Path

from netwright.specs.models.data import TextData

from ..dataset import Dataset
from ..ragged import TextCollector
from ..wanted import Wanted, check_whole
from .folders import list_folder
from .lines import Labelled, place_of, read_labelled, read_text
from .tables import text_arrays


def open_set(spec: TextData, folder: Path, wanted: Wanted) -> Dataset:
    """Reads all texts. Raises DataError and OSError."""
    path = folder / spec.path
    input = wanted.input(spec.input, (2,), path, whole=True)
    check_whole(input, path)
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
