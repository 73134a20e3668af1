"""Times the kernels of a network that is compiled in several ways, in turns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.codegen.files.generated import generated_inputs
from netwright.compiler.codegen.jit import Recorder
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.frontend.network import Network, initial_states
from netwright.compiler.graph.graph import Graph
from netwright.compiler.loop import ir
from netwright.compiler.loop.marks import watched
from netwright.compiler.machine import Machine
from netwright.runtime.sessions.session import Session

from ..build import build
from ..weights.network import weights_or_first

#: How many elements an open size has while it is tuned, unless it may not.
OPEN = 8


class Trial:
    """A network compiled for ``machine``, and the times of each of its kernels in the calls so far.

    Inputs are random, with open sizes as in ``dims``, else ``OPEN``, or the nearest that is admitted.
    """

    def __init__(
        self, network: Network, graphs: Mapping[str, Graph], machine: Machine, dims: Mapping[str, int]
    ):
        made = build(network, graphs, host_target(), machine=machine)
        manifest, program = made.lowered.manifest, made.lowered.program
        sizes = {
            dim.name: dim.fitted(dims.get(dim.name, max(OPEN, dim.min)))
            for dim in manifest.dims
            if dim.longest_of is None
        }
        values = {**weights_or_first(network), **initial_states(network, sizes)}
        known = {buffer.name for buffer in manifest.buffers}
        self.engine = made.engine(1, watch=True)
        self._session = Session(self.engine, {name: x for name, x in values.items() if name in known})
        self._inputs = {
            entry: generated_inputs(manifest, entry, sizes, whole=True)
            for entry in graphs
            if entry != "prepare"
        }
        self.calls: dict[str, list[ir.Call | None]] = {
            entry: list(watched(program.entries[entry]).moments) for entry in self._inputs
        }
        self._times: dict[str, list[NDArray[np.int64]]] = {entry: [] for entry in self._inputs}

    def run(self, recorder: Recorder, calls: int) -> None:
        """Calls each entry ``calls`` times."""
        self.engine.tell(recorder.address)
        for entry, inputs in self._inputs.items():
            for _ in range(calls):
                recorder.clear()
                self._session.run(entry, inputs)
                self._keep(entry, recorder)
        self.engine.tell(None)

    def _keep(self, entry: str, recorder: Recorder) -> None:
        if len(recorder.events) < 2:
            recorder.reserve()  # the first call told how many there are
            return
        marks, passed = recorder.events[1:, 0], np.diff(recorder.events[:, 1])
        own = np.zeros(len(self.calls[entry]), np.int64)
        np.add.at(own, marks, passed)
        self._times[entry].append(own)

    @property
    def has_run(self) -> bool:
        """Whether there are times."""
        return any(self._times.values())

    @property
    def seconds(self) -> float:
        """The time of all kernels, of one call of each entry."""
        return sum(ns for _, ns in self.times()) / 1e9

    def times(self) -> list[tuple[ir.Call, int]]:
        """Each call of a kernel in the entries, and the median of its nanoseconds per call of the entry."""
        made: list[tuple[ir.Call, int]] = []
        for entry, calls in self.calls.items():
            medians = np.median(np.stack(self._times[entry]), axis=0)
            made += [(call, int(ns)) for call, ns in zip(calls, medians, strict=True) if call is not None]
        return made
