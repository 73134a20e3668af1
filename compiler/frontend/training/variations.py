"""The changes of ``augment`` as a graph, for batches of an input."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from netwright.specs.dims import dim
from netwright.specs.manifest import EPOCH, DimInfo
from netwright.specs.models.augmentation import (
    AnyAugmentation,
    CropAugmentation,
    FlipAugmentation,
    MaskAugmentation,
    NoiseAugmentation,
    ShiftAugmentation,
)
from netwright.specs.random import key_for
from netwright.specs.variations import stream_path, varied_type

from ...graph.graph import Graph
from ...graph.types import TensorType
from ...loop.typing import DTYPES
from ...ops.layout import ReshapeAttributes
from ...ops.vary import COMPUTED, VaryAttributes
from ...ops.vary_crop import MOST_IN_ROW, VaryCropAttributes
from ...ops.vary_flip import VaryFlipAttributes
from ...ops.vary_mask import VaryMaskAttributes
from ...ops.vary_noise import VaryNoiseAttributes
from ...ops.vary_shift import VaryShiftAttributes

#: The entry, its output, and its inputs beside the epoch.
VARY, VARIED = "vary", "varied"
PLAIN, ROWS, LENGTHS = "plain", "rows", "lengths"
#: The dim that counts the samples of a batch.
_SAMPLES = "N"


def variation_dims() -> list[DimInfo]:
    """The dims of the graph."""
    return [DimInfo(name=_SAMPLES)]


def variation_graph(
    input: str,
    changes: Sequence[AnyAugmentation],
    seed: int,
    stored: np.dtype,
    shape: tuple[int, ...],
    dtype: np.dtype,
) -> Graph | None:
    """A graph that varies samples of an ``input``: `plain` ones of a ``shape`` and the type ``stored``, of which the
    model takes ``dtype``. It also takes their `rows`, the `epoch` and `lengths` (see ``Vary``). None if no kernel does
    that.
    """
    if not _is_computed(changes, stored, shape, dtype):
        return None
    graph, count, flat = Graph(VARY), dim(_SAMPLES), prod(shape)
    samples = graph.input(PLAIN, TensorType(stored.name, (count, *shape)), "input")
    per_sample = TensorType("int64", (count,))
    rows = graph.input(ROWS, per_sample, "input")
    epoch = graph.input(EPOCH, TensorType("int64", ()), "input")
    lengths = graph.input(LENGTHS, per_sample, "input")
    value = graph.apply("reshape", samples, attrs=ReshapeAttributes((count, flat)))
    for position, change in enumerate(changes):
        key = key_for(seed, stream_path(input, position))
        name, attrs = _operation(change, key, shape, dtype.name)
        value = graph.apply(name, value, rows, epoch, lengths, attrs=attrs)
    value = graph.apply("reshape", value, attrs=ReshapeAttributes((count, *shape)))
    graph.set_output(VARIED, value)
    return graph


def _is_computed(
    changes: Sequence[AnyAugmentation], stored: np.dtype, shape: tuple[int, ...], dtype: np.dtype
) -> bool:
    if {stored.name, dtype.name} - set(DTYPES) or not prod(shape):
        return False
    if any(isinstance(change, CropAugmentation) for change in changes) and prod(shape[1:]) > MOST_IN_ROW:
        return False
    types = {stored.name, varied_type(stored, dtype).name}
    computes = any(isinstance(change, CropAugmentation | NoiseAugmentation) for change in changes)
    return not computes or types <= set(COMPUTED)


def _operation(
    change: AnyAugmentation, key: tuple[int, int], shape: tuple[int, ...], dtype: str
) -> tuple[str, VaryAttributes]:
    match change:
        case ShiftAugmentation():
            return "vary_shift", VaryShiftAttributes(key, shape, dtype, tuple(map(int, change.by)))
        case FlipAugmentation():
            return "vary_flip", VaryFlipAttributes(key, shape, dtype, change.axis, float(change.chance))
        case CropAugmentation():
            return "vary_crop", VaryCropAttributes(key, shape, dtype, float(change.least))
        case NoiseAugmentation():
            return "vary_noise", VaryNoiseAttributes(key, shape, dtype, float(change.deviation))
        case MaskAugmentation():
            attrs = VaryMaskAttributes(key, shape, dtype, change.axis, int(change.most), int(change.count))
            return "vary_mask", attrs
