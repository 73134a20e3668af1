"""`netwright machine`: what is said of a CPU, and what is measured of this one."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest
from click.testing import CliRunner

from netwright.cli.machine import command
from netwright.compiler.codegen.speed import measure_speed, multiply_add_kernel, read_kernel
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import TargetError, host_target
from netwright.compiler.loop.checks.verify import verify_function
from netwright.compiler.loop.interpreter.run import run_function
from netwright.compiler.machine import Machine

from ..machines import MACHINES


def said(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize(("cpu", "lanes"), [("haswell", 8), ("x86-64-v4", 16), ("cortex-a72", 4)])
def test_another_cpu(cpu: str, lanes: int) -> None:
    text = said("--cpu", cpu)
    assert f": {lanes} float32 or {lanes // 2} float64" in text
    assert "assumed" in text
    assert "GB/s" not in text
    facts = json.loads(said("--cpu", cpu, "--format", "json"))
    assert facts["cpu"] == cpu
    assert facts["vector_bytes"] == 4 * lanes
    assert facts["measured"] is None
    assert facts.keys() >= {field.name for field in fields(Machine)}


def test_an_unknown_cpu() -> None:
    with pytest.raises(TargetError, match="did you mean znver4"):
        CliRunner().invoke(command, ["--cpu", "zen4"], catch_exceptions=False)


def test_this_computer() -> None:
    facts = json.loads(said("--format", "json"))
    assert facts["triple"] == host_target().triple
    measured = facts["measured"]
    flops, read = measured["flops_per_second"], measured["bytes_per_second"]
    # Halves of a vector's lanes; caches are faster than memory, unless somebody else uses all of a cache.
    assert 1.5 < flops["float32"] / flops["float64"] < 2.7
    assert 5e8 < flops["float32"] < 1e13
    assert 1e8 < read["memory"] < 1.2 * max(read["l1"], read["l2"]) < 1e14


def test_speed_is_of_vectors() -> None:
    """At least two operations per lane and nanosecond: one multiply-add per cycle of a slow clock."""
    machine = describe(host_target())
    assert measure_speed().flops_per_second["float32"] > 2e9 * machine.lanes("float32") / 2


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_the_kernels_compute_what_is_counted(machine: Machine) -> None:
    for kernel in (multiply_add_kernel(machine, "float64"), read_kernel(machine)):
        verify_function(kernel)
    lanes = machine.lanes("float32")
    data = np.ones((3, machine.partial_sums * lanes), np.float32)
    out = np.zeros(lanes, np.float32)
    assert run_function(read_kernel(machine), {"data": data, "out": out}, {"N": 3, "R": 2}) == 0
    assert out.sum() == 2 * data.size
