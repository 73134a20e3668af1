"""Where the time of a call goes: kernel by kernel, measured between the marks of a watched program.

The same numbers come from a spec, whose program is compiled into this process, and from an executable's `--profile`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from netwright.compiler.codegen.files.checks import call_bytes, shown_operations
from netwright.compiler.codegen.files.generated import bound_dims, generated_inputs
from netwright.compiler.codegen.jit import Recorder
from netwright.compiler.codegen.speed import Speed
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.frontend.build import bounded_network
from netwright.compiler.frontend.network import initial_states
from netwright.compiler.loop.ir import Call
from netwright.compiler.loop.marks import watched
from netwright.compiler.lowering.tiles.plans import Planned
from netwright.compiler.plans.costs import Rates, moving_seconds, seconds
from netwright.runtime.sessions.session import Session
from netwright.specs.dims import evaluate
from netwright.specs.manifest import DimInfo

from ..artifacts.identified import layer_names
from ..build import build, entry_graphs
from ..errors import RequestError
from ..model import Model
from ..weights.network import Weights, weights_or_first


@dataclass(frozen=True, slots=True)
class TimedCall:
    """A kernel in the text of an entry. It runs ``count`` times per call of the entry and takes ``ns`` nanoseconds in
    all of these (the median over calls); ``flops`` and ``bytes`` are those of one run: floating-point operations, and
    the sizes of the buffers that it reads and writes.
    """

    moment: int
    kernel: str
    layers: str
    operations: str
    tiles: str
    count: int
    flops: int
    bytes: int
    ns: int
    units: float = 0.0
    """The predicted time of one run in the units of ``compiler.plans.costs``; 0 for kernels without a plan."""
    lanes: int = 0
    """The lanes of the vectors that the units are of."""

    def predicted(self, rates: Rates) -> float:
        """The predicted nanoseconds of all runs."""
        if self.units:
            return self.count * seconds(self.units, self.lanes, rates) * 1e9
        return self.count * moving_seconds(self.flops, self.bytes, rates) * 1e9


@dataclass(frozen=True)
class Profile:
    """The calls of an entry in order, and the events of the last run: (moment, start, duration), in nanoseconds."""

    model: str
    runs: int
    threads: int
    dims: Mapping[str, int]
    calls: tuple[TimedCall, ...]
    events: tuple[tuple[int, int, int], ...]

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """What an executable prints. Raises ValueError for another text."""
        try:
            data = json.loads(text)
            calls = tuple(TimedCall(**call) for call in data["calls"])
            events = tuple((int(m), int(start), int(ns)) for m, start, ns in data["events"])
            return cls(data["model"], data["runs"], data["threads"], data["dims"], calls, events)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is no profile: {error}") from None

    @property
    def ns(self) -> int:
        """The time of all kernels, in nanoseconds per call of the entry."""
        return sum(call.ns for call in self.calls)

    def rows(self) -> list[Row]:
        """The calls by layers, in the order of their main kernels. What runs for some layers of a kernel alone (to
        fill the edges of its input) counts as part of that kernel."""
        sets = [frozenset(call.layers.split(", ")) for call in self.calls]
        rows: dict[str, list[TimedCall]] = {}
        for call, own in zip(self.calls, sets, strict=True):
            wider = [other for other, layers in zip(self.calls, sets, strict=True) if own < layers]
            name = wider[0].layers if wider and call.layers else call.layers
            rows.setdefault(name, []).append(call)
        made = [Row(name or "(no layer)", tuple(calls)) for name, calls in rows.items()]
        return sorted(made, key=lambda row: max(row.calls, key=lambda call: call.flops).moment)

    def to_json(self, speed: Speed | None = None) -> dict[str, Any]:
        """As a JSON object; with ``speed`` also each layer's share of what this computer can do."""
        return {
            "model": self.model,
            "runs": self.runs,
            "threads": self.threads,
            "dims": dict(self.dims),
            "ns": self.ns,
            "layers": [row.to_json(speed, self.threads) for row in self.rows()],
            "calls": [asdict(call) for call in self.calls],
        }

    def to_trace(self) -> dict[str, Any]:
        """The last run as Chrome's trace events, which chrome://tracing and Perfetto show."""
        known = {call.moment: call for call in self.calls}
        events = [
            {
                "name": known[moment].layers or known[moment].kernel,
                "cat": "kernel",
                "ph": "X",
                "ts": start / 1e3,
                "dur": ns / 1e3,
                "pid": 1,
                "tid": 1,
                "args": {
                    key: value
                    for key, value in asdict(known[moment]).items()
                    if key in ("kernel", "operations", "tiles", "flops", "bytes")
                },
            }
            for moment, start, ns in self.events
            if moment in known
        ]
        name = {"name": "process_name", "ph": "M", "pid": 1, "args": {"name": self.model}}
        return {"traceEvents": [name, *events], "displayTimeUnit": "ns"}


@dataclass(frozen=True, slots=True)
class Row:
    """The calls that compute some layers; what takes the most time comes first in ``main``."""

    layers: str
    calls: tuple[TimedCall, ...]

    @property
    def ns(self) -> int:
        return sum(call.ns for call in self.calls)

    @property
    def flops(self) -> int:
        return sum(call.count * call.flops for call in self.calls)

    @property
    def bytes(self) -> int:
        return sum(call.count * call.bytes for call in self.calls)

    @property
    def main(self) -> TimedCall:
        """The call that takes the most time."""
        return max(self.calls, key=lambda call: call.ns)

    @property
    def gflops(self) -> float:
        """10⁹ floating-point operations per second; 0 for what only moves data."""
        return self.flops / self.ns if self.ns else 0.0

    def predicted(self, speed: Speed) -> float:
        """The nanoseconds that the cost model predicts for one thread."""
        known = Rates(speed.flops_per_second["float32"], speed.bytes_per_second["memory"])
        return sum(call.predicted(known) for call in self.calls)

    def share(self, speed: Speed, threads: int) -> float:
        """The part of this computer's peak in float32 that is reached."""
        return self.gflops * 1e9 / (speed.flops_per_second["float32"] * threads)

    def bound(self, speed: Speed) -> str:
        """What would limit a perfect kernel with this work: `arithmetic`, or reads from a cache or memory."""
        call = self.main
        place = "l2" if call.bytes < 1 << 19 else "memory"
        reading = call.bytes / speed.bytes_per_second[place]
        computing = call.flops / speed.flops_per_second["float32"]
        return "arithmetic" if computing >= reading else {"l2": "reads from L2", "memory": "memory"}[place]

    def to_json(self, speed: Speed | None, threads: int) -> dict[str, Any]:
        """As a JSON object."""
        measured: dict[str, Any] = {}
        if speed is not None:
            measured = {
                "share_of_peak": self.share(speed, threads),
                "bound": self.bound(speed),
                "predicted_ns": round(self.predicted(speed)),
            }
        return {
            "layers": self.layers.split(", "),
            "ns": self.ns,
            "gflops": self.gflops,
            "bytes": self.bytes,
            "kernel": self.main.kernel,
            "operations": self.main.operations.split(", "),
            "tiles": self.main.tiles,
            **measured,
        }


def profile(
    model: Model,
    entry: str = "predict",
    *,
    weights: Weights | None = None,
    dims: Mapping[str, int] | None = None,
    threads: int = 1,
    runs: int = 100,
) -> Profile:
    """Runs an entry ``runs`` times on random inputs of the sizes ``dims``, by default the least, and measures each
    kernel. Raises SpecError, and RequestError for an unknown entry or a size that is not admitted.
    """
    network = bounded_network(model.load, model.network)
    made = build(network, entry_graphs(network, [entry]), host_target())
    manifest, program = made.lowered.manifest, made.lowered.program
    sizes = _sizes(made.lowered.manifest.dims, dims or {})
    inputs = generated_inputs(manifest, entry, sizes, whole=True)
    bound = bound_dims(manifest, sizes, inputs)
    values = weights_or_first(network, weights)
    values |= initial_states(network, sizes)
    known = {buffer.name for buffer in manifest.buffers}
    engine = made.engine(threads, watch=True)
    session = Session(engine, {name: array for name, array in values.items() if name in known})
    moments = watched(program.entries[entry]).moments
    times = np.zeros((runs, len(moments)), np.int64)
    counts = np.zeros(len(moments), np.int64)
    recorder = Recorder()
    engine.tell(recorder.address)
    events = np.zeros((0, 2), np.int64)
    for run in range(-max(runs // 10, 2), runs):
        recorder.clear()
        session.run(entry, inputs)
        recorder.reserve() if run < 0 else None
        events = recorder.events
        if run >= 0:
            marks, passed = events[1:, 0], np.diff(events[:, 1])
            np.add.at(times[run], marks, passed)
            counts = np.bincount(marks, minlength=len(moments))
    engine.tell(None)
    shown = layer_names(network)
    calls = tuple(
        TimedCall(
            moment=moment,
            kernel=call.function,
            layers=", ".join(dict.fromkeys(map(shown, call.info.layers))),
            operations=shown_operations(call),
            tiles=call.info.tiles,
            count=int(counts[moment]),
            flops=evaluate(call.info.flops, bound),
            bytes=evaluate(call_bytes(program, call), bound),
            ns=int(np.median(times[:, moment])),
            **_predicted(call, bound),
        )
        for moment, call in enumerate(moments)
        if call is not None
    )
    begun = int(events[0, 1])
    last = tuple(
        (int(mark), int(before - begun), int(now - before))
        for (mark, now), (_, before) in zip(events[1:], events[:-1], strict=True)
    )
    told = {dim.name: sizes[dim.name] for dim in manifest.dims if dim.longest_of is None}
    return Profile(network.model, runs, engine.threads, told, calls, last)


def _predicted(call: Call, bound: Mapping[str, int]) -> dict[str, Any]:
    """The predicted units of a call's kernel, and the lanes of its vectors."""
    planned = call.info.planned
    if not isinstance(planned, Planned) or planned.work is None:
        return {}
    units = planned.units(work=planned.work.sized(bound))
    return {"units": units or 0.0, "lanes": planned.work.lanes}


def _sizes(known: Sequence[DimInfo], given: Mapping[str, int]) -> dict[str, int]:
    names = [dim.name for dim in known if dim.longest_of is None]
    for name, size in given.items():
        if name not in names:
            raise RequestError(f"there is no open size {name}: there is {', '.join(names) or 'none'}")
        dim = next(dim for dim in known if dim.name == name)
        if not dim.admits(size):
            raise RequestError(f"{name} is {size}, it has to be {dim.admitted}")
    return {dim.name: given.get(dim.name, dim.fitted(dim.min)) for dim in known}
