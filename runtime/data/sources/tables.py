"""What tables share: which columns fill which array, and a data set of what was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import TableData, TextColumnSpec, TextData

from ...arrays.arrays import LossError, rounded
from ...arrays.binding import parse_shape
from ...errors import DataError, did_you_mean, listed
from ..ragged import NextTokens, Ragged, TextCollector, Texts, with_lengths, with_next_tokens
from ..spans import Spans
from ..text_input import TextInput
from ..wanted import Wanted, check_whole


@dataclass(frozen=True)
class Filled:
    """An array, and the columns (by position) whose numbers fill a row of it. ``is_class``: a column of classes.
    ``text``: how a column of text becomes numbers of tokens. ``in_windows``: samples are windows of rows.
    """

    info: BufferInfo
    columns: tuple[int, ...]
    is_class: bool
    text: TextColumnSpec | None = None
    in_windows: bool = False

    @property
    def has_steps(self) -> bool:
        """Whether a sample has all rows of a window: the columns do not fill it, but each of its steps."""
        sizes, count = parse_shape(self.info)[1:], len(self.columns)
        if not self.in_windows or not sizes or _filled_by(sizes, count):
            return False
        return _filled_by(sizes[1:], count)

    @property
    def dtype(self) -> np.dtype:
        """The element type of the array."""
        return np.dtype(self.info.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what a row fills, a sample or a step: the array's own if the columns fill it, else one axis."""
        sizes = parse_shape(self.info)[2 if self.has_steps else 1 :]
        static = [size for size in sizes if isinstance(size, int)]
        count, known = len(self.columns), prod(static)
        if len(static) == len(sizes) and known == count:
            return tuple(static)
        if len(static) == len(sizes) - 1 and count % known == 0:
            return tuple(size if isinstance(size, int) else count // known for size in sizes)
        return (count,)


def _filled_by(sizes: Sequence[object], count: int) -> bool:
    static = [size for size in sizes if isinstance(size, int)]
    return len(static) == len(sizes) and prod(static) == count


def columns_for(
    spec: TableData, wanted: Wanted, header: Sequence[str], path: Path, hint: str = ""
) -> list[Filled]:
    """The columns of each array that the model takes. Raises DataError with every column that is missing.

    ``hint`` is added to the message: what may be wrong if columns are missing.
    """
    problems: list[str] = []
    lengths = {
        wanted.lengths[name] for name in spec.text if name in wanted.lengths
    }  # which follow from the text
    followed = set(spec.followed.values())  # which follow from the text, too
    infos = [info for info in wanted.arrays if info.name not in lengths | followed]
    written = {info.name: _as_list(spec.columns.get(info.name, info.name)) for info in infos}
    others = {name: _as_list(spec.columns.get(name, name)) for name in wanted.unread}
    named = {
        pattern for names in (*written.values(), *others.values()) for pattern in names if pattern in header
    }
    arrays: list[Filled] = []
    for info in infos:
        columns: list[int] = []
        for pattern in written[info.name]:
            if header.count(pattern) > 1:
                problems.append(f"the header has {pattern!r} {header.count(pattern)} times")
            elif pattern in header:
                columns.append(header.index(pattern))
            else:
                free = [(i, name) for i, name in enumerate(header) if name not in named]
                fitting = [i for i, name in free if fnmatchcase(name, pattern)]
                columns += fitting
                if not fitting:
                    problems.append(_missing(pattern, info, spec, header))
        text = spec.text.get(info.name)
        if text is not None and len(columns) > 1:
            problems.append(f"{info.name} takes the text of one column, these are {len(columns)}")
        if text is not None:
            check_whole(info, path)
        is_class = wanted.is_class(info) and len(columns) == 1
        arrays.append(Filled(info, tuple(columns), is_class, text, spec.window is not None))
    if problems:
        known = f"the columns are {_shortened(header)}{hint}"
        raise DataError("\n  ".join([f"{path}: {problems[0]}", *problems[1:], known]))
    return arrays


def _as_list(written: str | tuple[str, ...]) -> tuple[str, ...]:
    return (written,) if isinstance(written, str) else written


def _missing(name: str, info: BufferInfo, spec: TableData, header: Sequence[str]) -> str:
    if info.name not in spec.columns:
        return f"no column is named {name}; say which ones fill it: columns: {{{name}: …}}"
    what = "no column fits" if any(mark in name for mark in "*?[") else "there is no column"
    return f"{what} {name!r}, for {info.name}{did_you_mean(name, header)}"


def _shortened(header: Sequence[str], most: int = 12) -> str:
    return listed(header) if len(header) <= most else f"{listed(header[:most])}, … ({len(header)} in all)"


def text_inputs(spec: TableData, wanted: Wanted, where: object) -> dict[str, TextInput]:
    """What makes arrays of the columns of text, by input. Raises DataError as ``TextInput`` does."""
    infos = {info.name: info for info in wanted.inputs}
    return {
        name: TextInput(infos[name], text, wanted, where) for name, text in spec.text.items() if name in infos
    }


def filled(array: Filled, values: NDArray, place: Callable[[int], str], path: Path) -> NDArray:
    """Values ``[rows, columns]`` as the array's own type and shape. Raises DataError for numbers that it can't hold."""
    dtype = array.dtype
    if values.dtype.kind == "f" and dtype.kind == "f":
        try:
            values = rounded(values, dtype)
        except LossError as error:
            raise DataError(f"{path}, {place(error.at[0])}: {array.info.name}: {error}") from None
    elif dtype.kind in "iu" and values.size:
        limits = np.iinfo(dtype)
        wrong = (values < limits.min) | (values > limits.max)
        if wrong.any():
            row, column = np.argwhere(wrong)[0].tolist()
            value = f"{values[row, column]} is not from {limits.min} to {limits.max}"
            raise DataError(f"{path}, {place(row)}: {array.info.name}: {value}")
    return values.astype(dtype).reshape(len(values), *array.shape)


def text_arrays(
    info: BufferInfo,
    collected: TextCollector,
    spec: TextColumnSpec | TextData,
    wanted: Wanted,
    place: Callable[[int], str],
    path: Path,
    spans: Spans | None = None,
) -> Mapping[str, Ragged | NextTokens | NDArray]:
    """The arrays that the texts of samples fill: the tokens, their lengths, and of a column of text with ``next_token``
    the target, if the model takes it. Each text is a sample unless ``spans`` says otherwise. Raises DataError.
    """
    next_token = spec.next_token if isinstance(spec, TextColumnSpec) else None
    if next_token is not None and spans is None:
        spans = collected.spans.as_followed()
    texts = Texts(
        info.name,
        collected,
        collected.spans if spans is None else spans,
        spec.vocabulary,
        np.dtype(info.dtype),
        spec.length,
        lambda row: f"{path}, {place(row)}",
        wanted.vocabularies.get(info.name),
    )
    arrays = with_lengths(texts, info.name, wanted.lengths.get(info.name), path)
    target = next((target for target in wanted.targets if target.name == next_token), None)
    return arrays if target is None else with_next_tokens(arrays, info.name, target, path)
