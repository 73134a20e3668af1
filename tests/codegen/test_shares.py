"""Parts of entries that threads run for some samples each: text, checks, the loop interpreter and native code."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from netwright.compiler.codegen.jit import compile_jit
from netwright.compiler.loop import ir
from netwright.compiler.loop.checks.verify import verify_program
from netwright.compiler.loop.interpreter.memory import InterpreterError
from netwright.compiler.loop.interpreter.run import run_entry
from netwright.compiler.loop.text.parsing import parse_program
from netwright.compiler.loop.text.printing import program_text
from netwright.compiler.loop.typing import VerifyError

from .codegen_harness import run_program

PROGRAM = """program p(N >= 1, T >= 1)
table
  read x: int64[T, N]
  read w: float32[4, 4]
  write out: float32[N, 4]

kernel clear(size >= 1)
  write h: float32[4*size]
  parallel for i in 0 .. size:
    h[4*i] = 1.0:float32x4

kernel step(N >= 1)
  read x: int64[N]
  read w: float32[4, 4]
  read h: float32[N, 4]
  write g: float32[N, 4]
  parallel for i in 0 .. N:
    index row = x[i] in 0 .. 4 else 7
    g[i, 0] = fma(h[i, 0]{4}, w[row, 0]{4}, h[i, 0]{4})

kernel copy(N >= 1)
  read h: float32[N, 4]
  write g: float32[N, 4]
  parallel for i in 0 .. N:
    g[i, 0] = h[i, 0]{4}

entry predict
  arena h of 32*N live 0 .. 5
  arena g of 16*N live 0 .. 5
  kernel predict(N >= 1, T >= 1)
    read x: int64[T, N]
    read w: float32[4, 4]
    write out: float32[N, 4]
    readwrite h: float32[2, N, 4]
    readwrite g: float32[N, 4]
    call clear(h as [8*N]; 2*N)
    barrier
    divide N by 2:
      for t in 0 .. T:
        call step(x at [t], w, h at [t - 2*(t//2)], g; N)
        barrier
        call copy(g, h at [-t + 2*(t//2) + 1]; N)
        barrier
    barrier
    call copy(h at [T - 2*(T//2)], out; N)
"""


def program(before: str = "", after: str = "") -> ir.Program:
    assert before in PROGRAM
    return parse_program(PROGRAM.replace(before, after, 1))


def arrays(n: int, t: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(n)
    x, w = rng.integers(0, 4, (t, n)), rng.uniform(-0.5, 0.5, (4, 4)).astype(np.float32)
    return {"x": x, "w": w, "out": np.zeros((n, 4), np.float32)}


def test_text_and_checks() -> None:
    made = program()
    assert parse_program(program_text(made)) == made
    verify_program(made)
    verify_program(program("divide N by 2", "divide N by 1"))
    few = program("divide N by 2", "divide N by 1 into 3 or more")
    assert parse_program(program_text(few)) == few
    verify_program(few)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("divide N by 2", "divide N by 0", "not by rows"),
        ("divide N by 2", "divide N by 2 into 3 or more", "not multiples of 2"),
        ("divide N by 2", "divide N by 1 into 0 or more", "at least 0"),
        ("divide N by 2", "divide M by 2", "no dim that may be 1"),
        ("divide N by 2", "divide T by 2", "T depends on it"),
        ("for t in 0 .. T:", "for t in 0 .. N:", "x, axis 0|N depends on it"),
        ("h at [t - 2*(t//2)], g; N)", "h at [t - 2*(t//2)], g as [4*N]; N)", "different elements of g"),
        ("x at [t], w,", "x as [N, T] at [0], w,", "N is not the first axis|wants N elements"),
        ("call copy(g, h", "call copy(g, w as [1, 16] at [0], h", "3 buffers for 2"),
        ("        call copy(g", "        if t - 1 >= 0:\n          barrier\n        call copy(g", "If has no place"),
        ("        call copy(g", "        call clear(h as [8*N]; 2*N)\n        call copy(g", "different elements of h"),
    ],
)  # fmt: skip
def test_one_change(before: str, after: str, why: str) -> None:
    with pytest.raises(VerifyError, match=why):
        verify_program(program(before, after))


@pytest.mark.alike(2)
@pytest.mark.parametrize("nthreads", [1, 2, 3, 5])
@pytest.mark.parametrize(("n", "t"), [(1, 4), (2, 3), (3, 3), (8, 5), (13, 1)])
@pytest.mark.parametrize("by", ["by 2", "by 1 into 2 or more"])
def test_all_engines_and_numbers_of_threads_agree(n: int, t: int, nthreads: int, by: str) -> None:
    made, given = program("by 2", by), arrays(n, t)
    h = np.ones((n, 4), np.float32)
    for row in given["x"]:
        h = h * given["w"][row] + h
    for run in (run_entry, run_program):
        out = np.zeros((n, 4), np.float32)
        table = {**given, "out": out}
        if run is run_entry:
            assert run_entry(made, "predict", table, {"N": n, "T": t}, nthreads) == 0
        else:
            assert run_program(made, {"N": n, "T": t}, table, nthreads, "predict") == 0
        np.testing.assert_allclose(out, h, rtol=1e-5)


@pytest.mark.parametrize("samples", [3, 4, 5, 6, 7, 11])
def test_shares_have_no_fewer_samples(samples: int) -> None:
    """Each share writes how many samples it has, in the interpreter and in native code."""
    text = PROGRAM.replace("divide N by 2", "divide N by 1 into 2 or more")
    text = text.replace("g[i, 0] = h[i, 0]{4}", "g[i, 0] = broadcast<4>(index(N):float32)")
    text = text.replace("    call copy(g", "    call keep(g")
    text = text.replace("call copy(h at [T - 2*(T//2)], out; N)", "call keep(h at [T - 2*(T//2)], out; N)")
    keep = PROGRAM[PROGRAM.index("kernel copy") : PROGRAM.index("entry")].replace("copy", "keep", 1)
    text = text.replace(
        "call step(x at [t], w, h at [t - 2*(t//2)], g; N)", "call copy(h at [t - 2*(t//2)], g; N)"
    )
    made = parse_program(text.replace("entry predict", f"{keep}entry predict", 1))
    for nthreads in (1, 2, 3, 5):
        shares = max(1, min(nthreads, samples // 2))
        edges = [samples * share // shares for share in range(shares + 1)]
        expected = [end - begin for begin, end in pairwise(edges) for _ in range(begin, end)]
        for run in (run_entry, run_program):
            table = arrays(samples, 2)
            if run is run_entry:
                run_entry(made, "predict", table, {"N": samples, "T": 2}, nthreads)
            else:
                run_program(made, {"N": samples, "T": 2}, table, nthreads, "predict")
            assert table["out"][:, 0].tolist() == expected


@pytest.mark.parametrize("nthreads", [1, 2, 3])
def test_an_error_in_a_share_ends_all(nthreads: int) -> None:
    native = compile_jit(program(), cache=None)
    for sample in range(8):
        given = arrays(8, 6)
        given["x"][sample % 6, sample] = 4
        assert run_program(program(), {"N": 8, "T": 6}, given, nthreads, "predict", native) == 7
    assert run_program(program(), {"N": 8, "T": 6}, arrays(8, 6), nthreads, "predict", native) == 0


def test_the_interpreter_sees_what_shares_write_together() -> None:
    first = PROGRAM[PROGRAM.index("kernel copy") : PROGRAM.index("entry")]
    first = (
        first.replace("copy", "first").replace("g: float32[N, 4]", "g: float32[4]").replace("g[i, 0]", "g[0]")
    )
    text = PROGRAM.replace("entry predict", f"{first}entry predict", 1)
    text = text.replace("0 .. N:\n    g[0]", "0 .. 1:\n    g[0]")
    text = text.replace("        call copy(g", "        call first(g, f; N)\n        call copy(g", 1)
    text = text.replace("  arena g of", "  arena f of 16 live 0 .. 5\n  arena g of")
    text = text.replace("    readwrite g: ", "    readwrite f: float32[4]\n    readwrite g: ")
    with pytest.raises(InterpreterError, match=r"race|thread"):
        run_entry(parse_program(text), "predict", arrays(8, 3), {"N": 8, "T": 3}, 2)
    with pytest.raises(VerifyError, match="different elements of f"):
        verify_program(parse_program(text))
