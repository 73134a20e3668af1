"""Networks whose weights are stored in 16 bits, for programs."""

from __future__ import annotations

from typing import get_args

from numpy.typing import NDArray

from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.frontend.network import Network
from netwright.compiler.ops.values.widen import Half
from netwright.compiler.quantization.halves import halved_network

from ..errors import RequestError
from .network import Weights, read_weights


def halved(
    network: Network, weights: Weights | None, dtype: Half, cpu: str
) -> tuple[Network, dict[str, NDArray]]:
    """The network with the ``weights`` of its products in 16 bits, as the CPU named ``cpu`` reads them fastest, and its
    weights by name. Raises RequestError for an unknown ``dtype`` and without weights, and what ``read_weights`` and
    ``named_target`` raise.
    """
    if dtype not in get_args(Half):
        raise RequestError(f"weights_dtype is {' or '.join(get_args(Half))}, not {dtype!r}")
    if weights is None:
        raise RequestError("weights_dtype needs weights: what is drawn at first is to be trained, in float32")
    return halved_network(network, read_weights(network, weights), describe(named_target(cpu)), dtype)
