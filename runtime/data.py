"""Data sets: named arrays whose first axis counts the samples, and whether they fit a model's inputs and targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import evaluate
from netwright.specs.manifest import BufferInfo, DimInfo

from .arrays import is_lossless
from .binding import bare_name, parse_shape, shape_text
from .classes import class_hint
from .errors import DataError, did_you_mean, listed
from .npz import read_npz
from .ranges import out_of_range
from .windows import Windows


class _Described(Protocol):
    """An array, or only its header."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...


class Dataset:
    """Named arrays ``[samples, …]``. Raises DataError if there is none, or they have different numbers of samples."""

    def __init__(self, arrays: Mapping[str, NDArray], name: str = "the data"):
        self.name = name
        self.arrays = dict(arrays)
        if problems := _sample_problems(self.arrays):
            raise DataError(f"{name}: {'; '.join(problems)}")

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def require(
        self, expected: Sequence[BufferInfo], dims: Sequence[DimInfo], windows: Windows | None = None
    ) -> None:
        """Raises DataError with everything that ``check_against`` finds; if that is nothing, with the first value out
        of range (a length, class or index) of each array.
        """
        problems = check_against(self.arrays, expected, dims, windows)
        if not problems:
            problems = list(out_of_range(expected, self.arrays, _sizes(self.arrays, expected), partial=False))
        if problems:
            raise DataError("\n  ".join([f"{self.name} does not fit the model:", *problems]))


def _sizes(arrays: Mapping[str, _Described], infos: Sequence[BufferInfo]) -> dict[str, int]:
    """The sizes of the dims for a data set that fits."""
    found: dict[str, int] = {}
    for info in infos:
        for size, value in zip(parse_shape(info), arrays[info.name].shape, strict=True):
            if symbol := bare_name(size):
                found.setdefault(symbol, value)
    return found


def load_dataset(path: str | Path) -> Dataset:
    """The data set in a .npz file. Raises DataError."""
    return Dataset(read_npz(path), str(path))


def check_against(
    found: Mapping[str, _Described],
    expected: Sequence[BufferInfo],
    dims: Sequence[DimInfo],
    windows: Windows | None = None,
) -> list[str]:
    """Everything that is wrong with a data set (arrays, or only their headers) for a model that takes ``expected``.

    The first axis counts samples, of which a batch takes some, so it is only compared between arrays. The other axes
    bind dims or must have the declared size. If sequences are cut into ``windows``, the dim's limits apply to the
    windows, not to the whole sequences. Arrays that the model doesn't take are ignored.
    """
    taken = {info.name: found[info.name] for info in expected if info.name in found}
    problems = [
        f"{info.name} is missing ({info.dtype} {shape_text(info.shape)}); there are {listed(found)}"
        + did_you_mean(info.name, found)
        for info in expected
        if info.name not in found
    ]
    if taken:
        problems += _sample_problems(taken)
    binding: dict[str, int] = {}
    origin: dict[str, str] = {}
    ranges = {info.name: info for info in dims}
    for info in expected:
        if info.name in taken:
            problems += _array_problems(info, taken[info.name], ranges, binding, origin, windows)
    return problems


def _array_problems(
    info: BufferInfo,
    array: _Described,
    ranges: Mapping[str, DimInfo],
    binding: dict[str, int],
    origin: dict[str, str],
    windows: Windows | None,
) -> list[str]:
    if hint := class_hint(info, array.dtype, array.shape):
        return [hint]
    problems: list[str] = []
    if not is_lossless(array.dtype, np.dtype(info.dtype)):
        problems.append(
            f"{info.name} is {array.dtype.name}, which can't become {info.dtype} without loss; "
            f"store it as {info.dtype}"
        )
    expected = parse_shape(info)
    described = f"expected {shape_text(info.shape)}, found {shape_text(array.shape)}"
    if getattr(array, "fortran_order", False):
        problems.append(
            f"{info.name} is stored in Fortran order; write it as np.ascontiguousarray({info.name})"
        )
    if len(array.shape) != len(expected):
        return [*problems, f"{info.name} must have {len(expected)} axes: {described}"]
    for axis, (size, value) in enumerate(zip(expected, array.shape, strict=True)):
        if axis == 0:
            continue
        symbol = bare_name(size)
        if symbol is not None and symbol not in binding:
            binding[symbol], origin[symbol] = value, info.name
            cut = windows if windows is not None and windows.time == symbol else None
            if (dim := ranges.get(symbol)) is not None:
                problems += _size_problems(info.name, dim, value, described, cut)
            continue
        try:
            wanted = evaluate(size, binding)
        except KeyError:  # a dim that no array so far binds
            continue
        if wanted != value:
            source = f" ({symbol} of {origin[symbol]})" if symbol in origin else ""
            problems.append(f"{info.name}: axis {axis} must be {wanted}{source}: {described}")
    return problems


def _size_problems(
    name: str, dim: DimInfo, value: int, described: str, windows: Windows | None
) -> Iterator[str]:
    most = "" if dim.max is None else f" and at most {dim.max}"
    most += "" if dim.multiple_of == 1 else f" and a multiple of {dim.multiple_of}"
    needed = f"{dim.name} must be at least {dim.min}{most}"
    for steps in (value,) if windows is None else windows.steps(value):
        if not dim.admits(steps):
            cut = (
                ""
                if windows is None
                else f" of {value} steps windows of {windows.size} leave one of {steps}, but"
            )
            yield f"{name}:{cut} {needed}: {described}"
            return


def _sample_problems(arrays: Mapping[str, _Described]) -> list[str]:
    if not arrays:
        return ["there is no array"]
    if scalars := [name for name, array in arrays.items() if not array.shape]:
        return [f"{name} has no axis that counts samples" for name in scalars]
    counts = {name: array.shape[0] for name, array in arrays.items()}
    first, count = next(iter(counts.items()))
    problems = [
        f"{name} has {other} samples, {first} has {count}" for name, other in counts.items() if other != count
    ]
    return problems or ([f"{first} has no samples"] if count == 0 else [])
