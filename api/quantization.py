"""Quantizes a network: measures the ranges of its data on samples, and compares the result with the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import Target, host_target
from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.quantization.network import Plan, Product, QuantizedNetwork
from netwright.compiler.quantization.sites import Key
from netwright.runtime.batches import read_ahead
from netwright.runtime.data.samples import Samples
from netwright.runtime.sessions.session import Session
from netwright.runtime.training.evaluation import evaluate
from netwright.runtime.training.feeding import plain_batches

from .build import build
from .describe import bytes_text
from .errors import RequestError
from .prediction.predictor import BatchSizes

#: How many samples are computed at once to measure ranges.
_BATCH = 32
#: How many cells a histogram of magnitudes has.
_CELLS = 4096


@dataclass(frozen=True, slots=True)
class Quantization:
    """A quantized network with its weights, and what became of it.

    ``samples`` is how many samples the ranges are from. ``scores`` are loss and metrics of the network and of the
    quantized one on them, by name, if they have targets. ``differences`` has for each output the largest difference
    between the two, and the largest magnitude.
    """

    quantized: QuantizedNetwork
    floats: int
    bytes: int
    samples: int
    scores: Mapping[str, tuple[float, float]]
    differences: Mapping[str, tuple[float, float]]

    @property
    def network(self) -> Network:
        return self.quantized.network

    @property
    def weights(self) -> Mapping[str, NDArray]:
        return self.quantized.weights

    def table(self) -> Table:
        """A row per product with weights: its bytes before and after, and the range of its data."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("layer", style="bold", no_wrap=True)
        table.add_column("weights")
        for title in ("before", "after", "data from", "to"):
            table.add_column(title, justify="right", no_wrap=True)
        for product in self.quantized.products:
            table.add_row(*_row(product))
        table.add_section()
        table.add_row("all weights", "", bytes_text(self.floats), bytes_text(self.bytes), "", "")
        return table

    def lines(self) -> list[str]:
        """How good the quantized network is beside the other."""
        lines = [
            f"{name}: {before:.4g} in floats, {after:.4g} in int8, of {self.samples:,} samples"
            for name, (before, after) in self.scores.items()
        ]
        return lines or [
            f"{name}: differs by up to {difference:.3g} where values reach {most:.3g}, of {self.samples:,} samples"
            for name, (difference, most) in self.differences.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        layers: list[dict[str, Any]] = []
        for product in self.quantized.products:
            row: dict[str, Any] = {"layer": str(product.key), "operation": product.key.op}
            if product.bytes is None or product.data is None:
                row |= {"weights": "float", "reason": product.reason}
            else:
                row |= {
                    "weights": "int8",
                    "in_loop": product.in_loop,
                    "before": product.floats,
                    "after": product.bytes.array.nbytes,
                    "scale": product.data.scale,
                    "zero": product.data.zero,
                }
            layers.append(row)
        return {
            "samples": self.samples,
            "layers": layers,
            "before": self.floats,
            "after": self.bytes,
            "scores": {name: {"float": a, "int8": b} for name, (a, b) in self.scores.items()},
            "differences": {name: {"most": a, "of": b} for name, (a, b) in self.differences.items()},
        }


def quantize(
    network: Network,
    weights: Mapping[str, NDArray],
    data: Samples,
    *,
    target: Target | None = None,
    percentile: float = 100.0,
) -> Quantization:
    """Quantizes ``network`` with ``weights`` for ``target`` (default: this computer).

    The range of the data of each product is measured on all samples of ``data``: from the least to the greatest number,
    or, with a ``percentile`` below 100, so that this part of the magnitudes lies in it, and the rest is clipped. Raises
    RequestError if nothing can be quantized, DataError for data that do not fit.
    """
    if network.quantized:
        raise RequestError(f"{network.model} is quantized already")
    if not 50 <= percentile <= 100:
        raise RequestError(f"a percentile is from 50 to 100, not {percentile:g}")
    plan = Plan(network, weights, describe(target or host_target()))
    if not plan.floats:
        reasons = "; ".join(f"{kept.key}: {kept.reason}" for kept in plan.kept)
        raise RequestError(
            f"nothing of {network.model} can be quantized: {reasons or 'it has no products with weights'}"
        )
    size = BatchSizes(network).most(_BATCH)
    ranges = _ranges(plan, data, percentile, size)
    quantized = plan.quantized(ranges)
    before = _session(network, _reading(network), weights)
    after = _session(quantized.network, _reading(quantized.network), quantized.weights)
    scores: dict[str, tuple[float, float]] = {}
    if after.has("loss") and before.has("loss") and network.targets.keys() <= data.headers.keys():
        old, new = (evaluate(session, data, size) for session in (before, after))
        scores = {name: (old[name], new[name]) for name in old}
    used = network.graphs["predict"].inputs
    return Quantization(
        quantized,
        sum(array.nbytes for name, array in weights.items() if name in used),
        sum(array.nbytes for array in quantized.weights.values()),
        len(data),
        scores,
        _differences(before, after, data, size),
    )


def _row(product: Product) -> tuple[str, ...]:
    if product.bytes is None or product.data is None:
        return (str(product.key), f"float: {product.reason}", "", "", "", "")
    data = product.data
    low, high = ((byte - data.zero) * data.scale for byte in (data.least, data.greatest))
    sizes = bytes_text(product.floats), bytes_text(product.bytes.array.nbytes)
    how = "int8, in each step" if product.in_loop else "int8"
    return (str(product.key), how, *sizes, f"{low:.3g}", f"{high:.3g}")


def _reading(network: Network) -> dict[str, Graph]:
    return {name: graph for name, graph in network.reading().items() if name in network.graphs}


def _session(network: Network, graphs: Mapping[str, Graph], weights: Mapping[str, NDArray]) -> Session:
    made = build(network, graphs, host_target()).engine()
    known = {buffer.name for buffer in made.manifest.buffers}
    return Session(made, {name: array for name, array in weights.items() if name in known})


def _batches(session: Session, data: Samples, size: int) -> Iterator[Mapping[str, NDArray]]:
    data.require(session.input_info("predict"), session.manifest.dims)
    made = plain_batches(session, data, size, False, entry="predict")
    with read_ahead(made.epoch(0), made.ahead) as batches:
        for batch in batches:
            yield session.run("predict", batch.arrays)


def _ranges(plan: Plan, data: Samples, percentile: float, size: int) -> dict[Key, tuple[float, float]]:
    """The range of the data of each product."""
    session = _session(plan.network, {"predict": plan.observed()}, plan.weights)
    ranges: dict[Key, tuple[float, float]] = {}
    for outputs in _batches(session, data, size):
        for key, array in plan.observations(outputs).items():
            low, high = ranges.get(key, (0.0, 0.0))
            # Unlike min and max, these keep what is no number.
            ranges[key] = (
                float(np.minimum(low, array.min(initial=0.0))),
                float(np.maximum(high, array.max(initial=0.0))),
            )
    for key, (low, high) in ranges.items():
        if not np.isfinite([low, high]).all():
            raise RequestError(f"{key} gets numbers that are not finite: no range can be measured")
    if percentile == 100:
        return ranges
    counts = {key: np.zeros(_CELLS, np.int64) for key in ranges}
    for outputs in _batches(session, data, size):
        for key, array in plan.observations(outputs).items():
            most = max(-ranges[key][0], ranges[key][1])
            counts[key] += np.histogram(np.abs(array), _CELLS, (0.0, most or 1.0))[0]
    for key, (low, high) in ranges.items():
        reached = np.cumsum(counts[key]) >= counts[key].sum() * percentile / 100
        limit = (int(np.argmax(reached)) + 1) / _CELLS * max(-low, high)
        ranges[key] = max(low, -limit), min(high, limit)
    return ranges


def _differences(before: Session, after: Session, data: Samples, size: int) -> dict[str, tuple[float, float]]:
    """For each output of floats: the largest difference, and the largest magnitude."""
    result: dict[str, tuple[float, float]] = {}
    for old, new in zip(_batches(before, data, size), _batches(after, data, size), strict=True):
        for name, array in old.items():
            if array.dtype.kind == "f" and array.size:
                difference, most = result.get(name, (0.0, 0.0))
                difference = max(difference, float(np.abs(array - new[name]).max()))
                result[name] = difference, max(most, float(np.abs(array).max()))
    return result
