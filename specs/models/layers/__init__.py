"""The layers, one module per family, each of which lists its own. `LAYERS` maps each `type` to its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

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
from .base import LayerSpec

_FAMILIES = (  # in the order of the language's page
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

LAYERS: dict[str, type[LayerSpec]] = {
    layer.model_fields["type"].default: layer for family in _FAMILIES for layer in family.LAYERS
}

if TYPE_CHECKING:
    Layer = LayerSpec
else:
    Layer = Annotated[Union[tuple(LAYERS.values())], Field(discriminator="type")]  # noqa: UP007
