"""Kernels that fill margins: the loops over cells that no other kernel stores to, and what of them is open."""

from __future__ import annotations

from typing import Any

import pytest

from netwright.compiler.graph.types import TensorType
from netwright.compiler.loop.text.printing import function_text
from netwright.compiler.lowering.fills import fill_kernel
from netwright.compiler.lowering.program import ProgramBuilder
from netwright.compiler.lowering.reading.places import Place, Storage
from netwright.compiler.ops.protocols import Margins
from netwright.specs.dims import Shape, dim

from ..machines import AVX512

N = dim("N")


def filled(shape: Shape, margins: Margins | None, opens: bool = False, dims: tuple[str, ...] = ("N",)) -> str:
    """The buffer and the loops of a kernel, with the lanes of what it stores, and the values of its own dims."""
    program = ProgramBuilder("m", dict.fromkeys(dims, 1), AVX512)
    type = TensorType("float32", shape)
    place = Place(Storage("b", type, table=True), type)
    kernel, given = fill_kernel(program, place, 0.5, margins, opens=opens)
    buffer, *lines = function_text(kernel.function).splitlines()[1:]
    lines = [line[2:].replace(" = 0.5:float32", " ").rstrip() for line in lines if line]
    own = [f"{name} is {value}" for name, value in (given or {}).items()]
    return "\n".join([buffer.partition("32")[2], *lines, *own])


MARGINS = """\
[N, 5, 21]
parallel for i in 0 .. N:
  for i_1 in 0 .. 1:
    for j in 0 .. 16 step 16:
      p0[i, i_1, j] x16
    p0[i, i_1, 16] x4
    p0[i, i_1, 20]
  for i_2 in 3 .. 5:
    for j_1 in 0 .. 16 step 16:
      p0[i, i_2, j_1] x16
    p0[i, i_2, 16] x4
    p0[i, i_2, 20]
  for i_3 in 1 .. 3:
    p0[i, i_3, 0] x4
    p0[i, i_3, 4] x2"""
SIDES = """\
[4, 5]
parallel for i in 0 .. 4:
  p0[i, 0]
  p0[i, 2] x2
  p0[i, 4]"""
FIRST_ROWS = """\
[20]
parallel for j in 0 .. 5 step 16:
  if -j - 11 >= 0:
    p0[j] x16
  else:
    p0[j]{count -j + 5} x16"""
ALL = """\
[12]
parallel for j in 0 .. 12 step 16:
  if -j - 4 >= 0:
    p0[j] x16
  else:
    p0[j]{count -j + 12} x16"""
NOTHING_AROUND = """\
[12]
parallel for j in 0 .. 12 step 16:
  if -j - 4 >= 0:
    p0[j] x16
  else:
    p0[j]{count -j + 12} x16"""
OPEN_BEHIND = """\
[3*N]
parallel for j in 0 .. 3*N step 16:
  if 3*N - j - 16 >= 0:
    p0[j] x16
  else:
    p0[j]{count 3*N - j} x16"""
OPEN_AMOUNT = """\
[3*N + 12]
parallel for j in 0 .. 3*N + 12 step 16:
  if 3*N - j - 4 >= 0:
    p0[j] x16
  else:
    p0[j]{count 3*N - j + 12} x16"""
OPEN_ROWS = """\
[4*N]
parallel for j in 0 .. 4*N step 16:
  if 4*N - j - 16 >= 0:
    p0[j] x16
  else:
    p0[j]{count 4*N - j} x16"""
OF_OPEN_SIZES = """\
[N, size_0 + 3, 21]
parallel for i in 0 .. N:
  for i_1 in 0 .. 1:
    for j in 0 .. 16 step 16:
      p0[i, i_1, j] x16
    p0[i, i_1, 16] x4
    p0[i, i_1, 20]
  for i_2 in size_0 + 1 .. size_0 + 3:
    for j_1 in 0 .. 16 step 16:
      p0[i, i_2, j_1] x16
    p0[i, i_2, 16] x4
    p0[i, i_2, 20]
  for i_3 in 1 .. size_0 + 1:
    p0[i, i_3, 0] x4
    p0[i, i_3, 4] x2
size_0 is 2"""
EQUAL_SIDES = """\
[N, size_2 + 3, 16*size_3 + 32*size_4]
parallel for i in 0 .. N:
  for i_1 in 0 .. 1:
    for j in 0 .. 16*size_3 + 32*size_4 step 16:
      p0[i, i_1, j] x16
  for i_2 in size_2 + 1 .. size_2 + 3:
    for j_1 in 0 .. 16*size_3 + 32*size_4 step 16:
      p0[i, i_2, j_1] x16
  for i_3 in 1 .. size_2 + 1:
    for j_2 in 0 .. 16*size_4 step 16:
      p0[i, i_3, j_2] x16
    for j_3 in 16*size_3 + 16*size_4 .. 16*size_3 + 32*size_4 step 16:
      p0[i, i_3, j_3] x16
size_2 is 2
size_3 is 2
size_4 is 2"""
FULL = """\
[4, 5]
parallel for i in 0 .. 4:
  p0[i, 0] x4
  p0[i, 4]"""
OF_WHOLE_VECTORS = """\
[N, size_0 + 1, 16*size_1 + 16*size_2 + 16*size_3 + 16]
parallel for i in 0 .. N:
  for i_1 in 0 .. 1:
    for j in 0 .. 16*size_1 + 16*size_2 + 16*size_3 + 16 step 16:
      p0[i, i_1, j] x16
  for i_2 in 1 .. size_0 + 1:
    for j_1 in 0 .. 16*size_2 step 16:
      p0[i, i_2, j_1] x16
    for j_2 in 16*size_1 + 16*size_2 + 8 .. 16*size_1 + 16*size_2 + 16*size_3 + 8 step 16:
      p0[i, i_2, j_2] x16
    p0[i, i_2, 16*size_1 + 16*size_2 + 16*size_3 + 8] x8
size_0 is 5
size_1 is 2
size_2 is 1
size_3 is 1"""


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
        (((N, 5, 96), ((0, 0), (1, 2), (32, 32)), True, ("N", "size_0", "size_1")), EQUAL_SIDES),
        (((4, 5), ((0, 0), (5, 0)), True), FULL),
        (((N, 6, 80), ((0, 0), (1, 0), (16, 24)), True), OF_WHOLE_VECTORS),
    ],
)
def test_margins(what: tuple[Any, ...], expected: str) -> None:
    assert filled(*what) == expected
