"""Windows over windows of an open width: sizes rounded inside each other, in which every access has to be proved."""

from __future__ import annotations

from pathlib import Path

import pytest

import netwright
from netwright.compiler.driver import lower
from netwright.compiler.machine import Machine

from ..machines import MACHINES

SPEC = """
netwright: 1
model: widths
dims: {{W: {{min: 40}}}}
inputs: {{x: {{shape: [1, 64, W, 8]}}}}
layers:
  - {{name: first, type: conv2d, filters: 24, kernel_size: {0}, stride: {1}, padding: [[1, 1], [1, 1]]}}
  - {{name: second, type: conv2d, filters: 96, kernel_size: {2}, stride: {3}, padding: [[1, 1], [1, 1]]}}
  - {{name: pooled, type: max_pool2d, pool_size: 2, stride: 2, padding: [[0, 1], [0, 1]]}}
outputs: {{second: second, pooled: pooled}}
"""


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("windows", [(3, 2, 3, 2), (3, 2, 2, 3), (5, 3, 3, 2)], ids=str)
def test_every_access_is_proved(tmp_path: Path, windows: tuple[int, ...], machine: Machine) -> None:
    path = tmp_path / "widths.yaml"
    path.write_text(SPEC.format(*windows))
    network = netwright.load(path).network
    lowered = lower(
        network.model, network.graphs, list(network.dims.values()), version="", target="", machine=machine
    )
    assert any("W" in {name for name, _ in kernel.dims} for kernel in lowered.program.kernels.values())
