"""The systems that Netwright is compared with. Each is optional: one that is not installed is left out, with a line
that says how to install it.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from ..cases import Kind
from ..problem import Arrays, Problem


class UnknownName(Exception):
    """A name on the command line that means nothing; the message says which are known."""


class Unsupported(Exception):
    """A peer cannot run a case; the message says why."""


@dataclass(frozen=True)
class Runner:
    """A peer's call. ``answers`` are the outputs of a call in our layout; of a training step, `run` returns the loss
    from before the update instead."""

    run: Callable[[], object]
    answers: Callable[[], Arrays] | None = None


@dataclass(frozen=True)
class Peer:
    """A peer by its name in tables: the module of ours that drives it, the packages it needs, and what it can do."""

    name: str
    driver: str
    requires: tuple[str, ...]
    kinds: frozenset[Kind]
    title: str = ""

    @property
    def missing(self) -> str:
        """The line that says what to install; empty for a peer that is there."""
        absent = [name for name in self.requires if importlib.util.find_spec(name) is None]
        return f"{self.name} is left out: pip install {' '.join(absent)}" if absent else ""

    @property
    def version(self) -> str:
        """The version of its package."""
        try:
            return version(self.requires[0])
        except PackageNotFoundError:
            return "unknown"

    def runner(self, problem: Problem, threads: int) -> Runner:
        """The peer's call for a case. Raises Unsupported."""
        return driver(self).runner(problem, threads, self.name)


def driver(peer: Peer) -> ModuleType:
    """The module of ours that drives a peer."""
    return importlib.import_module(f"{__name__}.{peer.driver}")


def _kinds(*kinds: Kind) -> frozenset[Kind]:
    return frozenset(kinds)


PEERS = (
    Peer("onnxruntime", "onnx_runtime", ("onnxruntime", "onnx"), _kinds("inference", "step"), "ONNX Runtime"),
    Peer("openvino", "openvino_cpu", ("openvino", "onnx"), _kinds("inference", "step"), "OpenVINO"),
    Peer("torch", "pytorch", ("torch",), _kinds("inference", "step", "training"), "PyTorch"),
    Peer("torch.compile", "pytorch", ("torch",), _kinds("inference", "training"), "torch.compile"),
    Peer("jax", "jax_xla", ("jax",), _kinds("inference", "training"), "JAX"),
    Peer("ncnn", "ncnn_cpu", ("ncnn", "pnnx"), _kinds("inference"), "ncnn"),
)


def chosen(kind: Kind, names: Sequence[str]) -> tuple[list[Peer], list[str]]:
    """The peers of these names (all where there is none) that are installed and can do this, and a line for each that
    is not installed. Raises UnknownName."""
    known = {peer.name: peer for peer in PEERS}
    if unknown := [name for name in names if name not in known]:
        raise UnknownName(f"there is no peer {', '.join(unknown)}: {', '.join(known)}")
    asked = [known[name] for name in names] if names else [peer for peer in PEERS if kind in peer.kinds]
    return [peer for peer in asked if not peer.missing], [peer.missing for peer in asked if peer.missing]
