"""Numbers of random streams by compiled code: the same bits as NumPy's (``specs.random``), in a tenth of the time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.codegen.objects.stored import program_key
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.ops.random.draw import WORDS, DrawAttributes
from netwright.runtime.sessions.session import Session
from netwright.specs.random import Linear, Stream, flattened, key_for

from ..build import Build, lowering_of
from ..version import VERSION

#: How many counters of a stream are computed by one call.
COUNTERS = 1 << 14
#: How far our normal numbers may be from NumPy's, which are below 9: each differs from the exact one by less than a
#: tenth of that. In so far, which of two neighbouring float32 is meant is asked of NumPy.
TOLERANCE = 2.0**-42
#: With smaller deviations, numbers that can be told apart could be too small for float32's normal range.
_LEAST_DEVIATION = 2.0**-60
_NAME = "numbers"
_WORDS, _LINEAR = "words", "linear"


@dataclass(frozen=True, slots=True)
class NativeStream(Stream):
    """A stream whose numbers ``session`` draws, but for arrays that are too small to be worth it."""

    session: Session | None = None

    def pairs_from(self, start: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if count < COUNTERS // 4 or count > COUNTERS or self.session is None:
            return super(NativeStream, self).pairs_from(start, count)
        drawn = self.session.run("uniforms", {_WORDS: self._words(start)})
        return drawn["first"][:count], drawn["second"][:count]

    def fill_normal(self, values: NDArray[np.floating], change: Linear | None = None) -> None:
        linear = change or Linear(1.0)
        if (
            self.session is None
            or values.dtype != np.float32
            or values.size < COUNTERS
            or abs(linear.deviation) < _LEAST_DEVIATION
        ):
            super(NativeStream, self).fill_normal(values, change)
            return
        flat, doubtful = flattened(values), []
        upper, rest = np.empty(2 * COUNTERS, np.float32), np.empty(2 * COUNTERS, np.float32)
        given = {_WORDS: self._words(0), _LINEAR: _linear(linear)}
        for start in range(0, flat.size, 2 * COUNTERS):
            place = flat[start : start + 2 * COUNTERS]
            lower = place if place.size == 2 * COUNTERS else rest
            given[_WORDS][-1] = start // 2
            self.session.run("normals", given, None, {"lower": lower, "upper": upper})
            if lower is rest:
                place[...] = rest[: place.size]
            doubtful.append(start + np.flatnonzero(place != upper[: place.size]))
        elements = np.concatenate(doubtful)
        flat[elements] = linear(self.normals_at(elements))
        if not np.may_share_memory(flat, values):
            values[...] = flat.reshape(values.shape)

    def _words(self, start: int) -> NDArray[np.uint64]:
        return np.array([*self.key, *self.upper, start], np.uint64)


def _linear(change: Linear) -> NDArray[np.float64]:
    """The operand of ``draw_normals``."""
    mean, deviation = change.mean or 0.0, abs(change.deviation)
    rounded = (abs(mean) + 16 * deviation) * 2.0**-50  # by NumPy, in the product and the sum
    return np.array([mean, change.deviation, deviation * TOLERANCE + rounded])


def native_stream(seed: int, path: str, threads: int = 1) -> NativeStream:
    """``Stream.at``, with compiled code, which is compiled once per computer, for up to ``threads`` threads."""
    return NativeStream(key_for(seed, path), session=_session(threads))


@cache
def _session(threads: int) -> Session:
    target, count = named_target("native"), COUNTERS
    uniforms, normals = Graph("uniforms"), Graph("normals")
    words = uniforms.input(_WORDS, WORDS, "input")
    node = uniforms.add("draw_uniforms", [words], DrawAttributes(count))
    for name, value in zip(("first", "second"), node.values, strict=True):
        uniforms.set_output(name, value)
    words, linear = (
        normals.input(_WORDS, WORDS, "input"),
        normals.input(_LINEAR, TensorType("float64", (3,)), "input"),
    )
    node = normals.add("draw_normals", [words, linear], DrawAttributes(count))
    for name, value in zip(("lower", "upper"), node.values, strict=True):
        normals.set_output(name, value)
    graphs, machine = {graph.name: graph for graph in (uniforms, normals)}, describe(target)
    texts = [str(graph) for graph in graphs.values()]
    lowering = lowering_of(_NAME, graphs, [], target, machine)
    build = Build(lowering, target, lambda: program_key(VERSION, repr(target), _NAME, repr(machine), *texts))
    return Session(build.engine(threads), {})
