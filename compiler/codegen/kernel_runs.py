"""Runs kernels as machine code and in the loop interpreter on equal buffers: the child process of `verification`."""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import numpy as np

from ..loop import ir
from ..loop.interpreter.memory import InterpreterError
from ..loop.interpreter.run import run_function
from ..loop.interpreter.sampling import Sample, TooLarge, elements, sample
from ..loop.text.parsing import parse_program
from .jit import LinkedObjects
from .llvm.begins import begins
from .targets.target import Target

#: Bytes before and after each buffer, which no kernel may write to.
GUARD = 256
PATTERN = 0xC3
ALIGN = 64
MOST_BYTES = 1 << 30
#: Largest error relative to a buffer's largest number: the code rounds like the interpreter except in elementary
#: functions.
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}


class Difference(Exception):
    """The machine code differs from the interpreter; the message says where."""


class NativeKernels:
    """The kernels of some objects, linked into this process."""

    def __init__(self, codes: Mapping[str, bytes], target: Target):
        self._linked = LinkedObjects(list(codes.values()), list(codes), target)

    def address(self, symbol: str) -> int:
        return self._linked[symbol]


def compare(function: ir.Function, address: int, seed: int) -> bool:
    """Runs the kernel in both ways. Returns False if the interpreter would take too long.

    Raises Difference if the results disagree.
    """
    random = Random(f"{seed} {function.name}")
    ran = False
    for round, (dims, threads) in enumerate(_bindings(function, random)):
        if sum(elements(b, dims) * np.dtype(b.dtype).itemsize for b in function.buffers) > MOST_BYTES:
            continue
        try:
            chosen = sample(function, dims, random)
        except TooLarge:
            continue
        ran = True
        _run(function, address, dims, threads, chosen, np.random.default_rng([seed, round]), round)
    return ran


def _bindings(function: ir.Function, random: Random) -> Iterator[tuple[dict[str, int], int]]:
    """Small sizes, beginning with the least, on one, two and three threads."""
    for most, threads in ((0, 1), (7, 2), (40, 3)):
        if len(function.dims) > 2:  # all sizes are open: together they would be large
            most = min(most, 7)
        yield {name: least + random.randint(0, most) for name, least in function.dims}, threads
        if not function.dims and threads == 2:
            return


def _run(
    function: ir.Function,
    address: int,
    dims: dict[str, int],
    threads: int,
    chosen: Sample,
    rng: np.random.Generator,
    round: int,
) -> None:
    buffers = function.parameters
    first = {buffer.name: _draw(buffer, elements(buffer, dims), rng, round) for buffer in buffers}
    guarded = {name: _guarded(array) for name, array in first.items()}
    begun = begins(function)
    places = [guarded[buffer.name][1].ctypes.data for buffer in buffers]
    places = [
        place + begun.get(buffer.name, 0) * first[buffer.name].itemsize
        for place, buffer in zip(places, buffers, strict=True)
    ]
    codes = _call(address, places, list(dims.values()), threads)
    here = " and ".join(
        [*(f"{name} = {size}" for name, size in dims.items()), f"{threads} thread{'s' * (threads > 1)}"]
    )
    expected = {name: array.copy() for name, array in first.items()}
    try:
        code = run_function(function, expected, dims, {}, threads, chosen)
    except InterpreterError as error:
        raise Difference(f"the interpreter refuses the kernel for {here}: {error}") from None
    whole = _is_whole(chosen)
    if any(codes) or code:
        if whole and bool(code) != any(codes):
            raise Difference(f"for {here} it returns {codes}, the interpreter {code}")
        return
    for buffer in buffers:
        memory, actual = guarded[buffer.name]
        if not _intact(memory, actual):
            raise Difference(f"for {here} it writes outside of buffer {buffer.name}")
        wanted, before = expected[buffer.name], first[buffer.name]
        cells = np.ones(wanted.shape, bool) if whole else ~_same(wanted, before)
        _agree(buffer, actual[cells], wanted[cells], np.flatnonzero(cells), here)


def _is_whole(chosen: Sample) -> bool:
    return chosen.kept >= 1 << 40 or not chosen.free


def _draw(buffer: ir.Buffer, size: int, rng: np.random.Generator, round: int) -> np.ndarray:
    kind = np.dtype(buffer.dtype).kind
    if kind == "f":
        return rng.normal(size=size).astype(buffer.dtype)
    if kind == "b":
        return rng.integers(0, 2, size).astype(bool)
    if buffer.dtype == "int8":  # weights
        return rng.integers(-128, 128, size).astype(np.int8)
    return rng.integers(0, round + 1, size).astype(buffer.dtype)  # indices: within range in the first round


def _guarded(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Memory with the pattern around a copy of ``array``, and that copy."""
    memory = np.full(array.nbytes + 2 * GUARD + ALIGN, PATTERN, np.uint8)
    start = GUARD + -(memory.ctypes.data + GUARD) % ALIGN
    inside = memory[start : start + array.nbytes].view(array.dtype)
    inside[:] = array
    return memory, inside


def _intact(memory: np.ndarray, inside: np.ndarray) -> bool:
    start = inside.ctypes.data - memory.ctypes.data
    return bool((memory[:start] == PATTERN).all() and (memory[start + inside.nbytes :] == PATTERN).all())


def _call(address: int, places: list[int], dims: list[int], threads: int) -> list[int]:
    """The error codes of the threads' shares, run one after another. ``places`` are the addresses where the kernel
    begins in its buffers."""
    types = [ctypes.c_void_p] * len(places) + [ctypes.c_int64] * len(dims) + [ctypes.c_int32] * 2
    call = ctypes.CFUNCTYPE(ctypes.c_int32, *types)(address)
    return [call(*places, *dims, tid, threads) for tid in range(threads)]


def _same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a == b) | ((a != a) & (b != b))


def _agree(buffer: ir.Buffer, actual: np.ndarray, wanted: np.ndarray, at: np.ndarray, here: str) -> None:
    wrong = ~_same(actual, wanted)
    if wanted.dtype.kind == "f" and wrong.any():
        finite = np.abs(wanted[np.isfinite(wanted)])
        scale = max(1.0, float(finite.max())) if finite.size else 1.0
        with np.errstate(all="ignore"):
            wrong &= ~(np.abs(actual - wanted) <= TOLERANCE[buffer.dtype] * scale)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise Difference(
            f"for {here} it differs from the loop interpreter in {int(wrong.sum())} of {wrong.size} elements of "
            f"{buffer.name}: element {int(at[first])} is {actual[first]}, expected {wanted[first]}"
        )


def main(folder: Path) -> None:
    """Verifies the program in ``folder``; prints, as JSON, each kernel begun, too large for the interpreter, or
    wrong."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    program = parse_program((folder / "program.txt").read_text(encoding="utf-8"))
    kernels = {name: (symbol, file) for name, (symbol, file) in index["kernels"].items()}
    files = dict(sorted(set(kernels.values())))
    codes = {symbol: (folder / file).read_bytes() for symbol, file in files.items()}
    native = NativeKernels(codes, Target(*index["target"]))
    for name, (symbol, _) in kernels.items():
        print(json.dumps({"kernel": name, "begun": True}), flush=True)
        try:
            if not compare(program.kernels[name], native.address(symbol), index["seed"]):
                print(json.dumps({"kernel": name, "large": True}), flush=True)
        except Difference as error:
            print(json.dumps({"kernel": name, "wrong": str(error)}), flush=True)
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
