"""What of a model is to be written, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from netwright.compiler.codegen.targets.target import Target
from netwright.compiler.codegen.verification import Verified
from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.machine import Machine

from .writing import Compiled

Emit = Literal["exe", "shared", "static", "object", "weights", "llvm", "asm", "loop", "graph"]
KINDS: tuple[Emit, ...] = get_args(Emit)
#: The kinds with a C header.
LIBRARIES = ("shared", "static", "object")


@dataclass(frozen=True, slots=True)
class Request:
    """What to write: the kind, the CPU it is for, and the entries. An executable has one, by default `predict`; with
    `step` it takes steps on standard input, and with `train_step` it trains.

    A graph is written as it is after the pass or phase ``stop_after`` (default: the last) with at most ``max_rewrites``
    rewrites by passes (default: no limit).
    """

    emit: Emit = "exe"
    cpu: str | None = None
    """LLVM's name; None: this computer's CPU, or the least one of ``target``."""
    entries: tuple[str, ...] | None = None
    stop_after: str | None = None
    max_rewrites: int | None = None
    verify: bool = False
    """Whether to run the machine code of every kernel against the loop interpreter before anything is written."""
    verified: Callable[[Verified], None] | None = None
    """Called with the result of that run."""
    embed: bool = True
    """Whether a library holds the weights; otherwise they are written to a file beside it."""
    package: bool = False
    """Whether the path is a folder, which gets a library with files for pkg-config and CMake, as installed ones have
    it."""
    selftest_bytes: int = 4096
    """About how many bytes an executable has of the reference's results, for `--selftest`; 0: none, and no
    other means to check and time itself, which makes it smaller."""
    debug: bool = False
    """Whether kernels in executables, libraries and objects have debug information, and symbols are kept."""
    writing: Compiled | None = None
    """How `predict` writes texts, the only entry then; None: the entries are the network's own."""
    target: str | None = None
    """The system that it is for, as `netwright targets` lists them; None: this one, or what the CPU implies."""
    tuned: Callable[[Network, Mapping[str, Graph], Target], Machine] | None = None
    """Gives a target's machine with tuned plans for the graphs; None: all plans by cost."""
