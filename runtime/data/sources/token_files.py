"""`type: tokens`: numbers of tokens, in a text file with a sample per line or in arrays with offsets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.specs.models.data import TokensData

from ...errors import DataError, listed
from ..dataset import Dataset
from ..input_files import list_files
from ..inputs import InputBatch, Inputs, Place, each_alone, input_name, samples_of_files
from ..ragged import Ragged, offsets_of, with_lengths
from ..stored import Stored, open_arrays
from ..wanted import Wanted, check_whole
from .lines import input_lines, place_of, read_labelled

#: The largest number that is read: what int64 holds.
_LIMITS = np.iinfo(np.int64)


def open_set(spec: TokensData, folder: Path, wanted: Wanted) -> Dataset:
    """Reads the tokens of a text file, or the offsets of arrays. Raises DataError and OSError."""
    if isinstance(spec.path, dict):
        path = folder / next(iter(spec.path.values()))
        files = {name: folder / file for name, file in spec.path.items()}
        return _from_arrays(spec, open_arrays(files), path, wanted)
    path = folder / spec.path
    if path.is_dir() or path.suffix in (".npz", ".npy"):
        return _from_arrays(spec, open_arrays(path), path, wanted)
    return _from_lines(spec, folder, path, wanted)


def read_inputs(spec: TokensData, paths: Sequence[Path], wanted: Wanted, size: int) -> Inputs:
    """Tokens to predict for: files with a sample per line, or arrays (.npz files, folders of .npy files) with offsets.
    Raises DataError for other paths.
    """
    where = spec.path if isinstance(spec.path, str) else next(iter(spec.path.values()))
    input = wanted.input(spec.input, (2,), where, whole=True)
    check_whole(input, where)
    lengths = wanted.lengths.get(input.name)
    size = size if lengths is not None or spec.length is not None else 1
    folders = {path for path in paths if path.is_dir() and (path / "ids.npy").exists()}
    files = [
        file
        for path in paths
        for file in (
            [path] if path in folders else list_files([path], (".txt", ".npz"), "file of tokens", others=True)
        )
    ]

    def batch(samples: Sequence[NDArray], places: Sequence[Place]) -> InputBatch:
        own = [len(tokens) for tokens in samples]
        length = spec.length
        if length is None and lengths is not None:
            try:
                length = wanted.steps(input, max(own))
            except DataError as error:
                raise DataError(f"{places[int(np.argmax(own))]}: {error}") from None
        values = np.concatenate(samples)
        array = Ragged(values, offsets_of(own), values.dtype, length)
        made = with_lengths(array, input.name, lengths, places[0])
        return InputBatch(places, {name: array[slice(None)] for name, array in made.items()})

    def from_line(name: Path, rows: Sequence[tuple[int, str]]) -> InputBatch:
        places = [Place(str(name), "line", number) for number, _ in rows]
        samples = [_tokens(text, name, number - 1, np.dtype(input.dtype)) for number, text in rows]
        return batch(samples, places)

    def from_arrays(path: Path, ids: Stored, offsets: NDArray, rows: Sequence[int]) -> InputBatch:
        places = [Place(str(path), "sample", row) for row in rows]
        return batch([ids[slice(int(offsets[row]), int(offsets[row + 1]))] for row in rows], places)

    def read(path: Path) -> Inputs:
        if path in folders or path.suffix == ".npz":
            ids, offsets = _checked(open_arrays(path), path)[:2]
            for start in range(0, len(offsets) - 1, size):
                rows = range(start, min(start + size, len(offsets) - 1))
                yield from each_alone(rows, partial(from_arrays, path, ids, offsets))
        else:
            for lines in input_lines(path, spec, size):
                yield from each_alone(lines, partial(from_line, input_name(path)))

    return samples_of_files(files, read, wanted, varying=size == 1)


def _from_lines(spec: TokensData, folder: Path, path: Path, wanted: Wanted) -> Dataset:
    input = wanted.input(spec.input, (2,), path, whole=True)
    check_whole(input, path)
    labelled = read_labelled(spec, folder, path, wanted)
    samples = [_tokens(text, path, row, np.dtype(input.dtype)) for row, text in enumerate(labelled.texts)]
    values = np.concatenate(samples)
    array = Ragged(values, offsets_of([len(tokens) for tokens in samples]), values.dtype, spec.length)
    arrays = {**with_lengths(array, input.name, wanted.lengths.get(input.name), path), **labelled.arrays}
    return Dataset(arrays, str(path), labelled.classes, place_of)


def _tokens(text: str, path: Path, row: int, dtype: np.dtype) -> NDArray:
    words = text.replace(",", " ").split()
    limits = np.iinfo(dtype)
    try:
        numbers = [int(word) for word in words]
    except ValueError:
        numbers = []
    if (
        len(numbers) < len(words)
        or "_" in text
        or any(not limits.min <= number <= limits.max for number in numbers)
    ):
        for i, word in enumerate(words, 1):
            try:
                if "_" in word or len(word) > 20:
                    raise ValueError
                if limits.min <= int(word) <= limits.max:
                    continue
            except ValueError:
                raise DataError(
                    f"{path}, {place_of(row)}, token {i}: {word[:60]!r} is no whole number"
                ) from None
            raise DataError(f"{path}, {place_of(row)}, token {i}: {word} is too large for {dtype}")
    return np.array(numbers, dtype)


def _checked(arrays: dict[str, Stored], path: Path) -> tuple[Stored, NDArray[np.int64], dict[str, Stored]]:
    """The tokens, where samples begin, and further arrays. Raises DataError."""
    arrays = dict(arrays)
    if missing := [name for name in ("ids", "offsets") if name not in arrays]:
        raise DataError(f"{path}: {missing[0]} is missing; there are {listed(arrays)}")
    ids, stored = arrays.pop("ids"), arrays.pop("offsets")
    for name, array in (("ids", ids), ("offsets", stored)):
        if len(array.shape) != 1 or array.dtype.kind not in "iu":
            raise DataError(
                f"{path}: {name} is {array.dtype.name} {list(array.shape)}; it needs whole numbers, one axis"
            )
    return ids, _offsets(stored, ids.shape[0], path), arrays


def _from_arrays(spec: TokensData, arrays: dict[str, Stored], path: Path, wanted: Wanted) -> Dataset:
    ids, offsets, more = _checked(arrays, path)
    input = wanted.input(spec.input, (2,), path, whole=True)
    check_whole(input, path)
    array = Ragged(ids, offsets, ids.dtype, spec.length)
    named = {**with_lengths(array, input.name, wanted.lengths.get(input.name), path), **more}
    return Dataset(named, str(path))


def _offsets(stored: Stored, total: int, path: Path) -> NDArray[np.int64]:
    written = stored[slice(None)]
    if len(written) < 2:
        raise DataError(
            f"{path}: offsets has {len(written)} numbers; it needs one more than there are samples"
        )
    if int(written.max()) > total or int(written.min()) < 0:
        raise DataError(
            f"{path}: offsets go from {written.min()} to {written.max()}, ids has {total:,} numbers"
        )
    offsets = written.astype(np.int64)
    if (falling := np.flatnonzero(np.diff(offsets) < 0)).size:
        at = int(falling[0])
        raise DataError(f"{path}: offsets fall from {offsets[at]} to {offsets[at + 1]} at sample {at}")
    if offsets[-1] != total or offsets[0]:
        raise DataError(f"{path}: offsets go from {offsets[0]} to {offsets[-1]}, ids has {total:,} numbers")
    return offsets
