"""Takes samples out of a data set: the same ones on every machine, whoever asks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netwright.specs.models.data import SplitData
from netwright.specs.random import SPLIT, permutation

from ..errors import DataError
from .samples import Part, Samples


def split(whole: Samples, splits: Mapping[str, SplitData]) -> tuple[Part, dict[str, Part]]:
    """What the ``splits`` leave of ``whole``, and what each of them takes. Samples stay in their order.

    Each takes the next samples in an order drawn by its seed, and none that is taken already. So a further split does
    not change those before it. Of k folds, each takes every k-th of the samples that are free: those of one seed share
    none and leave none out, and differ by one sample at most. If samples overlap, as windows of a series do, each takes
    the last ones that are free, and those that share data with them are left out. Raises DataError if one would be
    empty, or ``stratify`` names no array of integers.
    """
    free = np.ones(len(whole), bool)
    parts: dict[str, Part] = {}
    for name, spec in splits.items():
        if whole.overlap:
            rows = _last_rows(whole, name, spec, free)
            free[max(0, int(rows[0]) - whole.overlap) :] = False
        else:
            rows = _rows(whole, name, spec, free)
        free[rows] = False
        parts[name] = Part(whole, rows)
    rest = np.flatnonzero(free)
    if not len(rest):
        raise DataError(f"{whole.name}: {' and '.join(splits)} take all of its {len(whole)} samples")
    return Part(whole, rest), parts


def _last_rows(whole: Samples, name: str, spec: SplitData, free: NDArray[np.bool_]) -> NDArray[np.int64]:
    if spec.stratify is not None:
        raise DataError(
            f"{whole.name}: {name} can't be stratified: windows overlap, so it takes the last ones as they are"
        )
    if spec.folds is not None:
        raise DataError(
            f"{whole.name}: {name} can't be a fold: windows overlap, so samples of other folds would share data with it"
        )
    count = round(spec.share * len(whole))
    rows = np.flatnonzero(free)[-count:] if count else np.empty(0, np.int64)
    if not len(rows):
        raise DataError(f"{whole.name}: {name} would be empty: {spec.share:g} of {len(whole)} windows")
    return rows


def _rows(whole: Samples, name: str, spec: SplitData, free: NDArray[np.bool_]) -> NDArray[np.int64]:
    order = permutation(spec.seed, SPLIT, 0, len(whole))
    groups = np.zeros(len(whole), np.int64)
    if spec.stratify is not None:
        groups = _groups(whole, spec.stratify)
    taken: list[NDArray[np.int64]] = []
    before = want = 0
    if spec.folds is not None and spec.fold is not None:
        # The samples of one value are dealt out one after the other, and the next value's go on where they ended.
        dealt = order[free[order]]
        dealt = dealt[np.argsort(groups[dealt], kind="stable")]
        taken.append(dealt[spec.fold - 1 :: spec.folds])
    for value in np.unique(groups) if spec.fraction is not None else ():
        members = order[groups[order] == value]
        # Sums are rounded, not counts: rounding errors of many small groups do not add up.
        before += len(members)
        count = round(spec.share * before) - want
        want += count
        taken.append(members[free[members]][:count])
    rows = np.sort(np.concatenate(taken))
    if not len(rows):
        raise DataError(f"{whole.name}: {name} would be empty: {spec.share:g} of {len(whole)} samples")
    return rows


def _groups(whole: Samples, name: str) -> NDArray[np.int64]:
    header = whole.headers.get(name)
    is_class = header is not None and (header.dtype.kind in "biu" or name in whole.classes)
    if header is None or not is_class or any(size != 1 for size in header.shape[1:]):
        there = "is not there" if header is None else f"is {header.dtype.name} {list(header.shape)}"
        raise DataError(f"{whole.name}: stratify needs one integer per sample; {name} {there}")
    return np.concatenate([arrays[name].ravel() for _, arrays in whole.pieces([name])]).astype(np.int64)
