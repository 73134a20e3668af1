"""Streams of a program: the entry that takes steps, compiled when the first stream is made."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.codegen.target import named_target
from netwright.compiler.frontend.network import Network
from netwright.compiler.streaming import STEP, StreamError, step_network
from netwright.runtime.session import Session
from netwright.runtime.stream import Answers, Rhythm, Stream
from netwright.specs.load import LoadResult

from .build import build, reference
from .errors import RequestError


class Streams:
    """Makes the streams of one network. Raises RequestError if it can't be computed step by step."""

    def __init__(self, load: LoadResult, network: Network, engine: str, threads: int, cpu: str):
        try:
            made, step = step_network(load, network)
        except StreamError as error:
            raise RequestError(f"{network.model} can't be computed step by step:\n  {error}") from None
        graphs = dict(made.graphs)
        if engine == "reference":
            self._engine = reference(made, graphs)
        else:
            self._engine = build(made, graphs, named_target(cpu)).engine(threads)
        answers = {name: Answers(out.axis, out.rate, out.delay) for name, out in step.outputs.items()}
        self._rhythm = Rhythm(STEP, step.group, step.axes, answers)
        self._known = {buffer.name for buffer in self._engine.manifest.buffers}
        self._session: Session | None = None

    def new(self, weights: Mapping[str, NDArray]) -> Stream:
        """A stream that reads these weights. Streams of the same weights share them."""
        read = {name: array for name, array in weights.items() if name in self._known}
        held = {} if self._session is None else self._session.weights
        if self._session is None or any(not np.array_equal(held[name], read[name]) for name in read):
            self._session = Session(self._engine, read)
        return Stream(self._session, self._rhythm)
