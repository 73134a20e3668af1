"""Nothing is computed twice where it is known, and nothing is taken for known that may have changed."""

from __future__ import annotations

import random

import numpy as np
import pytest

from netwright.compiler.codegen.llvm.statements import write_kernel
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.loop import ir
from netwright.compiler.loop.builder import Builder
from netwright.compiler.loop.ir import Expr
from netwright.compiler.loop.text.printing import function_text
from netwright.specs.dims import Dim, DimLike, dim

from .codegen_harness import run_kernel

N = dim("N")


def count(kernel: ir.Function, instruction: str) -> int:
    return write_kernel(kernel, kernel.name, host_target()).count(f"= {instruction} ")


def test_an_element_that_is_read_twice_is_loaded_once() -> None:
    b = Builder("twice", {"N": 1})
    x, y = b.buffer("x", "float32", (N, 3)), b.buffer("y", "float32", (N,), "write")
    with b.loop("i", 0, N) as i:
        first = b.let("a", b.load(x, (i, 1)))
        b.store(y, (i,), b.mul(first, b.load(x, (i, 1))))
    kernel = b.finish()
    assert count(kernel, "load float,") == 1
    assert count(kernel, "mul i64") == 1
    out = np.zeros(4, np.float32)
    assert run_kernel(kernel, {"N": 4}, {"x": np.arange(12, dtype=np.float32), "y": out}) == 0
    np.testing.assert_array_equal(out, [1, 16, 49, 100])


def test_what_is_written_is_loaded_again() -> None:
    b = Builder("again", {})
    x, y = b.buffer("x", "float32", (2,), "readwrite"), b.buffer("y", "float32", (2,), "write")
    b.store(y, (0,), b.load(x, (0,)))
    b.store(x, (0,), b.add(b.load(x, (0,)), b.const(1.0, "float32")))
    b.store(y, (1,), b.load(x, (0,)))
    kernel = b.finish()
    assert count(kernel, "load float,") == 2
    out = np.zeros(2, np.float32)
    assert run_kernel(kernel, {}, {"x": np.array([5, 0], np.float32), "y": out}) == 0
    np.testing.assert_array_equal(out, [5, 6])


def test_a_loop_reads_what_its_last_iteration_wrote() -> None:
    b = Builder("sums", {})
    x, y = b.buffer("x", "float32", (1,), "readwrite"), b.buffer("y", "float32", (4,), "write")
    b.store(y, (0,), b.load(x, (0,)))
    total = b.register("total", b.const(0.0, "float32"))
    b.assign(total, b.add(total, b.load(x, (0,))))
    with b.loop("i", 0, 4) as i:
        b.assign(total, b.add(total, b.load(x, (0,))))
        b.store(y, (i,), total)
        b.store(x, (0,), b.add(b.load(x, (0,)), b.const(1.0, "float32")))
    out = np.zeros(4, np.float32)
    assert run_kernel(b.finish(), {}, {"x": np.array([2], np.float32), "y": out}) == 0
    np.testing.assert_array_equal(out, [4, 7, 11, 16])


def test_a_branch_does_not_know_what_the_other_computed() -> None:
    b = Builder("branches", {"N": 1})
    x, y = b.buffer("x", "float32", (N,)), b.buffer("y", "float32", (N,), "write")
    with b.loop("i", 0, N) as i:
        value = b.register("v", b.const(0.0, "float32"))
        with b.when(i - 2):
            b.assign(value, b.mul(b.load(x, (i,)), b.load(x, (i - 2,))))
        b.assign(value, b.add(value, b.load(x, (i,))))
        b.store(y, (i,), value)
    out = np.zeros(4, np.float32)
    assert run_kernel(b.finish(), {"N": 4}, {"x": np.arange(1, 5, dtype=np.float32), "y": out}) == 0
    np.testing.assert_array_equal(out, [1, 2, 6, 12])


def doubled(depth: int) -> ir.Function:
    """a₀ = x, aₖ₊₁ = aₖ·aₖ + aₖ, as one expression whose nodes are shared."""
    b = Builder("doubled", {})
    x, y = b.buffer("x", "float32", (1,)), b.buffer("y", "float32", (1,), "write")
    value: Expr = b.load(x, (0,))
    for _ in range(depth):
        value = b.add(b.mul(value, value), value)
    b.store(y, (0,), value)
    return b.finish()


def test_shared_nodes_are_written_once() -> None:
    texts = [function_text(doubled(depth)) for depth in (100, 200, 400)]
    assert texts[2].count("mul(") == 400
    grown = [len(text.splitlines()) for text in texts]
    assert grown[2] - grown[1] == 2 * (grown[1] - grown[0])
    assert count(doubled(400), "fmul float") == 400


def test_expressions_thousands_of_nodes_deep() -> None:
    b = Builder("deep", {})
    x, y = b.buffer("x", "float64", (1,)), b.buffer("y", "float64", (1,), "write")
    value = b.let("one", b.load(x, (0,)))
    for _ in range(3000):
        value = b.add(value, b.const(1.0, "float64"))
    b.store(y, (0,), value)
    out = np.zeros(1)
    assert run_kernel(b.finish(), {}, {"x": np.ones(1), "y": out}) == 0
    np.testing.assert_array_equal(out, [3001])


class Drawing:
    """A drawn kernel: registers, loads, stores, loops and branches over one small buffer that it updates."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.b = Builder("drawn", {"N": 1})
        self.x = self.b.buffer("x", "float64", (12,), "readwrite")
        self.y = self.b.buffer("y", "float64", (12,))
        self.scratch = self.b.buffer("s", "float64", (4,), "readwrite", local=True)
        self.loops: list[Dim] = []
        self.registers: list[ir.Read] = []

    def kernel(self) -> ir.Function:
        with self.b.loop("one", 0, 1, kind="parallel"):
            for cell in range(4):
                self.b.store(self.scratch, (cell,), self.b.load(self.y, (cell,)))
            self.body(3)
        return self.b.finish()

    def index(self) -> DimLike:
        if self.loops and self.random.random() < 0.6:
            return self.random.choice(self.loops) + self.random.choice([0, 0, 1])
        return self.random.randrange(4)

    def value(self, depth: int = 2) -> Expr:
        b, kind = self.b, self.random.random()
        if depth and kind < 0.5:
            operation = self.random.choice([b.add, b.sub, b.max])
            return operation(self.value(depth - 1), self.value(depth - 1))
        if self.registers and kind < 0.7:
            return self.random.choice(self.registers)
        buffer = self.random.choice([self.x, self.x, self.y, self.scratch])
        return b.load(buffer, (self.index(),), guards=self.guards())

    def guards(self) -> tuple[DimLike, ...]:
        if self.loops and self.random.random() < 0.3:
            return (self.random.choice(self.loops) - 1,)
        return ()

    def body(self, depth: int) -> None:
        known = len(self.registers)
        for _ in range(self.random.randint(2, 4)):
            self.statement(depth)
        del self.registers[known:]

    def statement(self, depth: int) -> None:
        b, chance = self.b, self.random.random()
        if chance < 0.25 or not self.registers:
            self.registers.append(b.register("r", self.value()))
        elif chance < 0.45:
            b.assign(self.random.choice(self.registers), self.value())
        elif chance < 0.65 or not depth:
            buffer = self.random.choice([self.x, self.x, self.scratch])
            b.store(buffer, (self.index(),), self.value(), guards=self.guards())
        elif chance < 0.85:
            stop, kind = self.random.choice([(3, "serial"), (N, "serial"), (2, "unrolled")])
            with b.loop("i", 0, stop, kind=kind) as i:
                self.loops.append(i)
                self.body(depth - 1)
                self.loops.pop()
        else:
            condition = self.random.choice(self.loops) - 1 if self.loops else N - 2
            b.emit(ir.If((condition,), self.branch(depth), self.branch(depth)))

    def branch(self, depth: int) -> tuple[ir.Stmt, ...]:
        outer, self.b._stack = self.b._stack, [[]]  # pyright: ignore[reportPrivateUsage]
        self.body(depth - 1)
        (inside,), self.b._stack = self.b._stack, outer  # pyright: ignore[reportPrivateUsage]
        return tuple(inside)


@pytest.mark.alike(2)
@pytest.mark.parametrize("seed", range(40))
def test_drawn_kernels_equal_the_interpreter(seed: int) -> None:
    """Small whole numbers, so that sums are exact in any order."""
    kernel = Drawing(seed).kernel()
    rng = np.random.default_rng(seed)
    for n in (1, 3):
        x, y = (rng.integers(-3, 4, 12).astype(np.float64) for _ in range(2))
        assert run_kernel(kernel, {"N": n}, {"x": x, "y": y}) == 0
