"""Takes samples out of a data set: the same ones on every machine, whoever asks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netwright.specs.models.data import SplitData
from netwright.specs.random import permutation

from ..errors import DataError
from .samples import Part, Samples

#: The random stream that splits are drawn from.
SPLIT = "data.split"


def split(whole: Samples, splits: Mapping[str, SplitData]) -> tuple[Part, dict[str, Part]]:
    """What the ``splits`` leave of ``whole``, and what each of them takes. Samples stay in their order.

    Each takes the next samples in an order drawn by its seed, and none that is taken already. So a further split does
    not change those before it. Raises DataError if one would be empty, or ``stratify`` names no array of integers.
    """
    free = np.ones(len(whole), bool)
    parts: dict[str, Part] = {}
    for name, spec in splits.items():
        rows = _rows(whole, name, spec, free)
        free[rows] = False
        parts[name] = Part(whole, rows)
    rest = np.flatnonzero(free)
    if not len(rest):
        raise DataError(f"{whole.name}: {' and '.join(splits)} take all of its {len(whole)} samples")
    return Part(whole, rest), parts


def _rows(whole: Samples, name: str, spec: SplitData, free: NDArray[np.bool_]) -> NDArray[np.int64]:
    order = permutation(spec.seed, SPLIT, 0, len(whole))
    groups = np.zeros(len(whole), np.int64)
    if spec.stratify is not None:
        groups = _groups(whole, spec.stratify)
    taken: list[NDArray[np.int64]] = []
    before = want = 0
    for value in np.unique(groups):
        members = order[groups[order] == value]
        # Sums are rounded, not counts: rounding errors of many small groups do not add up.
        before += len(members)
        count = round(spec.fraction * before) - want
        want += count
        taken.append(members[free[members]][:count])
    rows = np.sort(np.concatenate(taken))
    if not len(rows):
        raise DataError(f"{whole.name}: {name} would be empty: {spec.fraction:g} of {len(whole)} samples")
    return rows


def _groups(whole: Samples, name: str) -> NDArray[np.int64]:
    header = whole.headers.get(name)
    is_class = header is not None and (header.dtype.kind in "biu" or name in whole.classes)
    if header is None or not is_class or any(size != 1 for size in header.shape[1:]):
        there = "is not there" if header is None else f"is {header.dtype.name} {list(header.shape)}"
        raise DataError(f"{whole.name}: stratify needs one integer per sample; {name} {there}")
    return np.concatenate([arrays[name].ravel() for _, arrays in whole.pieces([name])]).astype(np.int64)
