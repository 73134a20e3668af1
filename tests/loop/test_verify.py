"""The verifier accepts kernels as they are written, and refuses them with one thing changed."""

import numpy as np
import pytest
from hypothesis import given

from netwright.compiler.loop import ir
from netwright.compiler.loop.checks.verify import VerifyError, verify_function, verify_kernel, verify_program
from netwright.compiler.loop.interpreter.memory import InterpreterError
from netwright.compiler.loop.interpreter.run import run_function
from netwright.compiler.loop.text.parsing import parse_function, parse_program
from netwright.specs.dims import evaluate

from .drawing import functions

DENSE = """kernel dense(N >= 1, K >= 1)
  read x: float32[N, K]
  read w: float32[K, 40]
  write y: float32[N, 40]
  parallel for i in 0 .. N step 4:
    for r in 0 .. min(4, N - i):
      for j in 0 .. 40 step 16:
        let acc = 0.0:float32x16
        for k in 0 .. K:
          acc = fma(broadcast<16>(x[i + r, k]), w[k, j]{16, count 40 - j}, acc)
        y[i + r, j]{count 40 - j} = acc
"""
CONV = """kernel conv(H >= 3)
  read x: float32[H, H, 2]
  write y: float32[(H - 3)//2 + 1, H]
  parallel for oh in 0 .. (H - 3)//2 + 1:
    for ow in 0 .. H:
      let acc = 0.0:float32
      unrolled for kh in 0 .. 3:
        unrolled for kw in 0 .. 3:
          acc = add(acc, x[2*oh + kh, ow + kw - 1, 1]{if ow + kw - 1 >= 0 & H - ow - kw >= 0})
      y[oh, ow] = acc
"""
GATHER = """kernel gather(N >= 1, C >= 1)
  read rows: int64[N]
  read table: float32[C, 8]
  readwrite y: float32[N, 8]
  parallel for i in 0 .. N:
    index row = rows[i] in 0 .. C else 1
    if i - 1 >= 0:
      y[i, 0] = table[row, 0]{8}
    else:
      y[i, 4] = table[row, 0]{4, stride 2}
"""
VECTORS = """kernel vectors(N >= 4)
  readwrite x: float32[N]
  local read t: int32[16]
  for i in 0 .. 4*(N//4) step 4:
    x[i] = neg(x[i]{4})
  for j in 4*(N//4) .. N:
    x[j] = x[N - 1 - j]
  for m in 0 .. 16 step 4:
    t[m] = shl(cast<int32>(x[0]{4}), 3:int32x4)
    t[m] = div(bitcast<int32>(x[N - 1]{4, stride -1}), 7:int32x4)
"""
REST = """kernel rest(N >= 1, T >= 1)
  read x: float32[T - 5*(T//5), N, 4]
  write y: float32[T, N, 4]
  parallel for i in 0 .. T - 5*(T//5):
    for j in 0 .. N:
      y[i + 5*(T//5), j, 0] = x[i, j, 0]{4}
"""
NEST = """kernel nest(N >= 1)
  read x: float32[N, 6, 20]
  write y: float32[N, 6, 20]
  parallel for i in 0 .. N:
    parallel for j in 0 .. 6:
      parallel for k in 0 .. 20 step 8:
        y[i, j, k]{count 20 - k} = neg(x[i, j, k]{8, count 20 - k})
"""
TWICE = """kernel twice(N >= 1)
  read x: float32[N]
  write y: float32[N, 4]
  for i in 0 .. N:
    y[i, 0] = x[i - 1]{if i - 1 >= 0}
    y[i, 1] = x[i]
    for j in 0 .. 2:
      y[i, j] = 0.0:float32
    for j in 0 .. 2:
      y[i, j] = 1.0:float32
"""


@pytest.mark.parametrize("text", [DENSE, CONV, GATHER, VECTORS, REST, NEST, TWICE])
def test_accepts(text: str) -> None:
    verify_function(parse_function(text))


MUTATIONS = [
    (DENSE, "0 .. min(4, N - i)", "0 .. 4", "cannot show that N - i - r - 1 ≥ 0"),
    (DENSE, "for k in 0 .. K", "for k in 0 .. K + 1", "load of x, axis 1"),
    (DENSE, "w[k, j]{16, count 40 - j}", "w[k, j]{16}", "load of w, axis 1"),
    (DENSE, "w[k, j]{16, count 40 - j}", "w[k, j]{16, count 41 - j}", "load of w, axis 1"),
    (DENSE, "w[k, j]{16, count 40 - j}", "w[k, j]{16, count 40 - j, stride 2}", "load of w, axis 1"),
    (DENSE, "w[k, j]{16, count 40 - j}", "w[k, j]{16, count 40 - j, stride K - 2}", "stride"),
    (DENSE, "y[i + r, j]{count 40 - j} = ", "y[i + r, j]{count 39 - i} = ", "store to y, axis 1"),
    (DENSE, "x[i + r, k]", "x[i + r - 1, k]", "load of x, axis 0"),
    (DENSE, "x[i + r, k]", "x[i + r]", "1 indices for 2 axes"),
    (DENSE, "x[i + r, k]", "y[i + r, k]", "its access is write"),
    (DENSE, "y[i + r, j]{count 40 - j} = ", "w[i + r, j]{count 40 - j} = ", "its access is read"),
    (DENSE, "0 .. N step 4", "0 .. N step 3", "different elements of y"),
    (DENSE, "y[i + r, j]", "y[0, j]", "different elements of y"),
    (DENSE, "0.0:float32x16", "0.0:float32x8", "fma of float32x16, float32x16, float32x8"),
    (DENSE, "for r in", "for i in", "i is declared twice"),
    (DENSE, "for r in", "parallel for r in", "parallel loop inside another"),
    (TWICE, "= x[i]", "= x[i - 1]", "load of x, axis 0"),  # which a condition has admitted before
    (TWICE, "0 .. 2:\n      y[i, j] = 1", "0 .. 5:\n      y[i, j] = 1", "store to y, axis 1"),  # another j
    (NEST, "y[i, j, k]", "y[0, j, k]", "loop over i: .* different elements of y"),
    (NEST, "y[i, j, k]", "y[i, 0, k]", "loop over j: .* different elements of y"),
    (NEST, "step 8", "step 7", "loop over k: .* different elements of y"),
    (
        NEST,
        "    parallel for j in 0 .. 6",
        "    parallel for j in 0 .. min(6, i)",
        "on which its bounds depend",
    ),
    (
        NEST,
        "    parallel for j",
        "    let one = 1.0:float32\n    parallel for j",
        "of which it is not all the body",
    ),
    (NEST, "parallel for j", "for j", "parallel loop inside another"),
    (NEST, "parallel for i", "for i", None),
    (DENSE, "for r in", "unrolled for r in", "its bounds are not constant"),
    (DENSE, "        y[i + r", "        barrier\n        y[i + r", "a barrier inside a parallel loop"),
    (DENSE, "float32[K, 40]", "float32[M, 40]", "M is not in scope"),
    (DENSE, "        y[i + r", "        prefetch x[100*i + 100, j]\n        y[i + r", None),
    (DENSE, "        y[i + r", "        prefetch x[M]\n        y[i + r", "M is not in scope"),
    (DENSE, "read x: float32", "read x: float64", "broadcast|fma"),
    (CONV, "(H - 3)//2 + 1, H]", "(H - 3)//2, H]", "the shape of y|store to y"),
    (CONV, "conv(H >= 3)", "conv(H >= 1)", None),  # then there is nothing to do
    (CONV, "conv(H >= 3)", "conv(H >= 0)", "the shape of y"),
    (CONV, "in 0 .. (H - 3)//2 + 1:", "in 0 .. (H - 1)//2:", None),
    (CONV, "in 0 .. (H - 3)//2 + 1:", "in 0 .. H//2:", "load of x, axis 0|store to y"),
    (CONV, "kh in 0 .. 3", "kh in 0 .. 4", "load of x, axis 0"),
    (CONV, "ow + kw - 1 >= 0 &", "ow + kw >= 0 &", "load of x, axis 1"),
    (CONV, "H - ow - kw >= 0", "H - ow - kw + 1 >= 0", "load of x, axis 1"),
    (CONV, ", 1]{if", ", 2]{if", "load of x, axis 2"),
    (GATHER, "in 0 .. C else", "in 0 .. C + 1 else", "load of table, axis 0"),
    (GATHER, "in 0 .. C else", "in -1 .. C else", "load of table, axis 0"),
    (GATHER, "in 0 .. C else 1", "in 0 .. C else 0", "not an error code"),
    (GATHER, "rows: int64", "rows: int32", "not an int64 scalar"),
    (GATHER, "stride 2", "stride 3", "load of table, axis 1"),
    (GATHER, "y[i, 0] = ", "y[i - 1, 0] = ", "different elements of y"),
    (GATHER, "y[i, 0] = ", "y[row, 0] = ", "store to y|different elements of y"),
    (REST, "y[i + 5*(T//5), j, 0]", "y[5*(T//5), j, 0]", "different elements of y"),
    (VECTORS, "0 .. 4*(N//4) step", "0 .. N step", "axis 0"),
    (VECTORS, "x[N - 1 - j]", "x[N - j]", None),  # j ≥ 4: still inside
    (VECTORS, "x[N - 1 - j]", "x[N - 5 - j]", "load of x, axis 0"),
    (VECTORS, "vectors(N >= 4)", "vectors(N >= 3)", "load of x, axis 0"),
    (VECTORS, "stride -1", "stride 1", "load of x, axis 0"),
    (VECTORS, "3:int32x4", "32:int32x4", "below the width"),
    (VECTORS, "shl(cast", "shl(bitcast", None),
    (VECTORS, "7:int32x4", "0:int32x4", "positive constant"),
    (VECTORS, "7:int32x4", "7.5:float32x4", "div of int32x4, float32x4"),
    (VECTORS, "int32[16]", "int32[N]", "no static size"),
    (VECTORS, "int32[16]", "int32[1048576]", "larger than"),
    (VECTORS, "m in 0 .. 16", "m in 0 .. 17", "store to t, axis 0"),
]


@pytest.mark.parametrize(("text", "before", "after", "why"), MUTATIONS)
def test_one_change(text: str, before: str, after: str, why: str | None) -> None:
    assert before in text
    changed = parse_function(text.replace(before, after, 1))
    if why is None:
        verify_function(changed)
    else:
        with pytest.raises(VerifyError, match=why):
            verify_function(changed)


def test_a_kernel_is_refused_as_often_as_it_comes() -> None:
    kernel = parse_function(DENSE.replace("x[i + r, k]", "x[i + r - 1, k]"))
    for _ in range(2):
        with pytest.raises(VerifyError, match="load of x, axis 0"):
            verify_kernel(kernel)


@given(functions())
def test_accepted_functions_stay_in_bounds(function: ir.Function) -> None:
    try:
        verify_function(function)
    except VerifyError:
        return
    least = dict(function.dims)
    for n in range(least["N"], 6):
        for t in range(least["T"], 4):
            dims = {"N": n, "T": t}
            buffers = {
                buffer.name: np.zeros([evaluate(size, dims) for size in buffer.shape], buffer.dtype)
                for buffer in function.buffers
            }
            run_function(function, buffers, dims)


def test_the_interpreter_sees_what_the_verifier_refuses() -> None:
    function = parse_function(CONV.replace("kh in 0 .. 3", "kh in 0 .. 4"))
    buffers = {"x": np.zeros((5, 5, 2), np.float32), "y": np.zeros((2, 5), np.float32)}
    with pytest.raises(InterpreterError, match="index 5 on axis 0 of size 5"):
        run_function(function, buffers, {"H": 5})


PROGRAM = """program p(N >= 1, T >= 2)
table
  read x: float32[T, N, 4]
  write out: float32[N, 4]

kernel step(M >= 1)
  read x: float32[M]
  read h: float32[M]
  write g: float32[M]
  parallel for i in 0 .. M:
    g[i] = add(x[i], h[i])

kernel clear(M >= 1)
  write h: float32[M]
  parallel for i in 0 .. M:
    h[i] = 0.0:float32

entry predict
  arena h of 32*N live 0 .. 5
  kernel predict(N >= 1, T >= 2)
    read x: float32[T, N, 4]
    write out: float32[N, 4]
    readwrite h: float32[2, N, 4]
    call clear(h at [0]; 4*N)
    for t in 0 .. T - 1:
      barrier
      call step(x at [t], h at [t - 2*(t//2)], h at [t - 2*((t + 1)//2) + 1]; 4*N)
    barrier
    call step(x as [4*N*T] at [], h at [T - 2*((T + 1)//2) + 1], out; 4*N)
""".replace("x as [4*N*T] at []", "x as [T, 4*N] at [T - 1]")


def test_accepts_programs() -> None:
    verify_program(parse_program(PROGRAM))


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("call step(x at [t],", "call step(x at [t + 2],", "x, axis 0"),
        ("call step(x at [t],", "call step(x,", "it wants 4\\*N elements and gets 4\\*N\\*T"),
        ("x as [T, 4*N]", "x as [T, 4*N + 1]", "x has no shape"),
        ("h at [t - 2*((t + 1)//2) + 1]; 4*N", "h at [t - 2*(t//2)]; 4*N", "may be the same memory"),
        ("call clear(h at [0]; 4*N)", "call clear(h at [0]; 4*N - 4)", "clear: M = |it wants"),
        ("call clear(h at [0]; 4*N)", "call clear(x at [0]; 4*N)", "its access is read"),
        ("call clear(h at [0]; 4*N)", "call clear(h at [0])", "0 dims for 1"),
        ("call clear(h at [0]; 4*N)", "call clean(h at [0]; 4*N)", "no such function"),
        ("for t in 0 .. T - 1", "parallel for t in 0 .. T - 1", "barrier inside|divides work"),
        ("of 32*N live", "of 16*N live", "may be too few for h"),
        ("arena h of", "arena k of", "neither in the table nor in the arena"),
        ("    call clear(h at", "    let v = 0:int32\n    call clear(h at", "has no place in an entry"),
        ("kernel predict(N >= 1", "kernel predict(N >= 2", "its dims are not the program's"),
        ("    h[i] = 0.0:float32", "    call clear(h; M)", "kernels call themselves"),
        ("    read x: float32[T, N, 4]", "    read x: float32[T, 4, N]", "differs from the table's"),
    ],
)
def test_one_change_of_a_program(before: str, after: str, why: str) -> None:
    assert before in PROGRAM
    position = PROGRAM.rindex(before)
    changed = PROGRAM[:position] + after + PROGRAM[position + len(before) :]
    with pytest.raises(VerifyError, match=why):
        verify_program(parse_program(changed))
