"""Random data that fit a network, to try a spec before there are real data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.frontend.network import Network
from netwright.compiler.ranges import merged_ranges
from netwright.specs.dims import evaluate, parse_dim

from .data.needs import expected_arrays
from .errors import RequestError

#: The default for an open size. If the dim does not admit it, the nearest size that it does.
_USUAL = 16
_FLOATS = ("float16", "float32", "float64")


def sample(network: Network, count: int, dims: Mapping[str, int], seed: int) -> dict[str, NDArray]:
    """Draws ``count`` samples of all inputs and targets, by name.

    Floats are drawn from N(0, 1), integers from the values that the network allows in their place (classes, tokens,
    lengths), otherwise from 0 to 255. Raises RequestError for a dim that the network does not have, or a size that it
    does not admit.
    """
    sizes = _sizes(network, count, dims)
    generator = np.random.default_rng(seed)
    ranges = merged_ranges(network.graphs.values())
    samples: dict[str, NDArray] = {}
    for info in expected_arrays(network):
        shape = tuple(evaluate(parse_dim(size), sizes) for size in info.shape)
        if info.dtype in _FLOATS:
            samples[info.name] = generator.standard_normal(shape).astype(info.dtype)
        elif info.dtype == "bool":
            samples[info.name] = generator.random(shape) < 0.5
        else:
            known = ranges.get(info.name, [])
            low = max((range.low for range in known), default=0)
            high = min((evaluate(parse_dim(range.high), sizes) for range in known), default=255)
            high = min(high, int(np.iinfo(info.dtype).max))
            samples[info.name] = generator.integers(low, high, shape, endpoint=True).astype(info.dtype)
    return samples


def _sizes(network: Network, count: int, dims: Mapping[str, int]) -> dict[str, int]:
    if unknown := [name for name in dims if name not in network.dims]:
        known = ", ".join(network.dims) or "none"
        raise RequestError(f"{network.model} has no dim {unknown[0]}; there is {known}")
    first = next((str(type.shape[0]) for type in network.inputs.values() if type.rank), "")
    sizes = {
        name: dims.get(name, count if name == first else dim.fitted(_USUAL))
        for name, dim in network.dims.items()
    }
    for name, dim in network.dims.items():
        if not dim.admits(sizes[name]):
            raise RequestError(f"{name} can't be {sizes[name]}: it is {dim.admitted}")
    return sizes
