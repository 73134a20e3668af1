"""A network that several tests of a process compile is lowered and compiled once: for tests of what programs do.

Each program still has an engine, weights and buffers of its own. What lowering makes of a network follows from its
graphs and the target, and tests of the compiler see to that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from netwright.compiler.codegen.jit import NativeProgram, compile_jit
from netwright.compiler.codegen.speed import Speed, measure_speed
from netwright.compiler.driver import Lowered, lower
from netwright.compiler.graph.graph import Graph

#: So many networks are kept; the one that was asked for longest ago goes.
MOST = 64

_lowered: OrderedDict[str, Lowered] = OrderedDict()
_compiled: dict[str, NativeProgram] = {}


@cache
def speed() -> Speed:
    """How fast this computer is: measured once, which takes a second."""
    return measure_speed()


@contextmanager
def built_once() -> Iterator[None]:
    """As long as it is open, programs of the Python API are made from what is kept, and commands measure this computer
    once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netwright.build.lower", _lower)
        patch.setattr("netwright.build.compile_jit", _compile)
        patch.setattr("netwright.build.program_cache", lambda: None)
        for command in ("explain", "machine", "profile"):
            patch.setattr(f"netwright.cli.{command}.measure_speed", speed)
        yield


def _lower(model: str, graphs: Mapping[str, Graph], dims: Sequence[Any], **options: Any) -> Lowered:
    if options.get("observer") is not None:  # which sees the lowering
        return lower(model, graphs, dims, **options)
    ready = options.pop("ready", None)
    key = repr((model, {name: str(graph) for name, graph in graphs.items()}, dims, options))
    if key not in _lowered:
        _lowered[key] = lower(model, graphs, dims, ready=ready, **options)
        if len(_lowered) > MOST:
            _compiled.pop(_lowered.popitem(last=False)[0], None)
    _lowered.move_to_end(key)
    return _lowered[key]


def _compile(program: Any, *options: Any, **more: Any) -> NativeProgram:
    key = next((key for key, kept in _lowered.items() if kept.program is program), None)
    if key is None or options[1:] or more.get("watch"):
        return compile_jit(program, *options, **more)
    if key not in _compiled:
        _compiled[key] = compile_jit(program, *options, **more)
    return _compiled[key]
