"""`type: tokens`: numbers of tokens, in a text file with a sample per line or in arrays with offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import TokensData

from ...errors import DataError, listed
from ..dataset import Dataset
from ..input_files import list_files
from ..inputs import InputBatch, Inputs, Place, each_alone, input_name, samples_of_files
from ..ragged import NextTokens, Ragged, with_lengths, with_next_tokens
from ..spans import Spans, offsets_of
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
        array = Ragged(values, Spans.between(offsets_of(own)), values.dtype, length)
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
            ids, offsets, _ = _checked(open_arrays(path), path)
            assert offsets is not None
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
    spans = _spans(spec, offsets_of([len(tokens) for tokens in samples]), len(values), path)
    arrays = _arrays(spec, Ragged(values, spans, values.dtype, spec.length), input, wanted, path)
    place = place_of if spec.stride is None else spans.place
    return Dataset({**arrays, **labelled.arrays}, str(path), labelled.classes, place)


def _spans(spec: TokensData, offsets: NDArray[np.int64] | None, total: int, path: Path) -> Spans:
    """Where the samples lie: between the ``offsets``, or in windows of all tokens."""
    if spec.stride is not None:
        assert spec.length is not None
        return Spans.windows(total, spec.length, spec.stride, path)
    assert offsets is not None
    spans = Spans.between(offsets)
    return spans.as_followed() if spec.next_token else spans


def _arrays(
    spec: TokensData, array: Ragged, input: BufferInfo, wanted: Wanted, path: Path
) -> Mapping[str, Ragged | NextTokens | NDArray]:
    """The tokens, their lengths and, if they are wanted, the next tokens."""
    arrays = with_lengths(array, input.name, wanted.lengths.get(input.name), path)
    if not spec.next_token:
        return arrays
    return with_next_tokens(arrays, input.name, wanted.target(spec.target, path), path)


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


def _checked(
    arrays: dict[str, Stored], path: Path, *, offsets: bool = True
) -> tuple[Stored, NDArray[np.int64] | None, dict[str, Stored]]:
    """The tokens, with ``offsets`` where samples begin, and further arrays. Raises DataError."""
    arrays = dict(arrays)
    needed = ("ids", "offsets") if offsets else ("ids",)
    if missing := [name for name in needed if name not in arrays]:
        raise DataError(f"{path}: {missing[0]} is missing; there are {listed(arrays)}")
    for name in needed:
        if len(arrays[name].shape) != 1 or arrays[name].dtype.kind not in "iu":
            described = f"{arrays[name].dtype.name} {list(arrays[name].shape)}"
            raise DataError(f"{path}: {name} is {described}; it needs whole numbers, one axis")
    ids, stored = arrays.pop("ids"), arrays.pop("offsets", None)
    begins = _offsets(stored, ids.shape[0], path) if offsets and stored is not None else None
    return ids, begins, arrays


def _from_arrays(spec: TokensData, arrays: dict[str, Stored], path: Path, wanted: Wanted) -> Dataset:
    ids, offsets, more = _checked(arrays, path, offsets=spec.stride is None)
    spans = _spans(spec, offsets, ids.shape[0], path)
    input = wanted.input(spec.input, (2,), path, whole=True)
    check_whole(input, path)
    own = _arrays(spec, Ragged(ids, spans, ids.dtype, spec.length), input, wanted, path)
    place = None if spec.stride is None else spans.place
    return Dataset({**own, **more}, str(path), place=place)


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
