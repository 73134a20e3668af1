"""The quantized network: the same entries that run, with products of bytes in place of products of floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from ..frontend.network import Network, Parameter
from ..graph.graph import Graph
from ..graph.types import TensorType
from ..machine import Machine
from ..passes.base import PassContext
from ..passes.dead_code import RemoveDeadCode
from ..pipeline import run
from .bodies import observed
from .following import Numbers
from .rewrite import Bytes, quantize
from .scales import Quantized, can_overflow, quantized_weights
from .sites import Kept, Key, Site, arrays_of, find_sites, weights_of

#: Those after it cut products into pieces and loops into copies of their body: each would have bytes of its own.
_LAST_PASS = "channels_before_cells"
#: What the outputs of ``observed`` that hold data of products are called.
_DATA = "quantize.data."


@dataclass(frozen=True, slots=True)
class Product:
    """A product with weights of the network: the ``floats`` of its weights, and if it is one of ``bytes``, these.
    ``reason``: why it is not. ``in_loop``: whether each step of a recurrence computes it."""

    key: Key
    floats: int
    data: Quantized | None = None
    bytes: Bytes | None = None
    reason: str = ""
    in_loop: bool = False


@dataclass(frozen=True, slots=True)
class QuantizedNetwork:
    """A quantized network and its weights by name; ``products`` are those of `predict`, in order."""

    network: Network
    weights: Mapping[str, NDArray]
    products: tuple[Product, ...]


class Plan:
    """What of a network can be quantized, with ``weights`` as its parameters, for one ``machine``."""

    def __init__(self, network: Network, weights: Mapping[str, NDArray], machine: Machine):
        self.network, self.weights, self.machine = network, weights, machine
        self.graphs: dict[str, Graph] = {}
        self.sites: dict[str, list[Site]] = {}
        self.floats: dict[Key, NDArray] = {}
        self.numbers: dict[Key, list[Numbers]] = {}
        self.kept: list[Kept] = []
        for name, given in network.reading().items():
            graph = run({name: given}, machine, stop_after=_LAST_PASS)[name]
            graph = RemoveDeadCode().run(graph, PassContext(name, machine))  # which would count as readers
            sites, kept = find_sites(graph)
            arrays = weights_of(graph, sites, weights)
            if name == "predict":
                self.floats, self.kept = arrays, kept
                for site in sites:
                    if (reason := _why_no_bytes(site, arrays[site.key])) is not None:
                        self.kept.append(Kept(site.key, reason))
                        del self.floats[site.key]
            elif not self.floats.keys() <= arrays.keys():
                continue  # it computes them in another way
            self.graphs[name] = graph
            self.sites[name] = [site for site in sites if site.key in self.floats]
            self._keep_common_steps(name)
        for name, sites in self.sites.items():
            self.sites[name] = [
                replace(site, steps=site.steps[: len(self.numbers[site.key])]) for site in sites
            ]

    def _keep_common_steps(self, name: str) -> None:
        """Leaves in ``numbers`` those of the steps after each product that all graphs take."""
        graph, sites = self.graphs[name], self.sites[name]
        places = [
            (site.loops, step.numbers) for site in sites for step in site.steps if step.numbers is not None
        ]
        arrays = iter(arrays_of(graph, places, self.weights))
        for site in sites:
            own: list[Numbers] = [
                (step.kind, None if step.numbers is None else next(arrays)) for step in site.steps
            ]
            known = self.numbers.setdefault(site.key, own)
            same = takewhile(lambda pair: _are_equal(*pair), zip(known, own, strict=False))
            self.numbers[site.key] = [step for step, _ in same]

    def observed(self) -> Graph:
        """`predict` with the data of each product that can be quantized as further outputs, those of a loop in all of
        its steps; see ``observations``."""
        sites = enumerate(self.sites["predict"])
        return observed(
            self.graphs["predict"], {f"{_DATA}{number}": (site.loops, site.data) for number, site in sites}
        )

    def observations(self, outputs: Mapping[str, NDArray]) -> dict[Key, NDArray]:
        """The data of each product among the outputs of ``observed``."""
        sites = self.sites["predict"]
        return {site.key: outputs[f"{_DATA}{number}"] for number, site in enumerate(sites)}

    def quantized(self, ranges: Mapping[Key, tuple[float, float]]) -> QuantizedNetwork:
        """The network with bytes where ``ranges`` says what data there are."""
        dtype = self.machine.quantized_data
        data = {key: Quantized.of_range(low, high, dtype) for key, (low, high) in ranges.items()}
        times = frozenset(name for name, info in self.network.dims.items() if info.role == "time")
        graphs: dict[str, Graph] = {}
        made: dict[Key, Bytes] = {}
        for name, graph in self.graphs.items():
            graphs[name], made_here = quantize(
                graph, self.sites[name], self.floats, data, self.numbers, times
            )
            made |= made_here
        read = {name for graph in graphs.values() for name in graph.inputs}
        parameters = {name: p for name, p in self.network.parameters.items() if name in read}
        values = {name: self.weights[name] for name in parameters}
        for key, each in made.items():
            for name, array in each.inputs.items():
                type = TensorType(array.dtype.name, array.shape)
                parameters[name] = Parameter(name, type, "parameter", (), key.layer)
                values[name] = array
        whole = graphs.pop("whole", None)
        network = replace(
            self.network,
            parameters=parameters,
            graphs=graphs,
            states={},
            fitted=(),
            quantized=True,
            whole=whole,
        )
        loops = {site.key: bool(site.loops) for site in self.sites["predict"]}
        products = [
            Product(key, array.nbytes, data.get(key), made.get(key), in_loop=loops[key])
            for key, array in self.floats.items()
        ]
        products += [Product(kept.key, 0, reason=kept.reason) for kept in self.kept]
        return QuantizedNetwork(network, values, tuple(products))


def _are_equal(first: Numbers, second: Numbers) -> bool:
    (kind, numbers), (other_kind, others) = first, second
    if kind != other_kind or numbers is None or others is None:
        return kind == other_kind
    return np.array_equal(numbers, others)


def _why_no_bytes(site: Site, weights: NDArray) -> str | None:
    """Why weights stay in floats."""
    if not np.isfinite(weights).all():
        return "its weights are not all finite"
    matrix = _columns_last(site, weights)
    if np.prod(matrix.shape[:-1]) == 1:
        return "its sums have a single term"  # a byte and a scale take more than a float
    if can_overflow(quantized_weights(matrix)[0]):
        return "its sums could leave 32 bits"
    return None


def _columns_last(site: Site, weights: NDArray) -> NDArray:
    """The weights with all that is summed before the output channels."""
    contract = getattr(site.node.attrs, "lhs_contract" if site.position == 0 else "rhs_contract", None)
    if contract is None:
        return weights
    return np.moveaxis(weights, contract, range(len(contract))).reshape(
        int(np.prod([weights.shape[axis] for axis in contract])), -1
    )
