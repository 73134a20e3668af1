"""Whether a data set fits a model's inputs and targets, judged by shapes and dtypes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from netwright.specs.dims import evaluate
from netwright.specs.manifest import BufferInfo, DimInfo

from ..arrays.arrays import is_lossless, is_rounding
from ..arrays.binding import bare_name, parse_shape, shape_text
from ..arrays.classes import class_hint
from ..errors import did_you_mean, listed
from .vocabulary import Vocabulary
from .windows import Windows


class Described(Protocol):
    """An array, or only its header."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...


def sizes_of(arrays: Mapping[str, Described], infos: Sequence[BufferInfo]) -> dict[str, int]:
    """The sizes of the dims for a data set that fits."""
    sizes: dict[str, int] = {}
    for info in infos:
        for size, value in zip(parse_shape(info), arrays[info.name].shape, strict=True):
            if symbol := bare_name(size):
                sizes.setdefault(symbol, value)
    return sizes


def check_against(
    arrays: Mapping[str, Described],
    expected: Sequence[BufferInfo],
    dims: Sequence[DimInfo],
    windows: Windows | None = None,
) -> list[str]:
    """Everything that is wrong with a data set (arrays, or only their headers) for a model that takes ``expected``.

    The first axis counts samples, of which a batch takes some, so it is only compared between arrays. The other axes
    bind dims or must have the declared size. If sequences are cut into ``windows``, the dim's limits apply to the
    windows, not to the whole sequences. Arrays that the model doesn't take are ignored.
    """
    taken = {info.name: arrays[info.name] for info in expected if info.name in arrays}
    problems = [
        f"{info.name} is missing ({info.dtype} {shape_text(info.shape)}); there are {listed(arrays)}"
        + did_you_mean(info.name, arrays)
        for info in expected
        if info.name not in arrays
    ]
    if taken:
        problems += sample_problems(taken)
    binding: dict[str, int] = {}
    origin: dict[str, str] = {}
    ranges = {info.name: info for info in dims}
    for info in expected:
        if info.name in taken:
            problems += _array_problems(info, taken[info.name], ranges, binding, origin, windows)
    return problems


def _array_problems(
    info: BufferInfo,
    array: Described,
    ranges: Mapping[str, DimInfo],
    binding: dict[str, int],
    origin: dict[str, str],
    windows: Windows | None,
) -> list[str]:
    if hint := class_hint(info, array.dtype, array.shape):
        return [hint]
    problems: list[str] = []
    wanted_dtype = np.dtype(info.dtype)
    if not (is_lossless(array.dtype, wanted_dtype) or is_rounding(array.dtype, wanted_dtype)):
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


def sample_problems(arrays: Mapping[str, Described]) -> list[str]:
    """What is wrong with the numbers of samples."""
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


def class_problems(classes: Mapping[str, Sequence[str]], counts: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with the classes that a data set has, for a model that tells so many apart."""
    for name, names in classes.items():
        if name in counts and len(names) > counts[name]:
            shown = listed(names) if len(names) <= 12 else f"{listed(names[:12])}, …"
            yield f"{name} has {len(names)} classes, the model has {counts[name]}: {shown}"


def vocabulary_problems(vocabularies: Mapping[str, Vocabulary], limits: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with vocabularies for a model that takes numbers up to these ``limits``."""
    for name, vocabulary in vocabularies.items():
        count, most = len(vocabulary), limits.get(name, len(vocabulary)) + 1
        if count > most:
            yield (
                f"the vocabulary of {name} has {count:,} entries, the model takes {most:,}: write input_dim: {count} "
                f"in the embedding, or vocabulary: {{size: {most}}} in the data set to keep the most frequent"
            )
