"""What the buffers of a compiled program hold."""

from __future__ import annotations

from collections.abc import Mapping

from numpy.typing import NDArray

from netwright.compiler.codegen.targets.target import Target, host_target
from netwright.runtime.sessions.session import Session
from netwright.specs.manifest import PREPARE

from ..build import Build


def contents_of(made: Build, weights: Mapping[str, NDArray]) -> dict[str, NDArray]:
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
