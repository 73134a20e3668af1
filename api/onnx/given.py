"""Inputs of a model that get a fixed value at import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import OnnxError
from .reading import OnnxGraph, Port


def given_inputs(graph: OnnxGraph, values: Mapping[str, ArrayLike]) -> dict[str, NDArray]:
    """The arrays of inputs with a fixed value. Raises OnnxError for one that the model does not have, or that does not
    fit.
    """
    ports = {port.name: port for port in graph.inputs}
    for name in values:
        if name not in ports:
            raise OnnxError(f"there is no input {name!r}: there is {', '.join(map(repr, ports)) or 'none'}")
    return {name: _array(ports[name], value) for name, value in values.items()}


def _array(port: Port, value: Any) -> NDArray:
    """A value in the form that an input takes: a number for any shape without open sizes, an array for its own
    shape.
    """
    wanted = f"{port.dtype}[{', '.join(map(str, port.shape))}]"
    try:
        array = np.asarray(value)
        cast = array.astype(port.dtype)
        exact = array.dtype.kind in "biuf" and (
            port.dtype.startswith("float") or np.array_equal(cast.astype(array.dtype), array)
        )
    except (ValueError, TypeError, OverflowError):
        exact, array, cast = False, np.zeros(0), np.zeros(0)
    if not exact or (port.dtype == "bool") != (array.dtype == bool):
        raise OnnxError(f"the input {port.name!r} is {wanted}, it can't be {value!r}")
    sizes = [size for size in port.shape if isinstance(size, int)]
    if not cast.ndim and len(sizes) == len(port.shape):
        return np.full(sizes, cast)
    fits = cast.ndim == len(port.shape) and all(
        not isinstance(size, int) or size == own for size, own in zip(port.shape, cast.shape, strict=True)
    )
    if not fits:
        raise OnnxError(f"the input {port.name!r} is {wanted}, the value has the shape {list(cast.shape)}")
    return cast
