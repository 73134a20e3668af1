"""Which kernels compute every row in the same way, whichever tile it is in; what changes that."""

from __future__ import annotations

import pytest

from netwright.compiler.loop.checks.alike import rows_are_alike
from netwright.compiler.loop.checks.verify import verify_function
from netwright.compiler.loop.text.parsing import parse_function

PRODUCT = """kernel product(N >= 1)
  read x: float32[N, 8]
  read w: float32[3, 8, 8]
  write y: float32[N, 24]
  for j in 0 .. 3:
    parallel for i in 0 .. 3*max(0, N - 2*((N + 2)//3)) step 3:
      let acc = 0.0:float32x8
      let acc_1 = 0.0:float32x8
      let acc_2 = 0.0:float32x8
      for k in 0 .. 8:
        let v = w[j, k, 0]{8}
        acc = fma(broadcast<8>(x[i, k]), v, acc)
        acc_1 = fma(broadcast<8>(x[i + 1, k]), v, acc_1)
        acc_2 = fma(broadcast<8>(x[i + 2, k]), v, acc_2)
        prefetch w[j + 1, k + i, 0]
      y[i, 8*j] = acc
      y[i + 1, 8*j] = acc_1
      y[i + 2, 8*j] = acc_2
    parallel for i_1 in 3*max(0, N - 2*((N + 2)//3)) .. N step 2:
      if N - i_1 - 2 >= 0:
        let acc_3 = 0.0:float32x8
        let acc_4 = 0.0:float32x8
        for k_1 in 0 .. 8:
          let v_1 = w[j, k_1, 0]{8}
          acc_3 = fma(broadcast<8>(x[i_1, k_1]), v_1, acc_3)
          acc_4 = fma(broadcast<8>(x[i_1 + 1, k_1]), v_1, acc_4)
        y[i_1, 8*j] = acc_3
        y[i_1 + 1, 8*j] = acc_4
      else:
        if -N + 1 >= 0:
          y[i_1, 8*j] = x[i_1, 0]{8}
        else:
          for i_2 in i_1 .. N:
            let acc_5 = 0.0:float32x8
            for k_2 in 0 .. 8:
              acc_5 = fma(broadcast<8>(x[i_2, k_2]), w[j, k_2, 0]{8}, acc_5)
            y[i_2, 8*j] = acc_5
"""
NESTED = """kernel nested(N >= 1, C >= 1)
  read x: float32[N, 4, 5, C]
  read b: float32[4]
  write y: float32[N, 4]
  write z: float32[N, 4]
  parallel for i in 0 .. N step 2:
    if N - i - 2 >= 0:
      for j in 0 .. 4:
        let sum = b[j]
        let sum_1 = b[j]
        for k in 0 .. 5:
          for c in 0 .. C:
            sum = add(sum, x[i, j, k, c])
            sum_1 = add(sum_1, x[i + 1, j, k, c])
        y[i, j] = sum
        y[i + 1, j] = sum_1
        if j - 2 >= 0:
          z[i, j] = 0.0:float32
          z[i + 1, j] = 0.0:float32
        else:
          z[i, j] = index(j):float32
          z[i + 1, j] = index(j):float32
    else:
      for i_1 in i .. N:
        for j_1 in 0 .. 4:
          let sum_2 = b[j_1]
          for k_1 in 0 .. 5:
            for c_1 in 0 .. C:
              sum_2 = add(sum_2, x[i_1, j_1, k_1, c_1])
          y[i_1, j_1] = sum_2
          if j_1 - 2 >= 0:
            z[i_1, j_1] = 0.0:float32
          else:
            z[i_1, j_1] = index(j_1):float32
"""
MASKED = """kernel masked(N >= 1)
  read x: float32[N, 5]
  write y: float32[N, 5]
  parallel for i in 0 .. N step 2:
    if N - i - 2 >= 0:
      y[i, 0]{count 5} = neg(x[i, 0]{8, count 5, else 1.0})
      y[i + 1, 0]{count 5} = neg(x[i + 1, 0]{8, count 5, else 1.0})
    else:
      y[i, 0]{count 5} = neg(x[i, 0]{8, count 5, else 1.0})
"""


@pytest.mark.parametrize("text", [PRODUCT, NESTED, MASKED])
def test_alike(text: str) -> None:
    kernel = parse_function(text)
    verify_function(kernel)
    assert rows_are_alike(kernel, "N", 2)


def test_fewer_rows_may_be_others() -> None:
    assert not rows_are_alike(parse_function(PRODUCT), "N", 1)
    other = PRODUCT.replace("-N + 1 >= 0", "-N + 2 >= 0")
    assert not rows_are_alike(parse_function(other), "N", 2)
    assert rows_are_alike(parse_function(other), "N", 3)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (PRODUCT, "let acc_4 = 0.0:", "let acc_4 = -0.0:"),
        (PRODUCT, "for k in 0 .. 8:", "for k in 0 .. 7:"),  # all tiles of the second loop are alike
        (PRODUCT, "k_1 in 0 .. 8:", "k_1 in 0 .. 7:"),
        (PRODUCT, "k_2 in 0 .. 8:", "k_2 in 1 .. 8:"),
        (PRODUCT, "k_2 in 0 .. 8:", "k_2 in 0 .. 8 step 2:"),
        (PRODUCT, "acc_4 = fma(broadcast<8>(x[i_1 + 1, k_1]), v_1, acc_4)",
         "acc_4 = add(mul(broadcast<8>(x[i_1 + 1, k_1]), v_1), acc_4)"),
        (PRODUCT, "x[i_1 + 1, k_1]), v_1, acc_4)", "x[i_1 + 1, k_1]), v_1, acc_3)"),  # another row's sum
        (PRODUCT, "x[i_1 + 1, k_1]", "x[i_1, k_1]"),  # another row
        (PRODUCT, "x[i + 1, k]", "x[i + 1, 7 - k]"),
        (PRODUCT, "x[i + 1, k]", "x[k, i]"),
        (PRODUCT, "y[i_1 + 1, 8*j]", "y[i_1, 8*j]"),
        (PRODUCT, "y[i_1 + 1, 8*j] = acc_4", "y[i_1 + 1, 16 - 8*j] = acc_4"),
        (PRODUCT, "y[i_1 + 1, 8*j] = acc_4\n", f"y[i_1 + 1, 8*j] = acc_4\n{8 * ' '}y[i_1 + 1, 8*j] = acc_4\n"),
        (PRODUCT, "y[i_2, 8*j]", "y[i_2, 8]"),
        (PRODUCT, "w[j, k_2, 0]", "w[2, k_2, 0]"),
        (PRODUCT, "w[j, k_2, 0]", "w[min(2, i_2), k_2, 0]"),
        (PRODUCT, "w[j, k_2, 0]{8}", "w[j, k_2, 0]{8, if 5 - N >= 0}"),
        (PRODUCT, "write y:", "readwrite y:"),
        (PRODUCT, "write y: float32[N, 24]", "write y: float32[N, 24]\n  write z: float32[3]"),
        (PRODUCT, "write y: float32[N, 24]", "write y: float32[N, 24]\n  local readwrite z: float32[3]"),
        # Loops over rows: where they begin and end, and what they have in common.
        (PRODUCT, "i_1 in 3*max(0, N - 2*((N + 2)//3)) .. N", "i_1 in 0 .. N"),
        (PRODUCT, "i_1 in 3*max(0, N - 2*((N + 2)//3)) .. N", "i_1 in 3*max(0, N - 2*((N + 2)//3)) .. N - 1"),
        (PRODUCT, "for i in 0 ..", "for i in 3 .."),
        (PRODUCT, "  for j in 0 .. 3:", "  y[0, 0] = 0.0:float32\n  for j in 0 .. 3:"),
        (PRODUCT, "    parallel for i_1", "    if j - 1 >= 0:\n      pass\n    parallel for i_1"),
        (PRODUCT, "prefetch w[j + 1, k + i, 0]", "index r = cast<int64>(x[i, 0]) in 0 .. 8 else 1"),
        (NESTED, "sum_2 = add(sum_2, x[i_1, j_1, k_1, c_1])", "sum_2 = add(x[i_1, j_1, k_1, c_1], sum_2)"),
        (NESTED, "x[i_1, j_1, k_1, c_1]", "x[i_1, j_1, c_1, k_1]"),
        (NESTED, "sum_2 = b[j_1]", "sum_2 = b[0]"),
        (NESTED, "y[i_1, j_1] = sum_2", "y[i_1, j_1] = neg(sum_2)"),
        (NESTED, "z[i_1, j_1] = index(j_1)", "z[i_1, j_1] = index(2*j_1)"),
        (NESTED, "z[i_1, j_1] = index(j_1)", "z[i_1, j_1] = index(i_1)"),
        (NESTED, "if j_1 - 2 >= 0", "if j_1 - 1 >= 0"),
        (NESTED, "z[i_1, j_1] = 0.0:float32", "z[i_1, j_1] = index(j_1):float32"),
        (NESTED, "x[i + 1, j, k, c])", f"x[i + 1, j, k, c])\n{12 * ' '}y[i + 1, j] = sum_1"),
        (MASKED, "y[i + 1, 0]{count 5}", "y[i + 1, 0]{count 4}"),
        (MASKED, "x[i, 0]{8, count 5, else 1.0}", "x[i, 0]{8, count 4, else 1.0}"),
        (MASKED, "x[i, 0]{8, count 5, else 1.0}", "x[i, 0]{8, count 5, else 2.0}"),
        (MASKED, "x[i, 0]{8, count 5, else 1.0}", "x[i, 0]{8, count N - i, else 1.0}"),
        (MASKED, "read x: float32[N, 5]", "read x: float32[2*N, 5]"),
    ],
)  # fmt: skip
def test_what_makes_rows_unlike(text: str, before: str, after: str) -> None:
    assert before in text
    assert not rows_are_alike(parse_function(text.replace(before, after, 1)), "N", 2)


def test_a_register_of_all_rows() -> None:
    text = NESTED.replace("  parallel for i in", "  let sum_3 = b[0]\n  parallel for i in", 1)
    assert rows_are_alike(parse_function(text), "N", 2)
    text = text.replace("        y[i, j] = sum\n", "        sum_3 = sum\n        y[i, j] = sum\n")
    assert not rows_are_alike(parse_function(text), "N", 2)


ROWS = """kernel rows(N >= 1)
  read x: float32[N, 4]
  write y: float32[N, 8]
  parallel for i in 0 .. N:
    let a = 0.0:float32
    let b = 1.0:float32
    for k in 0 .. 4:
      a = add(a, x[i, k])
      b = mul(b, x[i, k])
    y[i, 0] = a
    y[i, 1] = b
  parallel for i_1 in 0 .. N:
    y[i_1, 2] = 0.0:float32
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("= 0.0:float32\n", "= index(N):float32\n"),
        ("y[i_1, 2] = 0.0:float32", "y[i_1, 2] = index(i_1):float32"),
        ("a = add(a, x[i, k])", "a = add(a, b)"),
        ("a = add(a, x[i, k])", "a = add(a, x[i, k])\n      y[i, 2] = a"),
        ("i_1 in 0 .. N:", "i_1 in 0 .. N - 1:"),
        ("    y[i_1, 2] =", "    for k_1 in 0 .. 1:\n      y[i_1 + k_1, 2] ="),
    ],
)
def test_what_depends_on_the_row_or_on_other_sums(before: str, after: str) -> None:
    assert rows_are_alike(parse_function(ROWS), "N", 2)
    assert before in ROWS
    assert not rows_are_alike(parse_function(ROWS.replace(before, after, 1)), "N", 2)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  write y", "  read s: float32[]\n  write y"),
        ("y[i_1, 2]", "y[N - 1 - i_1, 2]"),
        # A sum that a step makes of its own goes on within the step alone.
        (
            "      b = mul(b, x[i, k])\n",
            "      let t = 0.0:float32\n      for k_1 in 0 .. 4:\n        t = fma(b, x[i, k_1], t)\n      b = t\n",
        ),
        # What all tiles have in common may be tested with what they have not.
        (
            "    y[i_1, 2] = 0.0:float32\n",
            "    for j in 0 .. 2:\n      if N - i_1 - 1 >= 0 & 1 - j >= 0:\n        y[i_1, 2] = 0.0:float32\n"
            "      else:\n        y[i_1, 2] = 0.0:float32\n",
        ),
    ],
)
def test_what_rows_may_have(before: str, after: str) -> None:
    assert before in ROWS
    assert rows_are_alike(parse_function(ROWS.replace(before, after, 1)), "N", 2)


@pytest.mark.parametrize(
    "body",
    [
        # The second loop's sum begins with one that went on from it.
        """\
  parallel for i in 0 .. N:
    let a = 0.0:float32
    let b = 1.0:float32
    for k in 0 .. 4:
      a = add(a, b)
      b = mul(b, x[i, k])
    for k_1 in 0 .. 4:
      b = add(b, a)
    y[i, 0] = b
""",
        # Rows that a loop leaves are none of the loops around it, nor of the loops in one that follows.
        """\
  for j in 0 .. 2:
    parallel for i in 0 .. N - 1:
      y[i, j] = 0.0:float32
  parallel for i_1 in N - 1 .. N:
    prefetch x[i_1, 0]
""",
        """\
  parallel for i in 0 .. N - 1:
    y[i, 0] = 0.0:float32
  for j in 0 .. 2:
    parallel for i_1 in 0 .. N:
      y[i_1, 1 + j] = 0.0:float32
""",
    ],
    ids=["sums", "rows inside", "rows before"],
)
def test_what_goes_on_elsewhere(body: str) -> None:
    head = "".join(ROWS.splitlines(keepends=True)[:3])
    assert not rows_are_alike(parse_function(head + body), "N", 2)
