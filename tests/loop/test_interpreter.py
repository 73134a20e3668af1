"""The interpreter computes what loop IR says, and notices what no function may do."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.compiler.loop.builder import Builder
from netwright.compiler.loop.interpreter import numeric
from netwright.compiler.loop.interpreter.memory import InterpreterError
from netwright.compiler.loop.interpreter.run import run_entry, run_function
from netwright.compiler.loop.text.parsing import parse_function, parse_program

Fma = Callable[[numeric.Lanes, numeric.Lanes, numeric.Lanes], numeric.Lanes]

MATMUL = """kernel matmul(N >= 1)
  read x: float64[N, 6]
  read w: float64[6, 5]
  write y: float64[N, 5]
  parallel for i in 0 .. N:
    for j in 0 .. 5 step 4:
      let acc = 0.0:float64x4
      for k in 0 .. 6:
        acc = fma(broadcast<4>(x[i, k]), w[k, j]{4, count 5 - j}, acc)
      y[i, j]{count 5 - j} = acc
"""


@pytest.mark.parametrize("nthreads", [1, 3])
def test_matmul(nthreads: int) -> None:
    rng = np.random.default_rng(0)
    x, w, y = rng.normal(size=(7, 6)), rng.normal(size=(6, 5)), np.zeros((7, 5))
    assert run_function(parse_function(MATMUL), {"x": x, "w": w, "y": y}, {"N": 7}, nthreads=nthreads) == 0
    np.testing.assert_allclose(y, x @ w, rtol=1e-14)


def run(text: str, dims: dict[str, int] | None = None, nthreads: int = 1, **buffers: np.ndarray) -> int:
    return run_function(parse_function(text), buffers, dims or {}, nthreads=nthreads)


def test_masks_guards_and_strides() -> None:
    x, y = np.arange(10, dtype=np.int32), np.full((3, 4), -1, np.int32)
    text = """kernel f()
  read x: int32[10]
  write y: int32[3, 4]
  y[0, 0] = x[8]{4, count 2, else 7}
  y[1, 0] = x[9]{4, stride -3}
  y[2, 0] = x[0]{4, if -1 >= 0, else 5}
  y[2, 1]{count 2} = ramp:int32x4
"""
    assert run(text, x=x, y=y) == 0
    assert y.tolist() == [[8, 9, 7, 7], [9, 6, 3, 0], [5, 0, 1, 5]]


def test_products_of_bytes_are_summed_by_four() -> None:
    x, w = np.array([255, 1, 2, 3], np.uint8), np.array([-128, 1, 1, 1, 127, 0, 0, -1], np.int8)
    y = np.zeros(2, np.int32)
    text = """kernel f()
  read x: uint8[4]
  read w: int8[8]
  write y: int32[2]
  y[0] = dot4(x[0]{4}, w[0]{8}, 5:int32x2)
"""
    assert run(text, x=x, w=w, y=y) == 0
    assert y.tolist() == [5 - 255 * 128 + 1 + 2 + 3, 5 + 255 * 127 - 3]


def test_conditions_and_registers() -> None:
    y = np.zeros(6, np.int64)
    text = """kernel f(N >= 1)
  write y: int64[6]
  for i in 0 .. 6 step 2:
    if i - 1 >= 0 & N - i >= 0:
      let v = index(N*i + i//2):int64
      v = add(v, 1:int64)
      y[i] = v
    else:
      y[i] = -1:int64
"""
    assert run(text, {"N": 2}, y=y) == 0
    assert y.tolist() == [-1, 0, 6, 0, -1, 0]


@pytest.mark.parametrize(("row", "code"), [(0, 0), (3, 0), (4, 9), (-1, 9)])
def test_indices_from_data_are_checked(row: int, code: int) -> None:
    text = """kernel f()
  read row: int64[]
  read x: float32[4]
  write y: float32[]
  index r = row[] in 0 .. 4 else 9
  y[] = x[r]
"""
    x, y = np.arange(4, dtype=np.float32), np.full((), -1, np.float32)
    assert run(text, row=np.array(row), x=x, y=y) == code
    assert y == (-1 if code else row)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("y[0] = x[N]", "index 4 on axis 0 of size 4"),
        ("y[0] = x[2]{4}", "index 5 on axis 0"),
        ("y[-1] = 0.0:float32", "index -1 on axis 0"),
        ("y[0] = t[1]", "t is read before it is written"),
        ("y[0] = y[1]", "y is read before it is written"),
        ("call g(x; N - 1)", "g: x \\[3\\] gets \\[4\\]"),
        ("call g(x at [0]; N - 4)", "N = 0 is below 1"),
        ("for i in 0 .. 4:\n    y[i] = 1.0:float32", "race of thread 1's write"),
    ],
)
def test_wrong_accesses(body: str, why: str) -> None:
    text = f"kernel f(N >= 1)\n  read x: float32[N]\n  write y: float32[N]\n  local read t: float32[2]\n  {body}\n"
    callee = parse_function("kernel g(N >= 1)\n  read x: float32[N]\n  pass\n")
    buffers = {"x": np.zeros(4, np.float32), "y": np.zeros(4, np.float32)}
    with pytest.raises(InterpreterError, match=why):
        run_function(parse_function(text), buffers, {"N": 4}, {"g": callee}, nthreads=2)


SUMS = """program p(N >= 1)
table
  read x: float32[N]
  write y: float32[N]

kernel double(M >= 1)
  read x: float32[M]
  write y: float32[M]
  parallel for i in 0 .. M:
    y[i] = add(x[i], x[i])

kernel reverse(M >= 1)
  read x: float32[M]
  write y: float32[M]
  parallel for i in 0 .. M:
    y[i] = x[M - 1 - i]

entry main
  arena h of 4*N live 0 .. 2
  kernel main(N >= 1)
    read x: float32[N]
    write y: float32[N]
    readwrite h: float32[N]
    call double(x, h; N)
    barrier
    call reverse(h, y; N)
"""


@pytest.mark.parametrize("nthreads", [1, 2, 5])
def test_entries(nthreads: int) -> None:
    x, y = np.arange(5, dtype=np.float32), np.zeros(5, np.float32)
    assert run_entry(parse_program(SUMS), "main", {"x": x, "y": y}, {"N": 5}, nthreads) == 0
    assert y.tolist() == [8, 6, 4, 2, 0]


def test_a_missing_barrier_is_a_race() -> None:
    program = parse_program(SUMS.replace("    barrier\n", ""))
    table = {"x": np.zeros(5, np.float32), "y": np.zeros(5, np.float32)}
    assert run_entry(program, "main", table, {"N": 5}) == 0
    # The first thread reads what the second has yet to write.
    with pytest.raises(InterpreterError, match=r"read before it is written|race"):
        run_entry(program, "main", table, {"N": 5}, nthreads=2)


@pytest.mark.parametrize("fma", [numeric.fma, numeric.emulated_fma])
@given(*[st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False)] * 3)
def test_fma_rounds_once_in_float32(fma: Fma, a: float, b: float, c: float) -> None:
    with np.errstate(all="ignore"):
        found = fma(*(np.array([v], np.float32) for v in (a, b, c)))[0]
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    neighbours = [np.nextafter(found, np.float32(end)) for end in (-np.inf, np.inf)]
    if all(map(math.isfinite, [found, *neighbours])):
        distance = abs(Fraction(float(found)) - exact)
        assert all(distance <= abs(Fraction(float(other)) - exact) for other in neighbours)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_ways_to_compute_an_fma_agree(dtype: type) -> None:
    """Also where a sum is half way between two numbers, where it cancels out, and where the result is subnormal."""
    rng = np.random.default_rng(0)
    least, eps = np.finfo(dtype).tiny, np.finfo(dtype).eps
    for scale in (1.0, least**0.5, least):
        a, b = ((scale**0.5 * rng.integers(-(2**12), 2**12, 4) / 2**11).astype(dtype) for _ in range(2))
        for more in (1, 1 + eps, 1 - eps, 1 + 2.0**-12, 2.0**20, 0):
            c = (-a * b * dtype(more)).astype(dtype)
            np.testing.assert_array_equal(numeric.fma(a, b, c), numeric.emulated_fma(a, b, c))
            np.testing.assert_array_equal(numeric.fma(a, b, -c), numeric.emulated_fma(a, b, -c))


@pytest.mark.parametrize("fma", [numeric.fma, numeric.emulated_fma])
@given(*[st.floats(-1e100, 1e100)] * 2)
def test_fma_keeps_the_error_of_a_product(fma: Fma, a: float, b: float) -> None:
    """a·b - round(a·b) is exact: what range reduction relies on."""
    product = a * b
    if not 1e-200 < abs(product) < 1e200:
        return
    found = fma(np.array([a]), np.array([b]), np.array([-product]))[0]
    assert Fraction(float(found)) == Fraction(a) * Fraction(b) - Fraction(product)


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [(2.9, "int32", 2), (-2.9, "int32", -2), (1e30, "int32", 2**31 - 1), (-1e30, "int64", -(2**63)),
     (1e30, "int64", 2**63 - 1), (math.nan, "int64", 0), (-5.0, "uint8", 0), (300.0, "uint8", 255),
     (math.inf, "uint64", 2**64 - 1), (0.5, "bool", True), (True, "float32", 1.0), (300, "uint8", 44),
     (-1, "uint32", 2**32 - 1)],
)  # fmt: skip
def test_casts(value: float, dtype: str, expected: float) -> None:
    with np.errstate(all="ignore"):
        found = numeric.cast(np.array([value]), dtype)
    assert found.dtype == dtype
    assert found[0] == expected


@pytest.mark.parametrize(("a", "b"), [(7, 2), (-7, 2), (6, 3), (-6, 3), (0, 5)])
def test_division_truncates(a: int, b: int) -> None:
    left, right = np.array([a]), np.array([b])
    assert numeric.BINARY["div"](left, right)[0] == int(a / b)
    assert numeric.BINARY["rem"](left, right)[0] == math.fmod(a, b)


def test_lanes_are_reduced_in_halves() -> None:
    b = Builder("f", {})
    y = b.buffer("y", "float32", (), "write")
    x = b.buffer("x", "float32", (4,))
    b.store(y, (), b.reduce_lanes("add", b.load(x, (0,), 4)))
    found = np.zeros((), np.float32)
    run_function(b.finish(), {"x": np.array([1e8, 1, -1e8, 1], np.float32), "y": found}, {})
    assert found == 2  # (1e8 - 1e8) + (1 + 1)
