"""The expansion of each layer type, from those that each family lists."""

from __future__ import annotations

from netwright.specs.models.layers import LAYERS
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.models.layers.scan_window import ScanWindow
from netwright.specs.models.layers.time_distributed import TimeDistributed

from ..expansion import Expansion
from . import (
    activation,
    attention,
    conv,
    conv_transpose,
    decoding,
    dense,
    expression,
    expression_pool,
    indexing,
    nll,
    normalization,
    ordering,
    padding,
    pool,
    quantizing,
    recurrent,
    reduction,
    resize,
    sampling,
    scan_window,
    shaping,
    slicing,
    spectrum,
    statistics,
    tables,
    time_distributed,
)

_FAMILIES = (
    dense,
    conv,
    pool,
    expression_pool,
    shaping,
    activation,
    normalization,
    statistics,
    recurrent,
    time_distributed,
    scan_window,
    attention,
    expression,
    slicing,
    padding,
    tables,
    ordering,
    decoding,
    indexing,
    reduction,
    resize,
    conv_transpose,
    sampling,
    quantizing,
    spectrum,
    nll,
)
_EXPANSIONS = {kind: expansion for family in _FAMILIES for kind, expansion in family.EXPANSIONS.items()}
_WRITTEN_OUT = (ScanWindow, TimeDistributed)
"""Layer types that loading has already replaced by others."""


def _expansion(layer: type[LayerSpec]) -> Expansion:
    """The expansion of a layer's type, or of its nearest base type that has one."""
    return next(_EXPANSIONS[kind] for kind in layer.__mro__ if kind in _EXPANSIONS)


EXPANSIONS: dict[type[LayerSpec], Expansion] = {
    layer: _expansion(layer) for layer in LAYERS.values() if layer not in _WRITTEN_OUT
}
