"""A kernel in which lanes run along another axis than in memory gives way to another tiling if it cannot be proved.

No network is known whose kernels the verifier cannot prove then: here it refuses all that it is asked about.
"""

from __future__ import annotations

import pytest

from netwright.compiler.graph.parse import parse_graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.loop import ir
from netwright.compiler.loop.typing import VerifyError
from netwright.compiler.lowering.kernels import fused

from .engines import lowered

COLUMN = """
graph "g" {{
  %0 = input() {{name="x", role="input"}} : float64[{size}, 3]
  %1 = slice(%0) {{start=(0, 1), limit=({size}, 2), stride=(1, 1)}} : float64[{size}, 1]
  %2 = reshape(%1) {{shape=({size},)}} : float64[{size}]
  %3 = neg(%2) : float64[{size}]
  return "y"=%3
}}
"""
ALL = """
graph "g" {
  %0 = input() {name="x", role="input"} : float64[N]
  %1 = neg(%0) : float64[N]
  return "y"=%1
}
"""


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        (COLUMN.format(size="N"), ["float64[N, 3]", "float64[N]"]),  # else [3*N]
        (COLUMN.format(size="16"), ["float64[48]", "float64[16]"]),  # of numbers there is nothing to prove
        (ALL, ["float64[N]", "float64[N]"]),
    ],
    ids=["open", "closed", "along memory"],
)
def test_refused(monkeypatch: pytest.MonkeyPatch, text: str, shapes: list[str]) -> None:
    asked: list[str] = []

    def refuse(function: ir.Function) -> None:
        asked.append(function.name)
        raise VerifyError("refused")

    monkeypatch.setattr(fused, "verify_function", refuse)
    (kernel,) = lowered(parse_graph(text))[0].kernels.values()
    assert [f"{TensorType(buffer.dtype, buffer.shape)}" for buffer in kernel.buffers] == shapes
    assert bool(asked) == (text == COLUMN.format(size="N"))
