"""Code for microcontrollers is small: loops count in one register, and nothing is planned that is known."""

from __future__ import annotations

import re

import netwright
from netwright.artifacts.files import entry_graphs
from netwright.build import build
from netwright.compiler.codegen.files.aot import emit
from netwright.compiler.codegen.files.platforms import chosen_target

SPEC = {
    "netwright": 1,
    "model": "small",
    "inputs": {"x": {"shape": [1, 12, 12, 1]}},
    "layers": [
        {"name": "conv", "type": "conv2d", "filters": 4, "kernel_size": 3, "activation": "relu"},
        {"name": "pool", "type": "max_pool2d", "pool_size": 2},
        {"name": "flat", "type": "flatten"},
        {"name": "y", "type": "dense", "units": 3},
    ],
    "outputs": {"y": "y"},
}


def test_loops_count_in_one_register_and_memory_is_planned() -> None:
    target = chosen_target("thumbv7em-none-eabi", None)
    network = netwright.load(SPEC).network
    program = build(network, entry_graphs(network, ("predict",)), target).lowered.program
    assembly = emit(program, "asm", target)
    assert "vfma.f32" in assembly
    # With 64 bits, each step of a loop would add and compare two halves.
    assert not re.search(r"\b(adc|sbc)s?(\.w)?\s", assembly)
    assert "netwright.plan" not in assembly
    # A NaN of either operand of the pool's maximum takes one comparison, whose flags say that there is one.
    assert re.search(r"\bvmov(vs|vc)\.f32", assembly)
