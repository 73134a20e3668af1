"""Builds a network's graphs: an engine, or a lowered program for one target."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from netwright.compiler.codegen.jit import (
    NativeProgram,
    compile_jit,
    jit_caller,
    jit_pool,
    kernel_objects,
)
from netwright.compiler.codegen.llvm.features import required, why_not_here
from netwright.compiler.codegen.objects.ahead import compiled_ahead
from netwright.compiler.codegen.objects.cache import ObjectCache, default_cache
from netwright.compiler.codegen.objects.stored import StoredProgram, get_program, program_key, put_program
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import Target, TargetError
from netwright.compiler.codegen.verification import Verified, verify_kernels
from netwright.compiler.driver import Lowered, lower
from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.machine import Machine
from netwright.compiler.observers import Observer
from netwright.runtime.engines.fast_call import process_caller
from netwright.runtime.engines.native import NativeEngine
from netwright.runtime.engines.workers import process_pool
from netwright.specs.manifest import DimInfo

from .errors import RequestError
from .reference import ReferenceEngine
from .version import VERSION


class Build:
    """A program for ``target``, in loop IR.

    It is lowered when its loop IR is asked for. The engine of a program that was compiled before, which ``key`` tells,
    comes from the cache.
    """

    def __init__(
        self, lowered: Lowered | Callable[..., Lowered], target: Target, key: Callable[[], str] | None = None
    ):
        self.target = target
        self._lowered, self._key = lowered, key

    @property
    def lowered(self) -> Lowered:
        """Loop IR, manifest and constants. Raises PassError, UnrollError and VerifyError at the first call."""
        if not isinstance(self._lowered, Lowered):
            self._lowered = self._lowered()
        return self._lowered

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
        stored, program = self._compiled(watch)
        entries = [entry.name for entry in stored.manifest.entries]
        try:
            return NativeEngine(
                stored.manifest,
                {name: program.address(name) for name in entries},
                {name: program.plan_address(name) for name in entries},
                constants=stored.constants,
                keepalive=program,
                threads=threads,
                pool=process_pool(jit_pool()) if threads != 1 else None,
                pin=pin,
                caller=process_caller(jit_caller()),
            )
        except ValueError as error:  # an invalid number of threads
            raise RequestError(str(error)) from None

    def _compiled(self, watch: bool) -> tuple[StoredProgram, NativeProgram]:
        """The program's code, from the cache if it is there, and the program in this process."""
        # What is lowered already may have been verified, and is what then has to run.
        cached = self._key is not None and not watch and not isinstance(self._lowered, Lowered)
        cache = program_cache() if cached else None
        if cache is None or self._key is None:
            return self._made(watch)
        key = self._key()
        stored = get_program(cache, key)
        if stored is None:
            stored, program = self._made(watch)
            put_program(cache, key, stored)
            return stored, program
        entries = [entry.name for entry in stored.manifest.entries]
        return stored, NativeProgram(stored.manifest.model, entries, self.target, stored.objects)

    def _made(self, watch: bool) -> tuple[StoredProgram, NativeProgram]:
        program, lowered = self._run(watch), self.lowered
        return StoredProgram(lowered.manifest, lowered.constants, program.objects), program

    def _run(self, watch: bool) -> NativeProgram:
        """Compiles the program into this process, its kernels while others are still lowered."""
        if isinstance(self._lowered, Lowered):
            return compile_jit(self._lowered.program, self.target, watch=watch)
        with compiled_ahead(self.target) as ahead:
            self._lowered = self._lowered(ready=ahead and ahead.add)
            return compile_jit(self._lowered.program, self.target, watch=watch, ahead=ahead)


def program_cache() -> ObjectCache | None:
    """The cache of whole programs; None if there is none, or if NETWRIGHT_DUMP asks to see each of them compiled."""
    if os.environ.get("NETWRIGHT_DUMP"):
        return None
    cache = default_cache()
    return cache if cache is not None and cache.usable else None


def entry_graphs(network: Network, entries: Sequence[str] | None) -> dict[str, Graph]:
    """The graphs of the named entries, by default of all but `fit`. Raises RequestError for an unknown entry."""
    known = [name for name in network.graphs if name != "fit"]
    names = known if entries is None else [entries] if isinstance(entries, str) else list(entries)
    for name in names:
        if name not in known:
            train = "" if len(known) > 1 else "; loss and train_step need a train section in the spec"
            raise RequestError(f"{network.model} has no entry {name}: there is {', '.join(known)}{train}")
    return {name: network.graphs[name] for name in names}


def lowering_of(
    model: str,
    graphs: Mapping[str, Graph],
    dims: Sequence[DimInfo],
    target: Target,
    machine: Machine,
    **how: Any,
) -> Callable[..., Lowered]:
    """Lowers graphs for a target when it is called; ``how``: see ``compiler.driver.lower``."""
    about = {"target": f"{target.triple} {target.cpu}", "features": required(target)}
    return partial(lower, model, graphs, dims, version=VERSION, machine=machine, **about, **how)


def build(
    network: Network,
    graphs: Mapping[str, Graph],
    target: Target,
    observer: Observer | None = None,
    *,
    machine: Machine | None = None,
) -> Build:
    """A program of graphs for ``target``. It is lowered at once for an observer, else when it is needed. ``machine`` is
    the target's, with tuned plans; by default without."""
    machine = machine or describe(target)
    dims = list(network.dims.values())
    labels = {name: info.labels for name, info in network.outputs.items() if info.labels}
    lowering = lowering_of(
        network.model,
        graphs,
        dims,
        target,
        machine,
        math=network.math,
        labels=labels,
        scores=network.scores,
        observer=observer,
    )
    if observer is not None:
        return Build(lowering(), target)

    def key() -> str:
        texts = [text for name, graph in graphs.items() for text in (name, str(graph))]
        about = (dims, sorted(labels.items()), network.scores, machine, network.math)
        return program_key(VERSION, repr(target), network.model, *map(repr, about), *texts)

    return Build(lowering, target, key)


def reference(network: Network, graphs: Mapping[str, Graph]) -> ReferenceEngine:
    """The NumPy interpreter as an engine."""
    return ReferenceEngine(network, graphs, version=VERSION)
