"""Kernels that fill margins: the loops over cells that no other kernel stores to, and what of them is open."""

from __future__ import annotations

from typing import Any

import pytest

from netwright.compiler.graph.types import TensorType
from netwright.compiler.loop.text import function_text
from netwright.compiler.lowering.fills import fill_kernel
from netwright.compiler.lowering.places import Place, Storage
from netwright.compiler.lowering.program import ProgramBuilder
from netwright.compiler.ops.protocols import Margins
from netwright.specs.dims import Shape, dim

from ..machines import AVX512

N = dim("N")


def filled(shape: Shape, margins: Margins | None, opens: bool = False, dims: tuple[str, ...] = ("N",)) -> str:
    """The buffer and the loops of a kernel, and the values of dims that are its own."""
    program = ProgramBuilder("m", dict.fromkeys(dims, 1), AVX512)
    type = TensorType("float32", shape)
    place = Place(Storage("b", type, table=True), type)
    kernel, given = fill_kernel(program, place, 0.5, margins, opens=opens)
    buffer, *lines = function_text(kernel.function).splitlines()[1:]
    lines = [line.partition(" = ")[0][2:] for line in lines if line]
    own = [f"{name} is {value}" for name, value in (given or {}).items()]
    return "\n".join([buffer.partition("32")[2], *lines, *own])


MARGINS = """\
[N, 5, 21]
parallel for i in 0 .. N:
  for i_1 in 0 .. 1:
    for j in 0 .. 21 step 16:
      p0[i, i_1, j]{count -j + 21}
  for i_2 in 3 .. 5:
    for j_1 in 0 .. 21 step 16:
      p0[i, i_2, j_1]{count -j_1 + 21}
  for i_3 in 1 .. 3:
    for j_2 in 0 .. 6 step 16:
      p0[i, i_3, j_2]{count -j_2 + 6}"""
SIDES = """\
[4, 5]
parallel for i in 0 .. 4:
  for j in 0 .. 1 step 16:
    p0[i, j]{count -j + 1}
  for j_1 in 2 .. 5 step 16:
    p0[i, j_1]{count -j_1 + 5}"""
FIRST_ROWS = """\
[20]
parallel for j in 0 .. 5 step 16:
  p0[j]{count -j + 5}"""
ALL = """\
[12]
parallel for j in 0 .. 12 step 16:
  p0[j]{count -j + 12}"""
NOTHING_AROUND = """\
[12]
parallel for j in 0 .. 12 step 16:
  p0[j]{count -j + 12}"""
OPEN_BEHIND = """\
[3*N]
parallel for j in 0 .. 3*N step 16:
  p0[j]{count 3*N - j}"""
OPEN_AMOUNT = """\
[3*N + 12]
parallel for j in 0 .. 3*N + 12 step 16:
  p0[j]{count 3*N - j + 12}"""
OPEN_ROWS = """\
[4*N]
parallel for j in 0 .. 4*N step 16:
  p0[j]{count 4*N - j}"""
OF_OPEN_SIZES = """\
[N, size_0 + 3, size_1 + size_2]
parallel for i in 0 .. N:
  for i_1 in 0 .. 1:
    for j in 0 .. size_1 + size_2 step 16:
      p0[i, i_1, j]{count -j + size_1 + size_2}
  for i_2 in size_0 + 1 .. size_0 + 3:
    for j_1 in 0 .. size_1 + size_2 step 16:
      p0[i, i_2, j_1]{count -j_1 + size_1 + size_2}
  for i_3 in 1 .. size_0 + 1:
    for j_2 in 0 .. size_2 step 16:
      p0[i, i_3, j_2]{count -j_2 + size_2}
size_0 is 2
size_1 is 15
size_2 is 6"""
EQUAL_SIDES = """\
[N, size_2 + 3, size_3 + 2*size_4]
parallel for i in 0 .. N:
  for i_1 in 0 .. 1:
    for j in 0 .. size_3 + 2*size_4 step 16:
      p0[i, i_1, j]{count -j + size_3 + 2*size_4}
  for i_2 in size_2 + 1 .. size_2 + 3:
    for j_1 in 0 .. size_3 + 2*size_4 step 16:
      p0[i, i_2, j_1]{count -j_1 + size_3 + 2*size_4}
  for i_3 in 1 .. size_2 + 1:
    for j_2 in 0 .. size_4 step 16:
      p0[i, i_3, j_2]{count -j_2 + size_4}
    for j_3 in size_3 + size_4 .. size_3 + 2*size_4 step 16:
      p0[i, i_3, j_3]{count -j_3 + size_3 + 2*size_4}
size_2 is 2
size_3 is 2
size_4 is 2"""
FULL = """\
[4, size_0]
parallel for i in 0 .. 4:
  for j in 0 .. size_0 step 16:
    p0[i, j]{count -j + size_0}
size_0 is 5"""


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (((N, 5, 7, 3), ((0, 0), (1, 2), (2, 0), (0, 0))), MARGINS),
        (((4, 5), ((0, 0), (1, 3))), SIDES),
        (((4, 5), ((1, 0), (0, 0))), FIRST_ROWS),
        (((3, 4), None), ALL),
        (((3, 4), ((0, 0), (0, 0))), NOTHING_AROUND),
        (((3, N), ((1, 1), (0, 0))), OPEN_BEHIND),
        (((3, N + 4), ((0, 0), (N, 0))), OPEN_AMOUNT),
        (((N, 4), ((1, 0), (0, 0))), OPEN_ROWS),
        (((N, 5, 7, 3), ((0, 0), (1, 2), (2, 0), (0, 0)), True), OF_OPEN_SIZES),
        (((N, 5, 6), ((0, 0), (1, 2), (2, 2)), True, ("N", "size_0", "size_1")), EQUAL_SIDES),
        (((4, 5), ((0, 0), (5, 0)), True), FULL),
    ],
)
def test_margins(what: tuple[Any, ...], expected: str) -> None:
    assert filled(*what) == expected
