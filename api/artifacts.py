"""Writes a model to files: executables, libraries, object code, and the compiler's textual representations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from numpy.typing import NDArray

from netwright.compiler.codegen.aot import emit
from netwright.compiler.codegen.artifacts import link_executable, link_shared
from netwright.compiler.codegen.machines import describe
from netwright.compiler.codegen.target import Target, host_target, named_target
from netwright.compiler.codegen.verification import Verified
from netwright.compiler.frontend.build import bounded_network
from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.text import print_graph
from netwright.compiler.loop.text import program_text
from netwright.compiler.pipeline import run
from netwright.compiler.streaming import STEP, StepGraph
from netwright.runtime.session import PREPARE, Session
from netwright.specs.files import is_stream, write_file
from netwright.specs.load import LoadResult

from .build import Build, build, entry_graphs
from .data.needs import sample_rates
from .errors import RequestError
from .generation.compiled import Compiled, writing_network
from .streams import listening, stepping
from .trainer import STEPS, TRAIN, check_trainer, save_trainer

Emit = Literal["exe", "shared", "object", "llvm", "asm", "loop", "graph"]
KINDS: tuple[Emit, ...] = get_args(Emit)


@dataclass(frozen=True, slots=True)
class Request:
    """What to write: the kind, the CPU it is for, and the entries. An executable has one, by default `predict`; with
    `step`, which stands alone, it takes steps on standard input, and with `train` it trains.

    A graph is written as it is after the pass or phase ``stop_after`` (default: the last) with at most ``max_rewrites``
    rewrites by passes (default: no limit).
    """

    emit: Emit = "exe"
    cpu: str = "native"
    entries: tuple[str, ...] | None = None
    stop_after: str | None = None
    max_rewrites: int | None = None
    verify: bool = False
    """Whether to run the machine code of every kernel against the loop interpreter before anything is written."""
    verified: Callable[[Verified], None] | None = None
    """Called with the result of that run."""
    writing: Compiled | None = None
    """How `predict` writes texts, the only entry then; None: the entries are the network's own."""


def header_path(library: Path) -> Path:
    """The path of a library's C header, in the same folder. Raises RequestError if the library is a stream, or has the
    header's name itself.
    """
    if is_stream(library):
        raise RequestError(f"a library's header goes beside it, and there is no place beside {library}")
    path = library.with_suffix(".h")
    if path == library:
        raise RequestError(f"{library} is what the library's header is called: choose another name")
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
    training = request.entries is not None and TRAIN in request.entries
    if training and (request.emit != "exe" or request.entries != (TRAIN,)):
        raise RequestError(f"the entry {TRAIN} is for an executable, which has no other: emit exe")
    if request.emit == "exe" and weights is None and not training:
        raise RequestError("an executable needs weights")
    if request.verify and request.emit in ("graph", "loop"):
        raise RequestError(f"--verify runs machine code, and a {request.emit} has none")
    target = named_target(request.cpu)
    steps: StepGraph | None = None
    rates = sample_rates(load, network) if request.emit == "exe" else {}
    if request.entries is not None and STEP in request.entries:
        if len(request.entries) > 1:
            raise RequestError(f"the entry {STEP} has sizes of its own: compile it without others")
        network, steps = stepping(load, network)
    elif (
        request.emit == "exe"
    ):  # which reads the lengths itself; callers of a library only say the sizes of arrays
        network = bounded_network(load, network)
    if training:
        check_trainer(load, network, weights=weights is not None)
    entry = STEP if steps is not None else "predict"
    if request.writing is not None:
        network, graphs = writing_network(load, network, request.writing)
    else:
        entries = STEPS if training else (entry,) if request.emit == "exe" else request.entries
        graphs = entry_graphs(network, entries)
    if request.emit == "graph":
        limits = {"stop_after": request.stop_after, "max_rewrites": request.max_rewrites}
        texts = [print_graph(graph) for graph in run(graphs, describe(target), **limits).values()]
        return _written(path, "\n\n".join(texts) + "\n")
    made = build(network, graphs, target)
    program, manifest = made.lowered.program, made.lowered.manifest
    if request.verify:
        verified = made.verify()
        if request.verified is not None:
            request.verified(verified)
    match request.emit:
        case "exe" if training:
            save_trainer(load, network, made, weights, path, target)
            return [path]
        case "exe":
            assert weights is not None
            link_executable(
                program,
                manifest,
                _contents(made, weights),
                path,
                target,
                entry=entry,
                sample_rates=rates,
                stream=None if steps is None else listening(network, steps),
            )
            return [path]
        case "shared":
            header_path(path)
            contents = dict(made.lowered.constants) if weights is None else _contents(made, weights)
            return [path, link_shared(program, manifest, path, target, buffers=contents)]
        case "object":
            return _written(path, emit(program, "object", target, manifest))
        case "llvm" | "asm":
            return _written(path, emit(program, request.emit, target, manifest))
    return _written(path, program_text(program))


def _written(path: Path, data: str | bytes) -> list[Path]:
    write_file(path, data.encode() if isinstance(data, str) else data)
    return [path]


def _contents(made: Build, weights: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The constants, the weights, and the weights as `prepare` packs them. This works for programs for any CPU."""
    contents = {**made.lowered.constants}
    known = {buffer.name: buffer.role for buffer in made.lowered.manifest.buffers}
    contents |= {name: array for name, array in weights.items() if name in known}
    if any(entry.name == PREPARE for entry in made.lowered.manifest.entries):
        session = Session(Build(made.lowered, _runnable(made.target)).engine(), weights)
        session.prepare()
        contents |= session.packed
    return contents


def _runnable(target: Target) -> Target:
    """The host target in place of one for another CPU: what `prepare` packs does not depend on the CPU that runs it."""
    return target if target == host_target() else host_target()
