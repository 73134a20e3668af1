"""The kernels, calls and buffers that small networks become, as text that a reviewer can read."""

from __future__ import annotations

import re

import pytest

from netwright.compiler.driver import lower
from netwright.compiler.loop.text.printing import program_text

from ..conftest import Golden
from ..engines.harness import network_of
from ..machines import MACHINES
from .networks import CASES

RUNS = [(name, machine) for name, (_, _, machines) in CASES.items() for machine in machines]


@pytest.mark.parametrize(("name", "machine"), RUNS, ids=lambda value: str(value))
def test_kernels(name: str, machine: str, golden: Golden) -> None:
    spec, entry, _ = CASES[name]
    network = network_of(spec)
    lowered = lower(
        network.model,
        {entry: network.graphs[entry]},
        list(network.dims.values()),
        version="golden",
        target="golden",
        machine=MACHINES[machine],
        math=network.math,
    )
    golden.check(f"{name}.{machine}.txt", _numbered(program_text(lowered.program)))


def _numbered(text: str) -> str:
    """Kernels by number instead of by content: else a change in one would be a change wherever it is called."""
    names = dict.fromkeys(re.findall(r"^kernel (k[0-9a-f]{16})", text, re.MULTILINE))
    for number, name in enumerate(names):
        text = text.replace(name, f"k{number}")
    return text
