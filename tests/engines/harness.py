"""One spec through every engine: the graph's interpreter, the loop interpreter, and native code on one and two threads.

The interpreter runs the graphs as the frontend makes them, the others what is left after all passes and lowering, so a
difference may lie anywhere between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.codegen.jit import NativeProgram, compile_jit, jit_pool
from netwright.compiler.driver import Lowered, lower
from netwright.compiler.frontend.build import bounded_network, build_network
from netwright.compiler.frontend.network import Network, initial_states
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.loop.interpreter.run import run_entry
from netwright.compiler.machine import Machine
from netwright.compiler.ranges import input_ranges
from netwright.runtime.engines.native import NativeEngine
from netwright.runtime.engines.workers import process_pool
from netwright.runtime.sessions.session import Session
from netwright.specs.dims import evaluate as size_of
from netwright.specs.dims import parse_dim
from netwright.specs.load import load_spec_text
from netwright.specs.manifest import RangeInfo

from ..machines import AVX512

Arrays = dict[str, NDArray]

#: Largest error beside the largest number of an array (and beside 1 where all are smaller).
TOLERANCE = {"float64": 1e-9, "float32": 2e-4}
ENTRIES = ("predict", "loss", "train_step")


def as_text(spec: Mapping[str, Any]) -> str:
    """The spec as JSON."""
    return json.dumps(spec)


def network_of(spec: Mapping[str, Any]) -> Network:
    """The network of a spec. Raises ValueError with its diagnostics where there is none."""
    network, diagnostics = build_network(load_spec_text(as_text(spec), "spec.json"))
    if network is None:
        raise ValueError(diagnostics.to_text())
    return network


def losses_of(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The losses of a spec; none if it is not trained."""
    written = spec.get("train", {}).get("loss", [])
    return written if isinstance(written, list) else [written]


@dataclass
class Model:
    """A spec on its way through the compiler; every stage is made when it is first asked for."""

    spec: Mapping[str, Any]
    machine: Machine = AVX512
    entries: tuple[str, ...] = ENTRIES
    engines: dict[int, NativeEngine] = field(default_factory=dict)

    @cached_property
    def network(self) -> Network:
        return network_of(self.spec)

    @cached_property
    def running(self) -> Network:
        """The network that is compiled; the interpreter runs ``network``."""
        return bounded_network(load_spec_text(as_text(self.spec), "spec.json"), self.network)

    @cached_property
    def lowered(self) -> Lowered:
        """The program; lowering proves every access of it."""
        graphs = {name: self.running.graphs[name] for name in self.entries if name in self.running.graphs}
        return lower(
            self.network.model,
            graphs,
            list(self.running.dims.values()),
            version="test",
            target="host",
            machine=self.machine,
        )

    @cached_property
    def native(self) -> NativeProgram:
        return compile_jit(self.lowered.program)

    def engine(self, threads: int = 1) -> NativeEngine:
        """The native engine with so many threads."""
        if threads not in self.engines:
            self.engines[threads] = self.new_engine(threads)
        return self.engines[threads]

    def new_engine(self, threads: int = 1) -> NativeEngine:
        """An engine of its own over the compiled program."""
        entries = self.lowered.program.entries
        return NativeEngine(
            self.lowered.manifest,
            {name: self.native.address(name) for name in entries},
            {name: self.native.plan_address(name) for name in entries},
            constants=self.lowered.constants,
            keepalive=self.native,
            threads=threads,
            pool=process_pool(jit_pool()),
            grain=1,
        )

    # -- values -------------------------------------------------------------------------------------------------

    def weights(self, seed: int = 0) -> Arrays:
        """Random parameters and statistics: no zeros that would hide a term."""
        rng = np.random.default_rng(seed)
        found: Arrays = {}
        for name, parameter in self.network.parameters.items():
            shape, dtype = parameter.type.shape, parameter.type.dtype
            statistic = parameter.kind == "statistic"
            values = rng.uniform(0.5, 1.5, shape) if statistic else rng.normal(size=shape) * 0.4  # pyright: ignore
            found[name] = values.astype(dtype)
        return found

    def batch(self, dims: Mapping[str, int], seed: int = 0, targets: bool = True) -> Arrays:
        """Random inputs and targets: classes and indices in range, lengths from 0 to T."""
        rng = np.random.default_rng(seed)
        types = dict(self.network.inputs) | (dict(self.network.targets) if targets else {})
        return {name: self._draw(rng, name, type, dims) for name, type in types.items()}

    def _draw(
        self, rng: np.random.Generator, name: str, type: TensorType, dims: Mapping[str, int]
    ) -> NDArray:
        shape = tuple(size_of(size, dims) for size in type.shape)
        if type.dtype.startswith("float"):
            return rng.normal(size=shape).astype(type.dtype)
        return rng.integers(0, self.limit(name, dims), shape).astype(type.dtype)

    def limit(self, name: str, dims: Mapping[str, int]) -> int:
        """What an integer input or target has to be below."""
        spec = self.spec
        if any(one.get("lengths") == name for one in spec["inputs"].values()):
            return self.steps_of(name, dims) + 1
        if name in self.ranges:
            return min(size_of(parse_dim(one.high), dims) for one in self.ranges[name]) + 1
        for loss in losses_of(spec):
            if loss.get("target") == name:
                return size_of(self.network.outputs[loss["output"]].type.shape[-1], dims)
        return 2

    @cached_property
    def ranges(self) -> dict[str, list[RangeInfo]]:
        """What the inputs that hold positions may hold."""
        return input_ranges(self.network.graphs["predict"])

    def steps_of(self, lengths: str, dims: Mapping[str, int]) -> int:
        for name, one in self.spec["inputs"].items():
            if one.get("lengths") == lengths:
                return size_of(self.network.inputs[name].shape[1], dims)
        raise KeyError(lengths)

    def states(self, dims: Mapping[str, int]) -> Arrays:
        return initial_states(self.network, dims)

    # -- engines ------------------------------------------------------------------------------------------------

    def interpret(self, entry: str, table: Mapping[str, NDArray], dims: Mapping[str, int]) -> Arrays:
        """The entry's outputs by the reference."""
        graph = self.network.graphs[entry]
        return evaluate(graph, {name: table[name] for name in graph.inputs}, dims)

    def interpret_step(self, dims: Mapping[str, int]) -> Arrays:
        """What the reference makes of ``weights`` and ``batch`` in one training step."""
        return self.interpret("train_step", {**self.weights(), **self.states(dims), **self.batch(dims)}, dims)

    def run_loops(
        self, entry: str, table: Mapping[str, NDArray], dims: Mapping[str, int], threads: int = 1
    ) -> Arrays:
        """The entry's outputs by the loop interpreter, which checks bounds, initialization and races."""
        manifest = self.lowered.manifest
        own = {name: np.array(array) for name, array in {**table, **self.lowered.constants}.items()}
        for info in manifest.buffers:
            if info.name not in own and info.role in ("output", "packed"):
                shape = tuple(size_of(parse_dim(size), dims) for size in info.shape)
                own[info.name] = np.zeros(shape, info.dtype)
        longest = {dim.name: dim.longest_of for dim in manifest.dims if dim.longest_of in table}
        dims = {**dims, **{name: max(1, int(table[own].max(initial=0))) for name, own in longest.items()}}
        names = [name for name in ("prepare", entry) if name in self.lowered.program.entries]
        for name in names if entry == "predict" else [entry]:
            code = run_entry(self.lowered.program, name, own, dict(dims), threads)
            assert code == 0, f"{name} returned {code}"
        return {name: own[name] for name in self.network.graphs[entry].outputs}

    def session(self, weights: Mapping[str, NDArray], threads: int = 1) -> Session:
        values = {**weights, **{n: a for n, a in self.states({}).items() if n in self.network.states}}
        return Session(self.engine(threads), values)

    def run_native(self, session: Session, entry: str, arrays: Mapping[str, NDArray]) -> Arrays:
        """The entry's outputs by native code; arrays that it does not read are left out."""
        return session.run(entry, {info.name: arrays[info.name] for info in session.input_info(entry)})

    # -- comparisons --------------------------------------------------------------------------------------------

    def check_predict(self, dims: Mapping[str, int], seed: int = 0, loops: bool = True) -> None:
        """predict: interpreter = loop interpreter = native, whose results do not depend on the threads."""
        weights, inputs = self.weights(seed), self.batch(dims, seed, targets=False)
        table = {**weights, **inputs}
        expected = self.interpret("predict", table, dims)
        if loops:
            self.compare("loops", self.run_loops("predict", table, dims, 1 + seed % 2), expected)
        one = self.run_native(self.session(weights, 1), "predict", inputs)
        self.compare("native", one, expected)
        two = self.run_native(self.session(weights, 2), "predict", inputs)
        for name in expected:
            np.testing.assert_array_equal(two[name], one[name], f"{name}: two threads differ from one")

    def check_training(
        self, dims: Mapping[str, int], steps: int = 2, seed: int = 0, threads: int = 1, loops: bool = False
    ) -> None:
        """loss and train_step: all outputs, weights and states of native code are the interpreter's."""
        if "train" not in self.spec:
            return
        weights = self.weights(seed)
        table = {**weights, **self.states(dims)}
        session = self.session(weights, threads)
        for step in range(steps):
            batch = self.batch(dims, seed + step)
            everything = {**table, **batch}
            if "loss" in self.entries:
                found = self.run_native(session, "loss", batch)
                self.compare(f"loss {step}", found, self.interpret("loss", everything, dims))
            expected = self.interpret("train_step", everything, dims)
            if loops and step == 0:
                self.compare("loops", self.run_loops("train_step", everything, dims, threads), expected)
            outputs = self.run_native(session, "train_step", batch)
            self.compare(f"step {step}", {**session.weights, **session.state, **outputs}, expected)
            table |= {name: array for name, array in expected.items() if name in table}

    def compare(self, what: str, found: Mapping[str, NDArray], expected: Mapping[str, NDArray]) -> None:
        """Asserts that all arrays of ``expected`` are found, up to rounding."""
        tolerance = TOLERANCE[self.network.dtype]
        for name, array in expected.items():
            got, wanted = np.asarray(found[name]), np.asarray(array)
            assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype), f"{what}: {name}"
            if wanted.dtype.kind != "f":
                np.testing.assert_array_equal(got, wanted, f"{what}: {name}")
                continue
            finite = np.abs(wanted[np.isfinite(wanted)])
            scale = max(1.0, float(finite.max())) if finite.size else 1.0
            np.testing.assert_allclose(got, wanted, 0, tolerance * scale, err_msg=f"{what}: {name}")
