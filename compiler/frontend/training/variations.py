"""The changes of ``augment`` as a graph, for batches of an input."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from netwright.specs.dims import Shape, dim, dim_symbols, product
from netwright.specs.manifest import EPOCH, LENGTHS, PLAIN, ROWS, VARIED, VARY, DimInfo
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
from ...ops.random.vary import COMPUTED, VaryAttributes
from ...ops.random.vary_crop import MOST_IN_ROW, VaryCropAttributes
from ...ops.random.vary_flip import VaryFlipAttributes
from ...ops.random.vary_mask import VaryMaskAttributes
from ...ops.random.vary_noise import VaryNoiseAttributes
from ...ops.random.vary_shift import VaryShiftAttributes
from ...ops.views.layout import ReshapeAttributes

#: Whole numbers of these types have no kernels; those that have are given them as numbers of the model's type.
_WIDENED = ("int16", "uint32")


def variation_dims(shape: Shape = ()) -> list[DimInfo]:
    """The dims of the graph for samples of a ``shape``: first that which counts the samples of a batch."""
    symbols = {symbol: None for size in shape for symbol in sorted(dim_symbols(size))}
    return [DimInfo(name=_samples(shape)), *(DimInfo(name=symbol) for symbol in symbols)]


def _samples(shape: Shape) -> str:
    """The name of the dim that counts samples, which is none of the shape's."""
    name = "N"
    while any(name in dim_symbols(size) for size in shape):
        name += "_"
    return name


def variation_graph(
    input: str,
    changes: Sequence[AnyAugmentation],
    seed: int,
    stored: np.dtype,
    shape: Shape,
    dtype: np.dtype,
    plain: np.dtype | None = None,
) -> Graph | None:
    """A graph that varies samples of an ``input``: `plain` ones of a ``shape``, which were ``stored`` in a type, and of
    which the model takes ``dtype``. They are given as they were stored, or as another type that has the same numbers:
    ``plain``. It also takes their `rows`, the `epoch` and `lengths` (see ``Vary``). None if no kernel does that.
    """
    given = plain or (dtype if stored.name in _WIDENED and np.can_cast(stored, dtype) else stored)
    if not _is_computed(changes, given, shape, dtype):
        return None
    graph, count, flat = Graph(VARY), dim(_samples(shape)), product(shape)
    samples = graph.input(PLAIN, TensorType(given.name, (count, *shape)), "input")
    per_sample = TensorType("int64", (count,))
    rows = graph.input(ROWS, per_sample, "input")
    epoch = graph.input(EPOCH, TensorType("int64", ()), "input")
    lengths = graph.input(LENGTHS, per_sample, "input")
    value = graph.apply("reshape", samples, attrs=ReshapeAttributes((count, flat)))
    for position, change in enumerate(changes):
        key = key_for(seed, stream_path(input, position))
        name, attrs = _operation(change, key, shape, dtype.name, stored.name)
        value = graph.apply(name, value, rows, epoch, lengths, attrs=attrs)
        stored = varied_type(stored, dtype) if computes(change) else stored
    value = graph.apply("reshape", value, attrs=ReshapeAttributes((count, *shape)))
    graph.set_output(VARIED, value)
    return graph


def _is_computed(changes: Sequence[AnyAugmentation], given: np.dtype, shape: Shape, dtype: np.dtype) -> bool:
    if {given.name, dtype.name} - set(DTYPES) or product(shape) == 0:
        return False
    if any(isinstance(change, CropAugmentation) for change in changes):
        known = [size for size in shape if isinstance(size, int)]
        if len(known) < len(shape) or prod(known[1:]) > MOST_IN_ROW:
            return False
    types = {given.name, varied_type(given, dtype).name}
    return not any(map(computes, changes)) or types <= set(COMPUTED)


def computes(change: AnyAugmentation) -> bool:
    """Whether a change makes new numbers, in place of moving those that are there."""
    return isinstance(change, CropAugmentation | NoiseAugmentation)


def _operation(
    change: AnyAugmentation, key: tuple[int, int], shape: Shape, dtype: str, stored: str
) -> tuple[str, VaryAttributes]:
    match change:
        case ShiftAugmentation():
            return "vary_shift", VaryShiftAttributes(key, shape, dtype, stored, tuple(map(int, change.by)))
        case FlipAugmentation():
            return "vary_flip", VaryFlipAttributes(
                key, shape, dtype, stored, change.axis, float(change.chance)
            )
        case CropAugmentation():
            return "vary_crop", VaryCropAttributes(key, shape, dtype, stored, float(change.least))
        case NoiseAugmentation():
            return "vary_noise", VaryNoiseAttributes(key, shape, dtype, stored, float(change.deviation))
        case MaskAugmentation():
            attrs = VaryMaskAttributes(
                key, shape, dtype, stored, change.axis, int(change.most), int(change.count)
            )
            return "vary_mask", attrs
