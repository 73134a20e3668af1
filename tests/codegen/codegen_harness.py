"""Runs entries of small programs through ctypes: what a host does, in a few lines."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Mapping, Sequence

import numpy as np

from netwright.compiler.codegen.jit import NativeProgram, compile_jit
from netwright.compiler.loop import ir
from netwright.compiler.loop.interpreter.run import run_entry
from netwright.specs.dims import Dim, evaluate

ENTRY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)
PLAN = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


class Context(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in ("dims", "buffers", "arena", "offsets", "barrier"))


def single_kernel_program(kernel: ir.Function, model: str = "m") -> ir.Program:
    """A program whose entry ``run`` calls one kernel on the whole table."""
    table = tuple(buffer for buffer in kernel.buffers if not buffer.local)
    call = ir.Call(
        kernel.name, tuple(ir.Slice(b.name) for b in table), tuple(Dim((((n,), 1),)) for n, _ in kernel.dims)
    )
    entry = ir.Entry("run", ir.Function("run", kernel.dims, table, (call,)))
    return ir.Program(model, kernel.dims, table, {kernel.name: kernel}, {"run": entry})


def call_entry(
    entry: int,
    plan: int,
    slots: int,
    dims: Sequence[int],
    buffers: Sequence[np.ndarray | None],
    nthreads: int = 1,
) -> int:
    """Plans, allocates, and calls an entry on ``nthreads`` threads; every thread must return the same
    code."""
    sizes = np.array([*dims, 0], dtype=np.int64)
    offsets = np.zeros(slots + 1, dtype=np.int64)
    arena_bytes = PLAN(plan)(sizes.ctypes.data, offsets.ctypes.data)
    assert arena_bytes >= 0
    arena = np.full(arena_bytes + 64, 0xA5, dtype=np.uint8)
    pointers = (ctypes.c_void_p * (len(buffers) + 1))(
        *(b.ctypes.data if b is not None else None for b in buffers)
    )
    barrier = np.zeros(128, dtype=np.uint8)
    start = -barrier.ctypes.data % 64
    barrier[start : start + 64].view(np.int32)[7] = 1  # the smallest work is worth a thread
    context = Context(
        sizes.ctypes.data,
        ctypes.addressof(pointers),
        -(-arena.ctypes.data // 64) * 64,
        offsets.ctypes.data,
        barrier.ctypes.data + start if nthreads > 1 else None,
    )
    codes = [99] * nthreads

    def work(tid: int) -> None:
        codes[tid] = ENTRY(entry)(ctypes.addressof(context), tid, nthreads)

    threads = [threading.Thread(target=work, args=(tid,)) for tid in range(1, nthreads)]
    for thread in threads:
        thread.start()
    work(0)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert len(set(codes)) == 1
    return codes[0]


def run_program(
    program: ir.Program,
    dims: Mapping[str, int],
    arrays: Mapping[str, np.ndarray],
    nthreads: int = 1,
    entry: str = "run",
    native: NativeProgram | None = None,
) -> int:
    """Runs an entry on arrays by table name (written in place); gives the return code."""
    native = native or compile_jit(program, cache=None)
    return call_entry(
        native.address(entry),
        native.plan_address(entry),
        len(program.entries[entry].arena),
        [dims[name] for name, _ in program.dims],
        [arrays.get(buffer.name) for buffer in program.table],
        nthreads,
    )


def run_kernel(
    kernel: ir.Function, dims: Mapping[str, int], arrays: Mapping[str, np.ndarray], nthreads: int = 1
) -> int:
    """Runs a kernel in native code, and in the loop interpreter, which must leave the same in every buffer."""
    program = single_kernel_program(kernel)
    copies = {buffer.name: arrays[buffer.name].copy() for buffer in program.table}
    shaped = {
        buffer.name: copies[buffer.name].reshape(-1)[: _count(buffer, dims)].reshape(_shape(buffer, dims))
        for buffer in program.table
    }
    expected = run_entry(program, "run", shaped, dict(dims), nthreads)
    code = run_program(program, dims, arrays, nthreads)
    assert code == expected
    for name, copy in copies.items():
        np.testing.assert_array_equal(arrays[name], copy, err_msg=f"{name}: native, then loop interpreter")
    return code


def _shape(buffer: ir.Buffer, dims: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(evaluate(size, dims) for size in buffer.shape)


def _count(buffer: ir.Buffer, dims: Mapping[str, int]) -> int:
    return math.prod(_shape(buffer, dims))
