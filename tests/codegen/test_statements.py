"""Loops, masks, guards, strides, indices: native code against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.compiler.codegen.llvm.statements import write_kernel
from netwright.compiler.codegen.targets.target import host_target, named_target
from netwright.compiler.loop.builder import Builder
from netwright.specs.dims import ceil_div, dim, dim_max, dim_min

from .codegen_harness import run_kernel

N, M, K = dim("N"), dim("M"), dim("K")


@pytest.mark.parametrize("n", [1, 15, 16, 17, 100])
@pytest.mark.parametrize("nthreads", [1, 2, 3])
def test_axpy_in_parallel(n: int, nthreads: int) -> None:
    b = Builder("axpy", {"N": 1})
    x, y = b.buffer("x", "float32", (N,)), b.buffer("y", "float32", (N,), "readwrite")
    with b.loop("i", 0, N, 16, "parallel") as i:
        old = b.load(y, (i,), 16, count=N - i)
        b.store(
            y, (i,), b.fma(b.const(2.0, "float32", 16), b.load(x, (i,), 16, count=N - i), old), count=N - i
        )
    xs, ys = np.arange(n, dtype=np.float32), np.ones(n + 16, dtype=np.float32)
    assert run_kernel(b.finish(), {"N": n}, {"x": xs, "y": ys}, nthreads) == 0
    np.testing.assert_array_equal(ys[:n], 2 * xs + 1)
    np.testing.assert_array_equal(ys[n:], 1)


@pytest.mark.parametrize(("n", "m"), [(1, 7), (3, 5), (4, 1), (10, 2)])
@pytest.mark.parametrize("nthreads", [1, 2, 3, 8, 64])
def test_nests_of_parallel_loops(n: int, m: int, nthreads: int) -> None:
    """All iterations together are divided, each done once: also of a loop that begins later and makes longer steps."""
    b = Builder("nest", {"N": 1, "M": 1})
    x, y = b.buffer("x", "float32", (N, M + 2, 9)), b.buffer("y", "float32", (N, M + 2, 9), "readwrite")
    with (
        b.loop("i", 0, N, kind="parallel") as i,
        b.loop("j", 2, M + 2, kind="parallel") as j,
        b.loop("k", 0, 9, 4, "parallel") as k,
    ):
        old = b.load(y, (i, j, k), 4, count=9 - k)
        b.store(y, (i, j, k), b.add(old, b.load(x, (i, j, k), 4, count=9 - k)), count=9 - k)
    xs = np.arange(n * (m + 2) * 9, dtype=np.float32).reshape(n, m + 2, 9)
    ys = np.ones_like(xs)
    assert run_kernel(b.finish(), {"N": n, "M": m}, {"x": xs, "y": ys}, nthreads) == 0
    np.testing.assert_array_equal(ys[:, 2:], xs[:, 2:] + 1)
    np.testing.assert_array_equal(ys[:, :2], 1)


def gemm_kernel(rows: int = 4, vectors: int = 2):
    """C[M, N] = A[M, K] · B[K, N] in register tiles of rows × (vectors·16), the last column masked."""
    b = Builder("gemm", {"M": 1, "N": 1, "K": 1})
    a_, b_ = b.buffer("a", "float32", (M, K)), b.buffer("b", "float32", (K, N))
    c_ = b.buffer("c", "float32", (M, N), "write")

    def tile(m, n, rows: int) -> None:
        counts = [N - n - 16 * v for v in range(vectors)]
        zero = b.const(0.0, "float32", 16)
        accumulators = [[b.register("acc", zero) for _ in range(vectors)] for _ in range(rows)]
        with b.loop("k", 0, K) as k:
            right = [b.let("b", b.load(b_, (k, n + 16 * v), 16, count=counts[v])) for v in range(vectors)]
            for r in range(rows):
                left = b.let("a", b.broadcast(b.load(a_, (m + r, k)), 16))
                for v in range(vectors):
                    b.assign(accumulators[r][v], b.fma(left, right[v], accumulators[r][v]))
        for r in range(rows):
            for v in range(vectors):
                b.store(c_, (m + r, n + 16 * v), accumulators[r][v], count=counts[v])

    with b.loop("n", 0, N, 16 * vectors, "parallel") as n:
        with b.loop("m", 0, M // rows * rows, rows) as m:
            tile(m, n, rows)
        with b.loop("tail", M // rows * rows, M) as m:
            tile(m, n, 1)
    return b.finish()


@pytest.mark.parametrize("shape", [(4, 32, 7), (5, 33, 3), (1, 1, 1), (9, 100, 64)])
@pytest.mark.parametrize("nthreads", [1, 2])
def test_gemm_with_masked_tails(shape: tuple[int, int, int], nthreads: int) -> None:
    m, n, k = shape
    rng = np.random.default_rng(0)
    a = rng.integers(-4, 5, (m, k)).astype(np.float32)
    b = rng.integers(-4, 5, (k, n)).astype(np.float32)
    c = np.zeros((m, n), np.float32)
    assert run_kernel(gemm_kernel(), {"M": m, "N": n, "K": k}, {"a": a, "b": b, "c": c}, nthreads) == 0
    np.testing.assert_array_equal(c, a @ b)


def test_local_buffers_unrolled_loops_and_reductions() -> None:
    b = Builder("rowsum", {"N": 1})
    x, out = b.buffer("x", "float32", (N, 48)), b.buffer("out", "float32", (N,), "write")
    scratch = b.buffer("scratch", "float32", (3, 16), local=True, access="readwrite")
    with b.loop("i", 0, N) as i:
        with b.loop("j", 0, 3, kind="unrolled") as j:
            b.store(scratch, (j, 0), b.load(x, (i, 16 * j), 16))
        total = b.register("total", b.const(0.0, "float32", 16))
        with b.loop("j", 0, 3) as j:
            b.assign(total, b.add(total, b.load(scratch, (j, 0), 16)))
        b.store(out, (i,), b.reduce_lanes("add", total))
    x = np.arange(5 * 48, dtype=np.float32).reshape(5, 48)
    out = np.zeros(5, np.float32)
    assert run_kernel(b.finish(), {"N": 5}, {"x": x, "out": out}) == 0
    np.testing.assert_array_equal(out, x.sum(1))


@pytest.mark.parametrize("lanes", [1, 4, 16])
@pytest.mark.parametrize("n", [1, 3, 16, 21])
def test_guards_and_other_values(lanes: int, n: int) -> None:
    """A one-dimensional convolution with zero padding: x[i + d] where it exists, 7 elsewhere."""
    b = Builder("shift", {"N": 1})
    x, out = b.buffer("x", "float32", (N,)), b.buffer("out", "float32", (3, N), "write")
    with b.loop("d", -1, 2) as d, b.loop("i", 0, N, lanes) as i:
        if lanes == 1:
            value = b.load(x, (i + d,), guards=(i + d, N - 1 - i - d), other=7.0)
            b.store(out, (d + 1, i), value)
        else:
            lane = b.load(x, (i + d,), lanes, count=N - i - d, guards=(i + d,), other=7.0)
            b.store(out, (d + 1, i), lane, count=N - i, guards=(i,))
    xs, got = np.arange(n, dtype=np.float32), np.zeros((3, n), np.float32)
    assert run_kernel(b.finish(), {"N": n}, {"x": xs, "out": got}) == 0
    want = np.full((3, n), 7, np.float32)
    for d in (-1, 0, 1):
        for i in range(n):
            start = i // lanes * lanes + d
            if (lanes == 1 and 0 <= i + d < n) or (lanes > 1 and start >= 0 and i + d < n):
                want[d + 1, i] = xs[i + d]
    np.testing.assert_array_equal(got, want)


def test_guarded_scalar_stores_and_branches() -> None:
    b = Builder("branches", {"N": 1})
    out = b.buffer("out", "int32", (N,), "readwrite")
    with b.loop("i", 0, N) as i:
        b.store(out, (i,), b.const(1, "int32"), guards=(i - 3,), count=8 - i)
    kernel = b.finish()
    got = np.zeros(12, np.int32)
    assert run_kernel(kernel, {"N": 12}, {"out": got}) == 0
    np.testing.assert_array_equal(got, [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0])

    b = Builder("branches", {"N": 1})
    out = b.buffer("out", "int32", (N,), "readwrite")
    value = b.register("value", b.const(0, "int32"))
    with b.loop("i", 0, N) as i:
        with b.when(i - 2, 5 - i):
            b.assign(value, b.add(value, b.const(1, "int32")))
        b.store(out, (i,), value)
    got = np.zeros(8, np.int32)
    assert run_kernel(b.finish(), {"N": 8}, {"out": got}) == 0
    np.testing.assert_array_equal(got, [0, 0, 1, 2, 3, 4, 4, 4])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("stride", [2, 3, K])
@pytest.mark.parametrize("dtype", ["float32", "bool"])
def test_strided_loads(masked: bool, stride, dtype: str) -> None:
    b = Builder("strided", {"N": 1, "K": 1})
    x, out = b.buffer("x", dtype, (N,)), b.buffer("out", dtype, (8,), "write")
    value = b.load(x, (1,), 8, stride=stride, count=N // 8 if masked else None, other=1)
    b.store(out, (0,), value)
    xs, got = (np.arange(40) % 7 % 2 if dtype == "bool" else np.arange(40)).astype(dtype), np.zeros(8, dtype)
    assert run_kernel(b.finish(), {"N": 40, "K": 5}, {"x": xs, "out": got}) == 0
    step = stride if isinstance(stride, int) else 5
    want = xs[1::step][:8].copy() if step < 5 else xs[1::5][:8].copy()
    if masked:
        want = np.array([*want[:5], 1, 1, 1], dtype=dtype)
    np.testing.assert_array_equal(got, want)


def test_the_first_lanes_are_stored() -> None:
    """All numbers of lanes in one kernel, whether a mask or vectors without one store them."""
    for dtype in ("float32", "bool"):
        b = Builder("lanes", {"N": 1})
        x, out = b.buffer("x", dtype, (8,)), b.buffer("out", dtype, (N, 9), "write")
        value = b.load(x, (0,), 8)
        for count in range(1, 9):
            b.store(out, (count, 1), value, count=count)
        xs, got = np.arange(8) % 3 == 1, np.full((9, 9), 2, np.uint8)
        if dtype == "float32":
            xs, got = np.arange(8, dtype=np.float32), np.full((9, 9), 8, np.float32)
        stored = got.view(bool) if dtype == "bool" else got
        assert run_kernel(b.finish(), {"N": 9}, {"x": xs, "out": stored}) == 0
        for count in range(9):
            np.testing.assert_array_equal(got[count, 1 : 1 + count], xs[:count])
            assert set(got[count, 1 + count :]) | {got[count, 0]} == {8 if dtype == "float32" else 2}


@pytest.mark.parametrize(("cpu", "masked"), [("haswell", 0), ("x86-64-v4", 3), ("x86-64-v2", 0)])
def test_stores_of_few_lanes_need_no_mask_but_of_avx512(cpu: str, masked: int) -> None:
    b = Builder("lanes", {"N": 1})
    x, out = b.buffer("x", "float32", (8,)), b.buffer("out", "float32", (N, 8), "write")
    for count in (1, 2, 3, 4, 6, 7):
        b.store(out, (count, 0), b.load(x, (0,), 8), count=count)
    text = write_kernel(b.finish(), "k", named_target(cpu))
    assert text.count("call void @llvm.masked.store") == masked


def test_booleans_are_bytes() -> None:
    b = Builder("truth", {"N": 1})
    x, out = b.buffer("x", "bool", (N,)), b.buffer("out", "bool", (N,), "write")
    with b.loop("i", 0, N, 16) as i:
        b.store(out, (i,), b.logical_not(b.load(x, (i,), 16, count=N - i)), count=N - i)
    xs, got = np.arange(21) % 3 == 0, np.zeros(21, bool)
    assert run_kernel(b.finish(), {"N": 21}, {"x": xs, "out": got}) == 0
    np.testing.assert_array_equal(got, ~xs)
    assert set(got.view(np.uint8)) == {0, 1}


@given(n=st.integers(1, 40), m=st.integers(1, 40), divisor=st.integers(1, 9), offset=st.integers(-50, 50))
def test_index_arithmetic(n: int, m: int, divisor: int, offset: int) -> None:
    """Floors of negative numbers, minima and maxima, products of dims, as index values."""
    b = Builder("indices", {"N": 1, "M": 1})
    out = b.buffer("out", "int64", (8, N), "write")
    with b.loop("i", 0, N) as i:
        sizes = [
            (i - M + offset) // divisor,
            dim_min(i * 3, M, N - i),
            dim_max(i - 5, M - N, offset),
            i * N * M - M * M + 3,
            dim_min(ceil_div(N * M, divisor), i) * M,
            -i,
        ]
        for row, size in enumerate(sizes):
            b.store(out, (row, i), b.index_value(size, "int64"))
    got = np.zeros((8, n), np.int64)
    assert run_kernel(b.finish(), {"N": n, "M": m}, {"out": got}) == 0
    i = np.arange(n)
    np.testing.assert_array_equal(got[0], (i - m + offset) // divisor)
    np.testing.assert_array_equal(got[1], np.minimum(np.minimum(i * 3, m), n - i))
    np.testing.assert_array_equal(got[2], np.maximum(np.maximum(i - 5, m - n), offset))
    np.testing.assert_array_equal(got[3], i * n * m - m * m + 3)
    np.testing.assert_array_equal(got[4], np.minimum(-(-n * m // divisor), i) * m)
    np.testing.assert_array_equal(got[5], -i)


def test_checked_indices_return_their_error() -> None:
    b = Builder("gather", {"N": 1, "M": 1})
    x, at = b.buffer("x", "float32", (M,)), b.buffer("at", "int32", (N,))
    out = b.buffer("out", "float32", (N,), "write")
    with b.loop("i", 0, N) as i:
        row = b.let_index("row", b.load(at, (i,)), 0, M, error=1)
        b.store(out, (i,), b.load(x, (row,)))
    kernel = b.finish()
    x, out = np.arange(10, dtype=np.float32), np.zeros(4, np.float32)
    at = np.array([3, 0, 9, 5], np.int32)
    assert run_kernel(kernel, {"N": 4, "M": 10}, {"x": x, "at": at, "out": out}) == 0
    np.testing.assert_array_equal(out, x[at])
    for bad in (-1, 10, 2**31 - 1):
        out[:] = 0
        at[2] = bad
        assert run_kernel(kernel, {"N": 4, "M": 10}, {"x": x, "at": at, "out": out}) == 1
        np.testing.assert_array_equal(out, [3, 0, 0, 0])


def test_shapes_of_several_terms() -> None:
    b = Builder("strides", {"N": 1, "M": 1})
    x = b.buffer("x", "float32", (N, N + M, 2 * M + 1))
    out = b.buffer("out", "float32", (N, N + M, 2 * M + 1), "write")
    with b.loop("i", 0, N) as i, b.loop("j", 0, N + M) as j, b.loop("k", 0, 2 * M + 1, 8) as k:
        count = 2 * M + 1 - k
        b.store(out, (i, j, k), b.load(x, (N - 1 - i, j, k), 8, count=count), count=count)
    x = np.arange(3 * 8 * 11, dtype=np.float32).reshape(3, 8, 11)
    out = np.zeros_like(x)
    assert run_kernel(b.finish(), {"N": 3, "M": 5}, {"x": x, "out": out}) == 0
    np.testing.assert_array_equal(out, x[::-1])


def test_masks_and_tests_that_can_be_proved_are_left_out() -> None:
    b = Builder("static", {"N": 1})
    x, out = b.buffer("x", "float32", (N, 64)), b.buffer("out", "float32", (N, 64), "write")
    with b.loop("i", 0, N) as i, b.loop("j", 0, 64, 16) as j:
        value = b.load(x, (i, j), 16, count=64 - j, guards=(i, j))
        b.store(out, (i, j), value, count=64 - j)
    text = write_kernel(b.finish(), "static", host_target())
    assert "masked" not in text
    assert "select" not in text
