"""Tiles leave room for what they multiply: no loop of a contraction keeps a vector on the stack."""

from __future__ import annotations

import re

import pytest

from netwright.build import build
from netwright.compiler.codegen.files.aot import emit
from netwright.compiler.codegen.objects.compile import LEVEL
from netwright.compiler.codegen.targets.target import named_target

from ..codegen.test_statements import gemm_kernel
from ..slices import sliced
from .counting import NONE, Spills, assembly_of, count
from .networks import lenet, lstm, resnet8
from .table import CPUS, kernels

LINUX = "x86_64-unknown-linux-gnu"


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("network", [lenet, lstm], ids=lambda made: made.__name__)
def test_no_reduction_spills_where_networks_predict(network: type, cpu: str) -> None:
    assert [found for found in kernels(network(), "predict", cpu) if found[1].reduction] == []


@pytest.mark.parametrize("cpu", sliced(["haswell", "x86-64-v2"], lambda cpu: cpu == "haswell"))
def test_no_reduction_spills_where_networks_are_trained(cpu: str) -> None:
    assert [found for found in kernels(lenet(), "train_step", cpu) if found[1].reduction] == []


@pytest.mark.parametrize("entry", ["predict", "train_step"])
def test_no_reduction_spills_in_a_process(entry: str) -> None:
    assert [found for found in kernels(lenet(), entry, "haswell", LEVEL) if found[1].reduction] == []


def test_residual_blocks() -> None:
    """Two contractions in a kernel share the registers."""
    assert [found for found in kernels(resnet8(), "predict", "cortex-a72") if found[1].reduction] == []


@pytest.mark.parametrize("cpu", ["haswell", "cortex-a72", "x86-64-v2"])
def test_spills_are_seen(cpu: str) -> None:
    target = named_target(cpu)
    assert count(assembly_of(gemm_kernel(12, 4), target), target).reduction > 20
    assert Spills(1, 2, 4) + NONE == Spills(1, 2, 4)


def test_small_tiles_spill_nothing() -> None:
    target = named_target("haswell", LINUX)
    assert count(assembly_of(gemm_kernel(2, 1), target), target) == NONE


def test_assembly_of_lenet() -> None:
    """What `grep -E '[xyz]mm' | grep -c '(%rsp'` counts in what `compile --emit asm --cpu haswell` writes."""
    network, target = lenet(), named_target("haswell", LINUX)
    program = build(network, {"predict": network.graphs["predict"]}, target).lowered.program
    lines = emit(program, "asm", target).splitlines()
    assert sum("%ymm" in line for line in lines) > 500
    assert sum("(%rsp" in line and re.search("[xyz]mm", line) is not None for line in lines) <= 60
