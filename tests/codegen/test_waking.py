"""When an entry calls the pool's workers: at once if there is much work, else after a part of it."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from netwright.compiler.codegen.jit import compile_jit
from netwright.compiler.loop import ir
from netwright.compiler.loop.builder import Builder
from netwright.compiler.loop.work import WorkEstimates
from netwright.specs.dims import dim

from .codegen_harness import ENTRY, Context

T = dim("T")
SUMMON = ctypes.CFUNCTYPE(ctypes.c_bool)


def steps() -> ir.Program:
    """One call per row of y, each of which doubles x."""
    b = Builder("double", {})
    x, y = b.buffer("x", "float32", (64,)), b.buffer("y", "float32", (64,), "write")
    with b.loop("i", 0, 64, kind="parallel") as i:
        element = b.load(x, (i,))
        b.store(y, (i,), b.add(element, element))
    double = b.finish()
    e = Builder("run", {"T": 1})
    x, y = e.buffer("x", "float32", (64,)), e.buffer("y", "float32", (T, 64), "write")
    with e.loop("t", 0, T) as t:
        e.call("double", [ir.Slice("x"), ir.Slice("y", (t,))], [])
        e.barrier()
    entry = ir.Entry("run", e.finish(), ())
    return ir.Program("waking", (("T", 1),), (x, y), {"double": double}, {"run": entry})


@pytest.mark.parametrize(("calls", "alone"), [(7, None), (16, 6), (64, 3), (128, 0)])
def test_the_more_work_there_is_the_sooner_workers_are_called(calls: int, alone: int | None) -> None:
    """Each call is worth two shares. Sixteen that workers missed pay for calling them, and a sixteenth of all shares
    counts in advance."""
    program = steps()
    native = compile_jit(program, cache=None)
    x, y = np.ones(64, np.float32), np.zeros((calls, 64), np.float32)
    done: list[int] = []

    @SUMMON
    def summon() -> bool:
        done.append(int((y[:, 0] == 2).sum()))
        return False  # no workers come

    block = np.zeros(128, np.uint8)
    start = -block.ctypes.data % 64
    work = WorkEstimates(program.kernels).of_call(ir.Call("double", (ir.Slice("x"), ir.Slice("y", (0,))), ()))
    assert isinstance(work, int)
    block[start : start + 64].view(np.int32)[7] = work // 2
    block[start : start + 64].view(np.uint64)[4] = ctypes.cast(summon, ctypes.c_void_p).value or 0
    sizes, offsets = np.array([calls], np.int64), np.zeros(1, np.int64)
    pointers = (ctypes.c_void_p * 2)(x.ctypes.data, y.ctypes.data)
    context = Context(
        sizes.ctypes.data,
        ctypes.addressof(pointers),
        None,
        offsets.ctypes.data,
        block.ctypes.data + start,
    )
    assert ENTRY(native.address("run"))(ctypes.addressof(context), 0, 2) == 0
    assert (y == 2).all()
    assert done == ([] if alone is None else [alone])
