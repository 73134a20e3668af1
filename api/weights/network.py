"""A network's weights: all of them, including those that the compiled entries don't use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.compiler.frontend.network import Network
from netwright.runtime.arrays.named import find_problems, weight_buffers
from netwright.runtime.errors import WeightsError
from netwright.runtime.sessions.drawn import Drawn
from netwright.runtime.sessions.weights import load_weights
from netwright.specs.manifest import BufferInfo, Manifest
from netwright.specs.random import Stream

from ..version import VERSION
from .native_numbers import native_stream

Weights = str | Path | Mapping[str, ArrayLike]
#: From so many weights on, code that draws them is worth being compiled for the first network that needs it.
_MANY = 1 << 21


def weights_manifest(network: Network) -> Manifest:
    """A manifest of every parameter and statistic and nothing else, which is what weights files hold."""
    buffers = [
        BufferInfo(
            name=name,
            role=parameter.kind,
            dtype=parameter.type.dtype,
            shape=[str(size) for size in parameter.type.shape],
        )
        for name, parameter in network.parameters.items()
    ]
    return Manifest(netwright=VERSION, model=network.model, target="", dims=[], buffers=buffers, entries=[])


def first_weights(
    network: Network, weights: Weights | None, seed: int | None = None, *, threads: int | None = 1
) -> dict[str, NDArray | Drawn]:
    """What a program begins with: ``weights`` as ``read_weights`` reads them; without, the values that
    ``compiler.frontend.network.initial_values`` returns, to be drawn when they are needed. Many are drawn by compiled
    code on ``threads`` threads, unless that is None. Raises WeightsError.
    """
    if weights is not None:
        return {**read_weights(network, weights)}
    seed = network.seed if seed is None else seed
    count = sum(prod(parameter.shape) for parameter in network.parameters.values())
    stream: Callable[[int, str], Stream] = Stream.at
    if threads is not None and count >= _MANY:
        stream = partial(native_stream, threads=threads)
    return {
        name: Drawn(
            parameter.shape,
            np.dtype(parameter.type.dtype),
            partial(parameter.fill, seed=seed, stream=stream),
        )
        for name, parameter in network.parameters.items()
    }


def weights_or_first(network: Network, weights: Weights | None = None) -> dict[str, NDArray]:
    """The arrays of ``first_weights``, all drawn. Raises WeightsError."""
    arrays: dict[str, NDArray] = {}
    for name, value in first_weights(network, weights).items():
        if isinstance(value, Drawn):
            arrays[name] = np.empty(value.shape, value.dtype)
            value.fill(arrays[name])
        else:
            arrays[name] = value
    return arrays


def read_weights(network: Network, weights: Weights) -> dict[str, NDArray]:
    """Reads weights from a safetensors file, a checkpoint, or from arrays by name, in the model's dtypes.

    Arrays that have the right dtype are not copied; a caller that keeps one must copy it. Raises WeightsError that
    lists everything wrong.
    """
    manifest = weights_manifest(network)
    if isinstance(weights, str | Path):
        return load_weights(weights, manifest)
    arrays = {name: np.asarray(value) for name, value in weights.items()}
    described = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    if problems := find_problems(weight_buffers(manifest), described):
        title = f"these are not the weights of {network.model!r}:"
        raise WeightsError("\n  ".join([title, *problems]), problems)
    dtypes = {name: parameter.type.dtype for name, parameter in network.parameters.items()}
    return {name: np.asarray(array, dtypes[name]) for name, array in arrays.items()}
