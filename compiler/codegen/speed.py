"""How fast one core of this computer is: multiply-adds in registers, and reads from each cache and from memory.

The kernels are loop IR, compiled like all others, so the results are what such kernels can reach. The best of many
short runs counts, in CPU time of this thread: other work on the computer only slows runs down.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from netwright.specs.dims import dim

from ..loop import ir
from ..loop.builder import Builder
from ..machine import Machine
from .jit import LinkedObjects
from .llvm.statements import write_kernel
from .objects.compile import compile_object
from .targets.machines import cache_bytes, describe
from .targets.target import host_target

#: Seconds per measurement, and per run in it.
SECONDS, RUN = 0.15, 0.002
#: The least and the most bytes read from memory: many, so that caches hold little of them.
_MEMORY = 64 << 20, 256 << 20


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one core: floating-point operations per second (two per multiply-add) by dtype, and bytes read per second by
    place: l1, l2, memory."""

    flops_per_second: dict[str, float]
    bytes_per_second: dict[str, float]


def measure_speed() -> Speed:
    """Measures this computer, which takes about a second."""
    machine = describe(host_target())
    last = max(cache_bytes().values(), default=machine.l2_bytes)
    memory = min(max(4 * last, _MEMORY[0]), _MEMORY[1])
    return Speed(
        {dtype: _flops(machine, dtype) for dtype in ("float32", "float64")},
        {
            "l1": _read(machine, machine.l1_bytes // 2),
            "l2": _read(machine, max(machine.l2_bytes // 2, 2 * machine.l1_bytes)),
            "memory": _read(machine, memory),
        },
    )


def multiply_add_kernel(machine: Machine, dtype: str) -> ir.Function:
    """R times one multiply-add into each accumulator."""
    b, lanes = Builder("kernel", {"R": 1}), machine.lanes(dtype)
    out = b.buffer("out", dtype, (machine.accumulators * lanes,), "write")
    half = b.register("half", b.const(0.5, dtype, lanes))
    sums = [b.register("acc", b.const(number, dtype, lanes)) for number in range(machine.accumulators)]
    with b.loop("r", 0, dim("R")):
        for total in sums:
            b.assign(total, b.fma(total, half, half))
    for number, total in enumerate(sums):
        b.store(out, (number * lanes,), total)
    return b.finish()


def read_kernel(machine: Machine) -> ir.Function:
    """R times the sum of an array of N rows, each of one vector per accumulator."""
    b, lanes = Builder("kernel", {"N": 1, "R": 1}), machine.lanes("float32")
    vectors = machine.partial_sums
    data = b.buffer("data", "float32", (dim("N"), vectors * lanes))
    out = b.buffer("out", "float32", (lanes,), "write")
    sums = [b.register("acc", b.const(0.0, "float32", lanes)) for _ in range(vectors)]
    with b.loop("r", 0, dim("R")), b.loop("n", 0, dim("N")) as n:
        for number, total in enumerate(sums):
            b.assign(total, b.add(total, b.load(data, (n, number * lanes), lanes)))
    b.store(out, (0,), reduce(b.add, sums))
    return b.finish()


def _flops(machine: Machine, dtype: str) -> float:
    out = np.zeros(machine.accumulators * machine.lanes(dtype), dtype)
    call = _compiled(multiply_add_kernel(machine, dtype), [out])
    return 2 * out.size * _rate(lambda rounds: call(rounds))


def _read(machine: Machine, size: int) -> float:
    lanes = machine.lanes("float32")
    rows = max(1, size // (machine.partial_sums * lanes * 4))
    data = np.ones(rows * machine.partial_sums * lanes, np.float32)
    call = _compiled(read_kernel(machine), [data, np.zeros(lanes, np.float32)])
    return data.nbytes * _rate(lambda rounds: call(rows, rounds))


def _compiled(kernel: ir.Function, arrays: list[np.ndarray]) -> Callable[..., None]:
    """The kernel on ``arrays``, as a function of its dims."""
    target = host_target()
    linked = LinkedObjects(
        [compile_object(write_kernel(kernel, "kernel", target), target, None)], ["kernel"], target
    )
    types = [ctypes.c_void_p] * len(arrays) + [ctypes.c_int64] * len(kernel.dims) + [ctypes.c_int32] * 2
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *types)(linked["kernel"])

    def call(*dims: int) -> None:
        assert linked is not None  # keeps the code alive as long as the function
        function(*(array.ctypes.data for array in arrays), *dims, 0, 1)

    return call


def _rate(run: Callable[[int], None]) -> float:
    """How many rounds per second ``run`` reaches at best."""
    rounds, best, end = 1, 0.0, time.perf_counter() + SECONDS
    while time.perf_counter() < end or best == 0:
        start = time.thread_time()
        run(rounds)
        seconds = time.thread_time() - start
        if seconds < RUN / 2:
            rounds *= 2
        else:
            best = max(best, rounds / seconds)
    return best
