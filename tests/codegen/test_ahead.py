"""Kernels that are compiled while others are lowered are the same code, and their errors are told."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pytest

import netwright
from netwright.build import build, entry_graphs
from netwright.compiler.codegen.jit import NativeProgram, compile_jit
from netwright.compiler.codegen.objects import ahead
from netwright.compiler.codegen.objects.ahead import compiled_ahead, idle_processors, short_turns
from netwright.compiler.codegen.objects.compile import CompileError
from netwright.compiler.codegen.targets.target import host_target

SPEC: dict[str, Any] = {
    "netwright": 1,
    "model": "small",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 4, 4, 3]}},
    "layers": [
        {"name": "c", "type": "conv2d", "filters": 5, "kernel_size": 3, "activation": "tanh"},
        {"name": "f", "type": "flatten"},
        {"name": "y", "type": "dense", "units": 3},
    ],
    "outputs": {"y": "y"},
}


@pytest.fixture(autouse=True)
def _idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_CACHE_DIR", "")
    monkeypatch.setattr(ahead, "idle_processors", lambda: 2.0)


def test_the_code_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network = netwright.load(SPEC).network
    graphs = entry_graphs(network, ["predict"])
    objects: list[Sequence[bytes]] = []
    given: list[set[str]] = []

    def noted(*arguments: Any, **options: Any) -> NativeProgram:
        program = compile_jit(*arguments, **options)
        objects.append(program.objects)
        given.append(set(options["ahead"].texts if options["ahead"] else ()))
        return program

    monkeypatch.setattr("netwright.build.compile_jit", noted)
    made = build(network, graphs, host_target())
    made.engine(threads=1)
    assert given.pop() == set(made.lowered.program.kernels)
    monkeypatch.setattr(ahead, "idle_processors", lambda: 0.5)
    build(network, graphs, host_target()).engine(threads=1)
    assert given == [set()]
    assert objects[0] == objects[1]


def test_what_llvm_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> bytes:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(ahead, "compile_object", refused)
    with pytest.raises(CompileError, match=r"kernel k\w+ \(layers?.*no such instruction"):
        netwright.load(SPEC).compile(threads=1)
    assert sys.getswitchinterval() > ahead.TURN


def test_turns_are_short_while_any_is_open() -> None:
    before = sys.getswitchinterval()
    first, second = short_turns(), short_turns()
    with first:
        with second:
            assert sys.getswitchinterval() == pytest.approx(ahead.TURN)
        assert sys.getswitchinterval() == pytest.approx(ahead.TURN)
    assert sys.getswitchinterval() == before


def test_a_busy_computer_gets_no_second_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "idle_processors", idle_processors)
    monkeypatch.setattr(ahead.os, "getloadavg", lambda: (64.0, 64.0, 64.0), raising=False)
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 2)
    with compiled_ahead(host_target()) as made:
        assert made is None
