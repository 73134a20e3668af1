"""Writes a model to files, as a ``request.Request`` says: executables, libraries (``libraries``), and the compiler's
textual representations."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from netwright.compiler.codegen.files.aot import emit
from netwright.compiler.codegen.files.artifacts import Version, link_versions
from netwright.compiler.codegen.files.checks import Vectors
from netwright.compiler.codegen.files.platforms import Makes, chosen_target, chosen_targets, platform_named
from netwright.compiler.codegen.files.selection import without_entries
from netwright.compiler.codegen.files.web import link_module, write_loader
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import Target
from netwright.compiler.frontend.build import bounded_network
from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.text import print_graph
from netwright.compiler.loop.text.printing import program_text
from netwright.compiler.machine import Machine
from netwright.compiler.ops.base import EvaluationError
from netwright.compiler.pipeline import run
from netwright.compiler.streaming import STEP, StepGraph
from netwright.compiler.vectors import Lowerings, reference_vectors
from netwright.runtime.errors import DataWarning
from netwright.specs.files import is_stream, write_file
from netwright.specs.load import LoadResult
from netwright.specs.manifest import PREPARE, TRAIN, Manifest

from ..build import Build, build, entry_graphs
from ..data.needs import sample_rates
from ..errors import RequestError
from ..streams import listening, notes_of, stepping, with_steps
from ..training.ranks import check_divisible, divided
from .contents import contents_of
from .identified import debug_info, identified, layer_names
from .libraries import library_places, write_library
from .request import KINDS, LIBRARIES, Emit, Request
from .trainer import save_trainer
from .trainer_limits import check_trainer, step_entries
from .writing import writing_network

__all__ = ["KINDS", "LIBRARIES", "Emit", "Request", "library_places", "loader_path", "makes_of", "save"]

#: What an executable can run.
_PROGRAMS = (("predict",), (STEP,), (TRAIN,))


def makes_of(request: Request) -> Makes:
    """What is made for a request's target. Raises RequestError for a kind of file that the target does not have."""
    if request.target is None:
        return "program"
    platform = platform_named(request.target)
    refused: dict[Makes, tuple[str, ...]] = {
        "program": (),
        "module": ("shared", "static"),
        "static library": ("exe", "shared"),
    }
    if request.emit in refused[platform.makes]:
        kind = "static" if platform.makes == "static library" else "exe"
        raise RequestError(
            f"for {platform.name} a {platform.makes} is made, and no {request.emit}: --emit {kind}"
        )
    target = chosen_target(request.target, None)
    if (request.emit == "shared" and target.is_wasm) or (request.emit == "object" and target.is_windows):
        raise RequestError(f"{platform.name} has no such files as {request.emit}: --emit static")
    return platform.makes


def loader_path(module: Path) -> Path:
    """The path of the script that loads a WebAssembly module, in the same folder. Raises RequestError if the module is
    a stream, or has the script's name itself.
    """
    if is_stream(module):
        raise RequestError(f"a module's script goes beside it, and there is no place beside {module}")
    path = module.with_suffix(".js")
    if path == module:
        raise RequestError(
            f"{module} is what the module's script is called: choose another name, such as .wasm"
        )
    return path


def save(
    load: LoadResult, network: Network, weights: Mapping[str, NDArray] | None, path: Path, request: Request
) -> list[Path]:
    """Writes the requested file and those that accompany it, each completely or not at all; returns their paths.

    An executable needs ``weights``, but for one that trains, which begins with them if they are given; a library embeds
    them if they are given. Raises RequestError, SpecError, LinkError, TargetError, VerificationError, OSError.
    """
    if request.emit not in KINDS:
        raise RequestError(f"a model is written as {', '.join(KINDS)}, not as {request.emit!r}")
    training = request.emit == "exe" and request.entries is not None and TRAIN in request.entries
    if request.emit == "exe" and request.entries not in (None, *_PROGRAMS):
        raise RequestError("an executable runs one entry, predict, step or train; libraries offer several")
    if request.emit == "exe" and weights is None and not training:
        raise RequestError("an executable needs weights")
    if request.emit == "weights" and weights is None:
        raise RequestError("there are no weights")
    if request.verify and request.emit in ("graph", "loop"):
        raise RequestError(f"--verify runs machine code, and a {request.emit} has none")
    target, *others = chosen_targets(request.target, request.cpu)
    if others and (request.emit != "exe" or training or STEP in (request.entries or ())):
        raise RequestError("versions for several CPUs are made of programs that run predict: name one CPU")
    makes = makes_of(request)
    if makes == "module" and request.emit == "exe":
        loader_path(path)
    steps: StepGraph | None = None
    notes: dict[str, str] = {}
    rates = sample_rates(load, network) if request.emit == "exe" else {}
    if request.entries is not None and STEP in request.entries:
        if len(request.entries) == 1:
            network, steps = stepping(load, network)
            notes = notes_of(steps)
        else:
            network, notes = with_steps(load, network)
    elif (
        request.emit == "exe"
    ):  # which reads the lengths itself; callers of a library only say the sizes of arrays
        network = bounded_network(load, network)
    train = load.model.train if load.model else None
    if training and train is not None and train.parts:
        network = divided(load, network)
        check_divisible(load, network, 1)
    if training:
        check_trainer(load, network, target, weights=weights is not None)
    entry = STEP if steps is not None else "predict"
    if request.writing is not None:
        network, graphs = writing_network(load, network, request.writing)
    else:
        entries = step_entries(train) if training else (entry,) if request.emit == "exe" else request.entries
        graphs = entry_graphs(network, entries)
    if request.emit == "graph":
        limits = {"stop_after": request.stop_after, "max_rewrites": request.max_rewrites}
        made = run(graphs, describe(target), math=network.math, steady=network.has_time, **limits)
        texts = [print_graph(graph) for graph in made.values()]
        return _written(path, "\n\n".join(texts) + "\n")
    lowerings = Lowerings()
    origin = identified(load)

    def machine(each: Target) -> Machine | None:
        return None if request.tuned is None else request.tuned(network, graphs, each)

    made = _named(build(network, graphs, target, lowerings, machine=machine(target)), origin)
    more = [_named(build(network, graphs, other, machine=machine(other)), origin) for other in others]
    program, manifest = made.lowered.program, made.lowered.manifest
    shown = layer_names(network)
    debug = debug_info(load, network) if request.debug else None
    if request.verify:
        for version in (made, *more):
            verified = version.verify()
            if request.verified is not None:
                request.verified(verified)
    match request.emit:
        case "exe" if training:
            save_trainer(load, network, made, weights, path, target, debug)
            return [path]
        case "exe":
            assert weights is not None
            versions = [_version(part, weights) for part in (made, *more)]
            if makes == "module":
                first = versions[0]
                link_module(
                    first.program, first.manifest, first.buffers, path, target, first.formulas, entry=entry
                )
                write_loader(loader_path(path))
                return [path, loader_path(path)]
            vectors = None
            if steps is None and request.selftest_bytes and not more:
                vectors = _vectors(lowerings, graphs[entry], versions[0].manifest, weights, shown, request)
            link_versions(
                versions,
                path,
                entry=entry,
                sample_rates=rates,
                stream=None if steps is None else listening(network, steps),
                vectors=vectors,
                shown=shown,
                checks=request.selftest_bytes > 0,
                debug=debug,
            )
            return [path]
        case "shared" | "static" | "object" | "weights":
            return write_library(network, made, weights, path, target, request, debug, notes)
        case "llvm" | "asm":
            return _written(path, emit(program, request.emit, target, manifest, debug=debug))
    return _written(path, program_text(program))


def _named(made: Build, origin: Mapping[str, Any]) -> Build:
    """With a manifest that says where it comes from."""
    manifest = made.lowered.manifest.model_copy(update=origin)
    return Build(replace(made.lowered, manifest=manifest), made.target)


def _vectors(
    lowerings: Lowerings,
    graph: Graph,
    manifest: Manifest,
    weights: Mapping[str, NDArray],
    shown: Callable[[str], str],
    request: Request,
) -> Vectors | None:
    """The reference's results for the self-test; None, with a warning, if the interpreter has none."""
    try:
        return reference_vectors(lowerings, graph, manifest, weights, shown, budget=request.selftest_bytes)
    except (EvaluationError, MemoryError) as error:
        why = str(error) or "it needs more memory than there is"
        warnings.warn(f"{manifest.model} is compiled without a self-test: {why}", DataWarning, stacklevel=3)
        return None


def _version(made: Build, weights: Mapping[str, NDArray]) -> Version:
    """What was compiled for one CPU, with the weights as its kernels read them; nothing packs them again."""
    lowered = made.lowered
    program, manifest = without_entries(lowered.program, lowered.manifest, (PREPARE,))
    return Version(program, manifest, contents_of(made, weights), made.target, lowered.formulas)


def _written(path: Path, data: str | bytes) -> list[Path]:
    write_file(path, data.encode() if isinstance(data, str) else data)
    return [path]
