"""The memory planner: native against Python, no overlap in space and time, overflow found."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.compiler.codegen.jit import compile_jit
from netwright.compiler.codegen.llvm.planner import reference_plan
from netwright.compiler.loop import ir
from netwright.specs.dims import DimLike, dim, dim_max, dim_min, evaluate

from .codegen_harness import PLAN

N, T = dim("N"), dim("T")


def native_plan(buffers: list[ir.ArenaBuffer], dims: dict[str, int]) -> tuple[int, list[int]]:
    function = ir.Function("run", (("N", 1), ("T", 1)), (), ())
    program = ir.Program("p", function.dims, (), {}, {"run": ir.Entry("run", function, tuple(buffers))})
    native = compile_jit(program, cache=None)
    values = (ctypes.c_int64 * 2)(dims["N"], dims["T"])
    offsets = (ctypes.c_int64 * (len(buffers) + 1))(*([-7] * (len(buffers) + 1)))
    total = PLAN(native.plan_address("run"))(ctypes.addressof(values), ctypes.addressof(offsets))
    assert offsets[len(buffers)] == -7
    return total, list(offsets)[:-1]


SIZES: list[DimLike] = [
    0,
    1,
    64,
    100,
    4 * N,
    4 * N * T,
    4096 * N,
    12 * T + 4,
    8 * ((N + 2) // 3),
    4 * dim_min(N, T),
    4 * dim_max(N - T, 3),
]


@given(
    lives=st.lists(
        st.tuples(st.sampled_from(SIZES), st.integers(0, 12), st.integers(0, 5), st.booleans()), max_size=16
    ),
    n=st.integers(1, 300),
    t=st.integers(1, 50),
)
def test_native_and_python_agree(lives: list[tuple[DimLike, int, int, bool]], n: int, t: int) -> None:
    buffers = [
        ir.ArenaBuffer(f"b{i}", size, first, first + more, staggered)
        for i, (size, first, more, staggered) in enumerate(lives)
    ]
    total, offsets = native_plan(buffers, {"N": n, "T": t})
    assert (total, offsets) == reference_plan(buffers, {"N": n, "T": t})
    sizes = [evaluate(buffer.nbytes, {"N": n, "T": t}) for buffer in buffers]
    for i, a in enumerate(buffers):
        assert offsets[i] % 64 == 0
        assert 0 <= offsets[i] <= offsets[i] + sizes[i] <= total
        for j, b in enumerate(buffers[:i]):
            if a.first <= b.last and b.first <= a.last:
                assert offsets[i] + sizes[i] <= offsets[j] or offsets[j] + sizes[j] <= offsets[i]


def test_disjoint_lives_share_memory() -> None:
    chain = [ir.ArenaBuffer(f"b{i}", 4 * N, i, i + 1) for i in range(20)]
    total, _ = native_plan(chain, {"N": 1000, "T": 1})
    assert total == 2 * 4032


@pytest.mark.parametrize(
    "nbytes",
    [
        4 * N * N * T,
        N * T - 5 * N * T,
        4 * N * (N // 3),
        1 << 61,
        (1 << 61) + 1,
        1 << 80,
        3 * N * N - 2 * N * N,
    ],
)
def test_sizes_beyond_the_limit_are_refused(nbytes: DimLike) -> None:
    buffers = [ir.ArenaBuffer("a", nbytes, 0, 1), ir.ArenaBuffer("b", 64, 0, 1)]
    dims = {"N": 2**62, "T": 2**40}
    total, _ = native_plan(buffers, dims)
    assert total == -1
    assert reference_plan(buffers, dims)[0] == -1


def test_long_sequences_of_whole_pages_are_staggered() -> None:
    sizes = [1 << 16, (1 << 16) - 4, (1 << 16) + 64, 1 << 15, 1 << 15]
    for open_size in (0, N):
        buffers = [ir.ArenaBuffer(f"b{i}", size + open_size, 0, 1, True) for i, size in enumerate(sizes)]
        buffers.append(ir.ArenaBuffer("plain", 1 << 16, 0, 1))
        buffers.append(ir.ArenaBuffer("after", 1 << 16, 2, 3))
        step = (1 << 16) + 768
        plain = 2 * step + (1 << 16) + 64
        end = plain + (1 << 16)
        for plan in (native_plan, reference_plan):
            total, offsets = plan(buffers, {"N": 0, "T": 1})
            assert offsets == [0, step, 2 * step, end, end + (1 << 15), plain, 0]
            assert total == end + (1 << 16)


def test_a_total_beyond_the_limit_is_refused() -> None:
    buffers = [ir.ArenaBuffer(f"b{i}", 1 << 60, 0, 1) for i in range(17)]
    assert native_plan(buffers, {"N": 1, "T": 1})[0] == -1
    assert reference_plan(buffers, {"N": 1, "T": 1})[0] == -1
    for plan in (native_plan, reference_plan):
        assert plan(buffers[:2], {"N": 1, "T": 1}) == (1 << 61, [0, 1 << 60])


def test_no_buffers_need_no_arena() -> None:
    assert native_plan([], {"N": 1, "T": 1}) == (0, [])
    assert np.int64(0) == reference_plan([], {"N": 1})[0]


def test_what_is_settled_is_planned_as_the_planner_would() -> None:
    lives = [(100, 0, 1), (64, 1, 2), (4096, 1, 3), (0, 2, 2), (70, 3, 4)]
    buffers = [ir.ArenaBuffer(f"b{i}", size, first, last) for i, (size, first, last) in enumerate(lives)]
    open_ = [*buffers, ir.ArenaBuffer("open", 4 * N - 4, 0, 0)]
    total, offsets = native_plan(open_, {"N": 1, "T": 1})
    assert (total, offsets[:-1]) == native_plan(buffers, {"N": 1, "T": 1})
    assert native_plan([ir.ArenaBuffer("a", 1 << 62, 0, 1)], {"N": 1, "T": 1})[0] == -1
