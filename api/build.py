"""Builds a network's graphs: an engine, or a lowered program for one target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netwright.compiler.codegen.features import required, why_not_here
from netwright.compiler.codegen.jit import compile_jit, jit_caller, jit_pool, kernel_objects
from netwright.compiler.codegen.machines import describe
from netwright.compiler.codegen.target import Target, TargetError
from netwright.compiler.codegen.verification import Verified, verify_kernels
from netwright.compiler.driver import Lowered, lower
from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.observers import Observer
from netwright.runtime.fast_call import process_caller
from netwright.runtime.native import NativeEngine
from netwright.runtime.workers import process_pool

from .errors import RequestError
from .reference import ReferenceEngine
from .version import VERSION


@dataclass(frozen=True, slots=True)
class Build:
    """A program in loop IR, lowered for ``target``."""

    lowered: Lowered
    target: Target

    def verify(self) -> Verified:
        """Runs the machine code of every kernel against the loop interpreter. Raises VerificationError."""
        program = self.lowered.program
        return verify_kernels(program, kernel_objects(program, self.target), self.target)

    def engine(self, threads: int | None = None, pin: bool = False, watch: bool = False) -> NativeEngine:
        """Compiles the program into this process; with ``watch``, entries pass a mark at each of their moments
        (``compiler.loop.marks.watched``). Raises TargetError if this computer can't run it, RequestError for an
        invalid number of threads.
        """
        if reason := why_not_here(self.target):
            raise TargetError(reason)
        if watch:
            program = compile_jit(self.lowered.program, self.target, watch=True)
        else:
            program = compile_jit(self.lowered.program, self.target)
        entries = [entry.name for entry in self.lowered.manifest.entries]
        try:
            return NativeEngine(
                self.lowered.manifest,
                {name: program.address(name) for name in entries},
                {name: program.plan_address(name) for name in entries},
                constants=self.lowered.constants,
                keepalive=program,
                threads=threads,
                pool=process_pool(jit_pool()) if threads != 1 else None,
                pin=pin,
                caller=process_caller(jit_caller()),
            )
        except ValueError as error:  # an invalid number of threads
            raise RequestError(str(error)) from None


def entry_graphs(network: Network, entries: Sequence[str] | None) -> dict[str, Graph]:
    """The graphs of the named entries, by default of all but `fit`. Raises RequestError for an unknown entry."""
    names = [name for name in network.graphs if name != "fit"] if entries is None else list(entries)
    known = [name for name in network.graphs if name != "fit"]
    for name in names:
        if name not in known:
            train = "" if len(known) > 1 else "; loss and train_step need a train section in the spec"
            raise RequestError(f"{network.model} has no entry {name}: there is {', '.join(known)}{train}")
    return {name: network.graphs[name] for name in names}


def build(
    network: Network, graphs: Mapping[str, Graph], target: Target, observer: Observer | None = None
) -> Build:
    """Lowers graphs to loop IR for ``target``."""
    lowered = lower(
        network.model,
        graphs,
        list(network.dims.values()),
        version=VERSION,
        target=f"{target.triple} {target.cpu}",
        features=required(target),
        machine=describe(target),
        math=network.math,
        labels={name: info.labels for name, info in network.outputs.items() if info.labels},
        scores=network.scores,
        observer=observer,
    )
    return Build(lowered, target)


def reference(network: Network, graphs: Mapping[str, Graph]) -> ReferenceEngine:
    """The NumPy interpreter as an engine."""
    return ReferenceEngine(network, graphs, version=VERSION)
