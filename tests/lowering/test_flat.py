"""Which groups forget their shape: cases that differ in the step of random words alone, whose kernels are long."""

from __future__ import annotations

import pytest

from netwright.compiler.graph.parse import parse_graph

from .engines import lowered

GRAPH = """
graph "g" {{
  %0 = input() {{name="x", role="input"}} : int64[{shape}]
  {step}
  %2 = random_bits(%1) {{key=(1, 2), shape=(5, 9)}} : uint32[5, 9]
  %3 = copy(%2) : uint32[5, 9]
  return "y"=%3, "x"=%0
}}
"""


@pytest.mark.parametrize(
    ("shape", "step", "stored"),
    [
        ("", '%1 = constant() {dtype="int64", shape=(), value=3} : int64[]', (45,)),
        ("2, 2", '%1 = reduce(%0) {op="sum", axes=(0, 1)} : int64[]', (45,)),
        ("1", "%1 = reshape(%0) {shape=()} : int64[]", (5, 9)),
    ],
    ids=["a constant", "a value in memory", "a view"],
)
def test_random_words(shape: str, step: str, stored: tuple[int, ...]) -> None:
    program, _ = lowered(parse_graph(GRAPH.format(shape=shape, step=step)))
    (kernel,) = [
        kernel
        for kernel in program.kernels.values()
        if any(buffer.dtype == "uint32" for buffer in kernel.buffers)
    ]
    assert kernel.buffers[-1].shape == stored
