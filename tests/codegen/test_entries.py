"""Entries: calls on slices, loops over steps, barriers between threads, errors in one of them, denormals."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.codegen.jit import compile_jit
from netwright.compiler.codegen.llvm.modules import program_modules
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.loop import ir
from netwright.compiler.loop.builder import Builder
from netwright.specs.dims import dim, product

from .codegen_harness import run_program, single_kernel_program

N, T = dim("N"), dim("T")


def scan_program() -> ir.Program:
    """h(t) = h(t-1) rolled by one, plus x(t), over T steps, with the states in the arena; returns h(T-1).

    The roll makes every thread read what another one wrote a step before.
    """
    b = Builder("cell", {"N": 1})
    x, before = b.buffer("x", "float32", (N,)), b.buffer("before", "float32", (N,))
    after = b.buffer("after", "float32", (N,), "write")
    with b.loop("i", 0, N, kind="parallel") as i:
        left = b.load(before, (i - 1,), guards=(i - 1,))
        right = b.load(before, (N - 1,), guards=(-i,))
        b.store(after, (i,), b.add(b.load(x, (i,)), b.add(left, right)))
    cell = b.finish()
    b = Builder("copy", {"N": 1})
    x, y = b.buffer("x", "float32", (N,)), b.buffer("y", "float32", (N,), "write")
    with b.loop("i", 0, N, 8, "parallel") as i:
        b.store(y, (i,), b.load(x, (i,), 8, count=N - i), count=N - i)
    copy = b.finish()

    e = Builder("predict", {"N": 1, "T": 1})
    x = e.buffer("x", "float32", (T, N))
    first, last = e.buffer("first", "float32", (N,)), e.buffer("last", "float32", (N,), "write")
    e.buffer("states", "float32", (T + 1, N), "readwrite")
    flat = (product((T + 1, N)),)
    e.call("copy", [ir.Slice("first"), ir.Slice("states", (0,), flat)], [N])
    e.barrier()
    with e.loop("t", 0, T) as t:
        e.call("cell", [ir.Slice("x", (t,)), ir.Slice("states", (t,)), ir.Slice("states", (t + 1,))], [N])
        e.barrier()
    e.call("copy", [ir.Slice("states", (T,)), ir.Slice("last")], [N])
    entry = ir.Entry("predict", e.finish(), (ir.ArenaBuffer("states", 4 * (T + 1) * N, 0, 3),))
    return ir.Program(
        "scan", (("T", 1), ("N", 1)), (x, first, last), {"cell": cell, "copy": copy}, {"predict": entry}
    )


@pytest.mark.parametrize("nthreads", [1, 2, 3])
@pytest.mark.parametrize(("t", "n"), [(1, 1), (50, 37)])
def test_steps_and_barriers(t: int, n: int, nthreads: int) -> None:
    rng = np.random.default_rng(1)
    x, first = rng.integers(0, 9, (t, n)).astype(np.float32), rng.integers(0, 9, n).astype(np.float32)
    last, want = np.zeros(n, np.float32), first
    for step in range(t):
        want = x[step] + np.roll(want, 1)
    program = scan_program()
    arrays = {"x": x, "first": first, "last": last}
    assert run_program(program, {"N": n, "T": t}, arrays, nthreads, "predict") == 0
    np.testing.assert_array_equal(last, want)


def gather_program(bad_tail: bool) -> ir.Program:
    """Checks labels in parallel, in every one of T rounds; then writes that all went well."""
    b = Builder("check", {"N": 1})
    labels = b.buffer("labels", "int64", (N,))
    with b.loop("i", 0, N, kind="parallel") as i:
        b.let_index("label", b.load(labels, (i,)), 0, 10, error=1)
        b.store(labels, (i,), b.load(labels, (i,)))
    check = b.finish()
    b = Builder("done", {"N": 1})
    out = b.buffer("out", "int64", (1,), "readwrite")
    with b.loop("i", 0, 1, kind="parallel"):
        b.store(out, (0,), b.add(b.load(out, (0,)), b.const(1, "int64")))
    done = b.finish()
    e = Builder("run", {"N": 1, "T": 1})
    labels = e.buffer("labels", "int64", (T, N), "readwrite")
    out = e.buffer("out", "int64", (1,), "readwrite")
    with e.loop("t", 0, T) as t:
        e.call("check", [ir.Slice("labels", (t,))], [N])
        if not bad_tail:
            e.barrier()
            e.call("done", [ir.Slice("out")], [N])
    function = e.finish()
    return ir.Program(
        "g",
        (("N", 1), ("T", 1)),
        (labels, out),
        {"check": check, "done": done},
        {"run": ir.Entry("run", function)},
    )


@pytest.mark.parametrize("nthreads", [1, 2, 4])
@pytest.mark.parametrize("bad_tail", [False, True])
def test_an_error_of_one_thread_ends_all(nthreads: int, bad_tail: bool) -> None:
    program = gather_program(bad_tail)
    native = compile_jit(program, cache=None)
    rng = np.random.default_rng(2)
    for _ in range(20):
        labels, out = rng.integers(0, 10, (30, 8)), np.zeros(1, np.int64)
        arrays = {"labels": labels, "out": out}
        assert run_program(program, {"N": 8, "T": 30}, arrays, nthreads, native=native) == 0
        step = int(rng.integers(0, 30))
        labels[step, rng.integers(0, 8)] = 10
        out[:] = 0
        assert run_program(program, {"N": 8, "T": 30}, arrays, nthreads, native=native) == 1
        assert out[0] == (0 if bad_tail else step)


def test_branches_in_entries() -> None:
    kernel = gather_program(False).kernels["done"]
    e = Builder("run", {"N": 1})
    out = e.buffer("out", "int64", (1,), "readwrite")
    with e.loop("t", 0, N) as t, e.when(t - 3):
        e.call("done", [ir.Slice("out")], [N])
    program = ir.Program("b", (("N", 1),), (out,), {"done": kernel}, {"run": ir.Entry("run", e.finish())})
    got = np.zeros(1, np.int64)
    assert run_program(program, {"N": 10}, {"out": got}) == 0
    assert got[0] == 7


def test_denormals_are_flushed_inside_only() -> None:
    b = Builder("halve", {"N": 1})
    x, out = b.buffer("x", "float32", (N,)), b.buffer("out", "float32", (N,), "write")
    with b.loop("i", 0, N) as i:
        b.store(out, (i,), b.mul(b.load(x, (i,)), b.const(0.5, "float32")))
    tiny = np.full(3, np.finfo(np.float32).tiny, np.float32)
    out = np.ones(3, np.float32)
    program = single_kernel_program(b.finish())
    assert run_program(program, {"N": 3}, {"x": tiny, "out": out}) == 0
    np.testing.assert_array_equal(out, 0)
    assert (tiny * np.float32(0.5) > 0).all()


def test_equal_kernels_are_compiled_once() -> None:
    kernel = gather_program(False).kernels["done"]
    program = single_kernel_program(kernel)
    twins = ir.Program(
        "m",
        program.dims,
        program.table,
        {"done": kernel, "again": ir.Function("again", kernel.dims, kernel.buffers, kernel.body)},
        program.entries,
    )
    modules = program_modules(twins, host_target())
    assert modules.symbols["done"] == modules.symbols["again"]
    assert len(modules.kernels) == 1


def test_programs_with_the_same_name_live_side_by_side() -> None:
    def adder(amount: int) -> ir.Program:
        b = Builder("add", {"N": 1})
        x = b.buffer("x", "int64", (N,), "readwrite")
        with b.loop("i", 0, N) as i:
            b.store(x, (i,), b.add(b.load(x, (i,)), b.const(amount, "int64")))
        return single_kernel_program(b.finish())

    programs = [adder(1), adder(10)]
    natives = [compile_jit(program, cache=None) for program in programs]
    x = np.zeros(2, np.int64)
    for program, native in zip(programs, natives, strict=True):
        assert run_program(program, {"N": 2}, {"x": x}, native=native) == 0
    np.testing.assert_array_equal(x, 11)


def test_a_barrier_in_a_kernel_is_refused() -> None:
    b = Builder("k", {"N": 1})
    b.buffer("x", "int64", (N,))
    b.barrier()
    with pytest.raises(TypeError, match="Barrier"):
        compile_jit(single_kernel_program(b.finish()), cache=None)


def long_program(rounds: int) -> ir.Program:
    """Adds each row of a table to a sum, ``rounds`` calls a row; one row after the other, then the first again."""
    b = Builder("add", {"N": 1})
    row, total = b.buffer("row", "int64", (N,)), b.buffer("total", "int64", (N,), "readwrite")
    with b.loop("i", 0, N, kind="parallel") as i:
        b.let_index("checked", b.load(row, (i,)), 0, 10, error=1)
        b.store(total, (i,), b.add(b.load(total, (i,)), b.load(row, (i,))))
    add = b.finish()
    e = Builder("run", {"N": 1, "T": 1})
    table = e.buffer("table", "int64", (T, N))
    total = e.buffer("total", "int64", (N,), "readwrite")
    with e.loop("t", 0, T) as t:
        for _ in range(rounds):
            e.call("add", [ir.Slice("table", (t,)), ir.Slice("total")], [N])
            e.barrier()
    for _ in range(rounds):
        e.call("add", [ir.Slice("table", (0,)), ir.Slice("total")], [N])
    entry = ir.Entry("run", e.finish())
    return ir.Program("long", (("N", 1), ("T", 1)), (table, total), {"add": add}, {"run": entry})


@pytest.mark.parametrize("nthreads", [1, 3])
@pytest.mark.parametrize("rounds", [2, 40, 300])
def test_long_entries(rounds: int, nthreads: int) -> None:
    program = long_program(rounds)
    native = compile_jit(program, cache=None)
    table, total = np.random.default_rng(3).integers(0, 10, (5, 9)), np.zeros(9, np.int64)
    sizes, arrays = {"N": 9, "T": 5}, {"table": table, "total": total}
    assert run_program(program, sizes, arrays, nthreads, native=native) == 0
    np.testing.assert_array_equal(total, rounds * (table.sum(axis=0) + table[0]))
    total[:], table[2, 4] = 0, 10
    assert run_program(program, sizes, arrays, nthreads, native=native) == 1
    after = total[:3] - rounds * table[:2, :3].sum(axis=0)
    assert np.isin(after, (np.zeros(3), table[2, :3])).all()  # nothing but the call that failed ran


def test_functions_of_long_entries_are_short() -> None:
    def lengths(rounds: int) -> list[int]:
        text = program_modules(long_program(rounds), host_target()).entries
        return [part.count("\n") for part in text.split("\ndefine ")]

    few, many = lengths(50), lengths(2000)
    assert max(many) < 2 * max(few)
    assert sum(many) < 45 * sum(few)
