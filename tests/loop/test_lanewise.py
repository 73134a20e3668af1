"""Which kernels compute every element by itself, as every other one; what changes that."""

from __future__ import annotations

import pytest

from netwright.compiler.loop.checks.lanewise import is_lanewise
from netwright.compiler.loop.checks.verify import verify_function
from netwright.compiler.loop.text.parsing import parse_function

FILL = """kernel fill(size >= 0)
  write y: float32[size]
  parallel for j in 0 .. size step 8:
    y[j]{count -j + size} = -1e+30:float32x8
"""
CHOICE = """kernel choice(N >= 1)
  read p: bool[N]
  read x: float32[N]
  read scale: float32[2]
  write y: float32[N]
  write z: float32[N]
  parallel for j in 0 .. N//8:
    let v = x[8*j]{8}
    let w = mul(v, broadcast<8>(scale[1]))
    y[8*j] = select(p[8*j]{8}, fma(v, w, v), neg(v))
    z[8*j] = w
  parallel for j_1 in 8*(N//8) .. N step 8:
    let v_1 = x[j_1]{8, count N - j_1}
    let w_1 = mul(v_1, broadcast<8>(scale[1]))
    z[j_1]{count N - j_1} = w_1
    y[j_1]{count N - j_1} = select(p[j_1]{8, count N - j_1}, fma(v_1, w_1, v_1), neg(v_1))
"""


@pytest.mark.parametrize(("text", "name"), [(FILL, "size"), (CHOICE, "N")])
def test_lanewise(text: str, name: str) -> None:
    kernel = parse_function(text)
    verify_function(kernel)
    assert is_lanewise(kernel, name)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("neg(v_1)", "v_1"),
        ("neg(v_1)", "neg(w_1)"),
        ("neg(v_1)", "neg(0.0:float32x8)"),
        ("fma(v_1, w_1, v_1)", "add(mul(v_1, w_1), v_1)"),
        ("fma(v_1, w_1, v_1)", "fma(v_1, w_1, x[j_1 + 8]{8, count N - j_1 - 8})"),  # other elements
        ("fma(v, w, v)", "fma(v, w, x[0]{8})"),
        ("x[8*j]{8}", "broadcast<8>(x[8*j])"),
        ("x[8*j]{8}", "x[8*j + 7]{8, stride -1}"),
        ("x[8*j]{8}", "x[8*j]{8, if j - 1 >= 0}"),
        ("let v = x[8*j]{8}", "let v = index(j):float32x8"),
        ("let w = mul(v, broadcast<8>(scale[1]))", "let w = broadcast<8>(reduce<add>(v))"),
        ("x[j_1]{8, count N - j_1}", "x[j_1]{8, count N - j_1 - 1}"),
        ("z[j_1]{count N - j_1}", "z[j_1]{count N - j_1 - 1}"),
        ("z[j_1]{count N - j_1}", "z[j_1]{count N - j_1, if j_1 - 1 >= 0}"),
        ("z[8*j] = w", "z[8*j + 1] = w"),
        ("    z[8*j] = w\n", ""),
        ("    z[8*j] = w\n", "    z[8*j] = w\n    z[8*j] = v\n"),
        ("    z[8*j] = w\n", "    z[8*j] = w\n    if j - 1 >= 0:\n      pass\n"),
        ("scale[1]", "scale[0]"),
        ("broadcast<8>(scale[1])", "broadcast<8>(scale[min(1, j)])"),
        ("broadcast<8>(scale[1])", "broadcast<8>(scale[1]{if j - 1 >= 0})"),
        ("write z: float32[N]", "readwrite z: float32[N]"),
        ("write z: float32[N]", "write z: float32[2*N]"),
        ("read scale: float32[2]", "read scale: float32[2*N]"),
        ("read scale: float32[2]", "read scale: float32[2]\n  local readwrite l: float32[2]"),
        ("read scale: float32[2]", "read scale: float32[2]\n  write l: float32[2]"),
        ("  parallel for j in", "  let s = 0.0:float32\n  parallel for j in"),
        ("    let v = x[8*j]{8}", "    let v = 0.0:float32x8\n    v = x[8*j]{8}"),
    ],
)  # fmt: skip
def test_what_makes_elements_unlike(before: str, after: str) -> None:
    assert before in CHOICE
    assert not is_lanewise(parse_function(CHOICE.replace(before, after, 1)), "N")


ONE = """kernel one(N >= 1)
  read x: float32[N]
  read scale: float32[2, 8]
  write y: float32[N]
  parallel for j in 0 .. N step 8:
    let v = x[j]{8, count N - j}
    y[j]{count N - j} = mul(v, broadcast<8>(scale[1, 0]))
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x[j]{8, count N - j}", "x[j]{8, stride 2, count N - j}"),
        ("broadcast<8>(scale[1, 0])", "scale[1, 0]{8}"),  # a lane of another element's
        ("broadcast<8>(scale[1, 0])", "broadcast<8>(x[0])"),
        ("broadcast<8>(scale[1, 0])", "broadcast<8>(x[0]{1, stride 2})"),
        ("scale[1, 0]", "scale[min(1, N - 1), 0]"),
        ("scale[1, 0]", "scale[1, 0]{count N - 1}"),
        ("mul(v, ", "mul(broadcast<8>(reduce<add>(v)), "),
        ("float32[2, 8]", "float32[2, 8*N]"),
        ("{count N - j} = ", "{count N - j, if j - 8 >= 0} = "),
    ],
)
def test_what_makes_elements_of_the_only_loop_unlike(before: str, after: str) -> None:
    assert is_lanewise(parse_function(ONE), "N")
    assert before in ONE
    assert not is_lanewise(parse_function(ONE.replace(before, after)), "N")


def test_loops_with_other_constants_are_unlike() -> None:
    def made(one: str) -> bool:
        text = CHOICE.replace("neg(v_1)", "2.0:float32x8").replace("neg(v)", f"{one}:float32x8")
        return is_lanewise(parse_function(text), "N")

    assert made("2.0")
    assert not made("3.0")


def test_nothing_is_no_element() -> None:
    assert not is_lanewise(parse_function("kernel none(N >= 1)\n  write y: float32[N]\n  pass\n"), "N")
    rows = FILL.replace("float32[size]", "float32[size, 4]").replace("y[j]", "y[j, 0]")
    assert not is_lanewise(parse_function(rows), "size")
