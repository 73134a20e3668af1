"""Axes of which a function touches one index only."""

from __future__ import annotations

from netwright.compiler.loop.leading import fixed_indices, without_leading
from netwright.compiler.loop.text.parsing import parse_function
from netwright.compiler.loop.text.printing import function_text

BEFORE = """\
kernel k(N >= 1)
  read x: float32[20, 3, N, 8]
  readwrite y: float32[20, N, 8]
  write z: float32[20, N, 8]
  read w: float32[4]
  local readwrite s: float32[2, 8]
  parallel for i in 0 .. N:
    s[1, 0] = x[9, 2, i, 0]{8}
    if i - 1 >= 0:
      y[10, i, 0] = add(add(y[10, i - 1, 0]{8}, s[1, 0]{8}), broadcast<8>(w[3]))
    for t in 0 .. 20:
      prefetch x[9, 2, i + 1, 8*t]
      z[t, i, 0] = x[9, 2, i, 0]{8}
"""

AFTER = """\
kernel k(N >= 1)
  read x: float32[N, 8]
  readwrite y: float32[N, 8]
  write z: float32[20, N, 8]
  read w: float32[4]
  local readwrite s: float32[2, 8]
  parallel for i in 0 .. N:
    s[1, 0] = x[i, 0]{8}
    if i - 1 >= 0:
      y[i, 0] = add(add(y[i - 1, 0]{8}, s[1, 0]{8}), broadcast<8>(w[3]))
    for t in 0 .. 20:
      prefetch x[i + 1, 8*t]
      z[t, i, 0] = x[i, 0]{8}
"""


def test_constants_that_all_accesses_begin_with_are_left_out() -> None:
    function = parse_function(BEFORE)
    fixed = fixed_indices(function)
    assert fixed == {"x": (9, 2), "y": (10,), "z": (), "w": (), "s": ()}
    shorter = without_leading(function, {name: len(indices) for name, indices in fixed.items()})
    assert function_text(shorter) == AFTER


def test_an_access_at_another_index_keeps_the_axis() -> None:
    function = parse_function(BEFORE.replace("y[10, i - 1, 0]", "y[9, i - 1, 0]"))
    assert fixed_indices(function)["y"] == ()
    same = without_leading(function, dict.fromkeys(fixed_indices(function), 0))
    assert same is function
