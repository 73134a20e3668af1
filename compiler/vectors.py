"""The reference's results for an executable's self-test: what the NumPy interpreter computes for generated inputs.

An executable can look at a value when it is whole in memory, at a moment that lowering reports. There it adds up the
value's elements, with weights, to a few sums, so that all elements count, and the table of sums stays small. Values
within the network are those of the graph that was lowered; outputs those of the graph as the frontend made it, so that
mistakes of passes are noticed, too.

How much rounding may change a sum is measured: the interpreter runs a second time, with inputs and weights that are
off by some units in the last place. Code that adds up in another order differs by less. Where recurrences have
bytes, that run rounds those a little otherwise, too: a last bit seldom moves a byte, but then changes all later steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from netwright.specs.dims import evaluate as evaluate_size
from netwright.specs.manifest import PREPARE, Manifest

from .codegen.files.checks import Probe, Vectors
from .codegen.files.generated import bound_dims, generated_inputs, small_sizes
from .graph.graph import Graph
from .graph.node import Node, Value
from .interpreter import evaluate, evaluate_all
from .observers import Observer, Stored
from .ops.base import EvaluationError
from .ops.cost import cost_of
from .ops.scans.scan_attributes import ScanAttributes
from .ops.values.quantize import QuantizeAttributes

#: The least and the most sums of a value. Few find a wrong element of a large value less surely.
_LEAST, _MOST = 2, 32
#: By how many units in the last place rounding alone may change a sum, at least and as a multiple of what inputs that
#: are off by two units change.
_ROUNDING, _SENSITIVITY = 32.0, 16.0
_OFF = 2
#: By how much the factors are off by which numbers become bytes: about one in two hundred bytes changes.
_COARSER = 1 + 2.0**-13
#: The sizes of batches to choose from, the first with at most so many floating-point operations: the interpreter
#: takes up to a second for them.
_BATCHES, _WORK = (8, 4, 2, 1), 2e8
#: The most operations that the interpreter is asked for at all.
_MOST_WORK = 5e10
#: What a row of the table takes besides its sums.
_ROW = 80


@dataclass
class Lowerings(Observer):
    """Keeps the graphs that entries were lowered from, and where their values are."""

    graphs: dict[str, Graph] = field(default_factory=dict)
    stored: dict[str, Sequence[Stored]] = field(default_factory=dict)

    def lowered(self, entry: str, graph: Graph, stored: Sequence[Stored]) -> None:
        self.graphs[entry] = graph
        self.stored[entry] = stored


def reference_vectors(
    lowerings: Lowerings,
    original: Graph,
    manifest: Manifest,
    weights: Mapping[str, np.ndarray],
    shown: Callable[[str], str],
    *,
    entry: str = "predict",
    budget: int = 4096,
) -> Vectors:
    """What an executable of ``entry`` compares itself with, in at most ``budget`` bytes or so.

    ``original`` is the entry's graph before all passes, ``shown`` maps the path of a layer to the name to show. Raises
    EvaluationError, also if this would take the interpreter too long.
    """
    dims = _sizes(original, manifest)
    if evaluate_size(cost_of(original).flops, dims) > _MOST_WORK:
        raise EvaluationError("it would take the interpreter minutes")
    inputs = generated_inputs(manifest, entry, dims)
    dims = bound_dims(manifest, dims, inputs)
    graph = lowerings.graphs[entry]
    exact = _values(lowerings, graph, inputs, weights, dims)
    generator = np.random.default_rng(0)
    loops = any(isinstance(node.attrs, ScanAttributes) for node in graph)
    moved = _rounded_otherwise(graph) if loops else graph
    shaken = _values(lowerings, moved, shake(inputs, generator), shake(weights, generator), dims)
    given = {**weights, **inputs}
    outputs = evaluate(original, {name: given[name] for name in original.inputs}, dims)
    named = {value: name for name, value in graph.outputs.items()}
    candidates = sorted(
        (
            stored
            for stored in lowerings.stored[entry]
            if exact[stored.value].size and exact[stored.value].dtype != np.float16
        ),
        key=lambda stored: stored.after,
    )
    count, chosen = _within(budget, candidates, lambda stored: stored.value in named)
    probes = []
    for stored in chosen:
        value = exact[stored.value]
        if stored.value in named:
            value = outputs[named[stored.value]].reshape(value.shape)
        names = dict.fromkeys(map(shown, stored.layers))
        sums = sums_of(value, count)
        with np.errstate(all="ignore"):
            sizes = sums_of(np.abs(value) if value.dtype != bool else value, count)
        tolerance = Tolerance.of(sums, sums_of(shaken[stored.value], count), sizes, value.dtype)
        probe = Probe(
            moment=stored.after,
            buffer=stored.buffer,
            offset=evaluate_size(stored.offset, dims),
            count=value.size,
            dtype=value.dtype.name,
            layers=tuple(names) or ("a value of no layer",),
            sums=tuple(map(float, sums)),
            ulp=tolerance.ulp,
            allowed=tolerance.allowed,
        )
        probes.append(probe)
    return Vectors(dims, tuple(probes), count)


def _sizes(graph: Graph, manifest: Manifest) -> dict[str, int]:
    """Small sizes, with the largest batch that is little work."""
    work = cost_of(graph).flops
    sizes = [small_sizes(manifest, batch) for batch in _BATCHES]
    return next((dims for dims in sizes if evaluate_size(work, dims) <= _WORK), sizes[-1])


def sums_of(value: np.ndarray, most: int) -> np.ndarray:
    """The sums that stand for a value: element number i counts for sum number i mod n, with a weight that is 1 for the
    first n and from 1 to 4 for the others (c/check/selftest.c adds up the same)."""
    flat = value.reshape(-1).astype(np.float64)
    n = min(flat.size, most)
    position = np.arange(flat.size)
    round_ = (position // n).astype(np.uint32)
    with np.errstate(over="ignore"):
        weight = 1 + (round_ * np.uint32(2654435761) >> np.uint32(30)).astype(np.float64)
    with np.errstate(all="ignore"):
        return np.bincount(position % n, weights=weight * flat, minlength=n)


def _values(
    lowerings: Lowerings,
    graph: Graph,
    inputs: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray],
    dims: Mapping[str, int],
) -> dict[Value, np.ndarray]:
    """All values of an entry's graph, for which the entry `prepare` packs the weights."""
    given = {**weights, **inputs}
    prepare = lowerings.graphs.get(PREPARE)
    if prepare is not None:
        given |= evaluate(prepare, {name: given[name] for name in prepare.inputs})
    return evaluate_all(graph, {name: given[name] for name in graph.inputs}, dims)


def _rounded_otherwise(graph: Graph) -> Graph:
    """The graph, node by node, with bytes some of which are the next ones, also in loops."""

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        match node.attrs:
            case QuantizeAttributes() as attrs:
                attrs = replace(attrs, factor=float(np.float32(attrs.factor * _COARSER)))
            case ScanAttributes() as attrs:
                attrs = replace(attrs, body=_rounded_otherwise(attrs.body))
            case _:
                return None
        return new.add(node.op, operands, attrs).values

    return graph.rewrite(rule)


def shake(arrays: Mapping[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """The arrays with every float off by up to two units in the last place."""
    moved = {}
    for name, array in arrays.items():
        if array.dtype.kind == "f":
            off = generator.uniform(-_OFF, _OFF, array.shape) * np.finfo(array.dtype).eps
            array = (array * (1 + off)).astype(array.dtype)
        moved[name] = array
    return moved


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The unit in which differences of results are counted, one in the last place of the largest (1 for integers), and
    how many of them rounding explains."""

    ulp: float
    allowed: float

    @classmethod
    def of(cls, expected: np.ndarray, shaken: np.ndarray, sizes: np.ndarray, dtype: np.dtype) -> Tolerance:
        """For results in ``dtype``: ``shaken`` are those of inputs and weights that are off, ``sizes`` the sums of the
        absolute numbers that were added up."""
        with np.errstate(all="ignore"):
            moved = _largest(np.abs(shaken.astype(np.float64) - expected.astype(np.float64)))
            largest = _largest(np.abs(expected.astype(np.float64)))
        if dtype.kind != "f":
            return cls(1.0, _SENSITIVITY * moved)
        eps = float(np.finfo(dtype).eps)
        ulp = eps * 2.0 ** float(np.floor(np.log2(largest))) if largest > 0 else eps
        spread = _largest(sizes) / largest if largest > 0 else 1.0
        allowed = max(_ROUNDING * max(1.0, spread), _SENSITIVITY * moved / ulp)
        return cls(ulp, float(f"{allowed:.3g}"))


def _largest(numbers: np.ndarray) -> float:
    return float(np.where(np.isfinite(numbers), numbers, 0.0).max(initial=0.0))


def _within(
    budget: int, stored: Sequence[Stored], is_output: Callable[[Stored], bool]
) -> tuple[int, list[Stored]]:
    """How many sums each value has, and which values are compared: all if the budget allows, and always outputs."""
    count = _MOST
    while count > _LEAST and len(stored) * (_ROW + 8 * count) > budget:
        count //= 2
    room = max(budget // (_ROW + 8 * count), 1)
    if len(stored) <= room:
        return count, list(stored)
    kept = {round(position) for position in np.linspace(0, len(stored) - 1, room)}
    return count, [each for i, each in enumerate(stored) if i in kept or is_output(each)]
