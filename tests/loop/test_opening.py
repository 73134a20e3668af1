"""Which sizes of a kernel become dims, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.loop.checks.verify import verify_function
from netwright.compiler.loop.interpreter.run import run_function
from netwright.compiler.loop.opening import opened
from netwright.compiler.loop.text.parsing import parse_function
from netwright.compiler.loop.text.printing import function_text
from netwright.specs.dims import evaluate

FLAT = """\
kernel k(N >= 1)
  readwrite x: float32[96]
  read y: float32[96]
  parallel for j in 0 .. 6:
    x[16*j] = add(x[16*j]{16}, y[16*j]{16})
"""
FLAT_OPEN = """\
kernel k(N >= 1, size >= 1)
  readwrite x: float32[16*size]
  read y: float32[16*size]
  parallel for j in 0 .. size:
    x[16*j] = add(x[16*j]{16}, y[16*j]{16})
"""
BATCH = """\
kernel k(N >= 1)
  read x: float32[10*N]
  write y: float32[10*N]
  parallel for j in 0 .. 10*N step 16:
    y[j]{count -j + 10*N} = x[j]{16, count -j + 10*N}
"""
BATCH_OPEN = """\
kernel k(N >= 1, size >= 0)
  read x: float32[size]
  write y: float32[size]
  parallel for j in 0 .. size step 16:
    y[j]{count -j + size} = x[j]{16, count -j + size}
"""
PADDED = """\
kernel k(N >= 1)
  read x: float32[N, 4, 9, 32]
  read b: float32[32]
  write y: float32[N, 6, 11, 32]
  parallel for i in 0 .. N:
    parallel for i_1 in 0 .. 4:
      parallel for i_2 in 0 .. 9:
        for j in 0 .. 2:
          y[i, i_1 + 1, i_2 + 1, 16*j] = mul(x[i, i_1, i_2, 16*j]{16}, b[16*j]{16})
"""
PADDED_OPEN = """\
kernel k(N >= 1, size >= 1, size_1 >= 1, size_2 >= 1)
  read x: float32[N, size, size_1, 16*size_2]
  read b: float32[16*size_2]
  write y: float32[N, size + 2, size_1 + 2, 16*size_2]
  parallel for i in 0 .. N:
    parallel for i_1 in 0 .. size:
      parallel for i_2 in 0 .. size_1:
        for j in 0 .. size_2:
          y[i, i_1 + 1, i_2 + 1, 16*j] = mul(x[i, i_1, i_2, 16*j]{16}, b[16*j]{16})
"""
#: The same axis in two loops, and two axes of equal sizes in one kernel.
TURNED = """\
kernel k()
  read x: float32[3, 32, 32]
  write y: float32[3, 32, 32]
  parallel for i in 0 .. 3:
    for i_1 in 0 .. 32 step 16:
      for i_2 in 0 .. 16:
        y[i, 2*i_2, i_1] = x[-i + 2, 2*i_2 + 1, i_1]{16}
    for i_3 in 0 .. 32 step 16:
      for i_4 in 0 .. 16:
        y[i, 2*i_4 + 1, i_3] = x[-i + 2, 2*i_4, i_3]{16}
"""
TURNED_OPEN = """\
kernel k(size >= 1, size_1 >= 1)
  read x: float32[3, 2*size_1, 16*size]
  write y: float32[3, 2*size_1, 16*size]
  parallel for i in 0 .. 3:
    for i_1 in 0 .. 16*size step 16:
      for i_2 in 0 .. size_1:
        y[i, 2*i_2, i_1] = x[-i + 2, 2*i_2 + 1, i_1]{16}
    for i_3 in 0 .. 16*size step 16:
      for i_4 in 0 .. size_1:
        y[i, 2*i_4 + 1, i_3] = x[-i + 2, 2*i_4, i_3]{16}
"""
MEAN = """\
kernel k(N >= 1)
  read x: float32[N, 9]
  write y: float32[]
  parallel for one in 0 .. 1:
    let sum = 0.0:float32
    for k in 0 .. N:
      for k_1 in 0 .. 9:
        sum = add(sum, x[k, k_1])
    let count = index(9*N):float32
    y[] = div(sum, count)
"""
MEAN_OPEN = """\
kernel k(N >= 1, size >= 1, size_1 >= 0)
  read x: float32[N, size]
  write y: float32[]
  parallel for one in 0 .. 1:
    let sum = 0.0:float32
    for k in 0 .. N:
      for k_1 in 0 .. size:
        sum = add(sum, x[k, k_1])
    let count = index(size_1):float32
    y[] = div(sum, count)
"""
CASES = {
    "mean": (MEAN, MEAN_OPEN),
    "flat": (FLAT, FLAT_OPEN),
    "batch": (BATCH, BATCH_OPEN),
    "padded": (PADDED, PADDED_OPEN),
    "turned": (TURNED, TURNED_OPEN),
}


@pytest.mark.parametrize("name", CASES)
def test_sizes_become_dims(name: str) -> None:
    before, after = CASES[name]
    made = opened(parse_function(before))
    assert function_text(made.function) == after
    verify_function(made.function)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("threads", [1, 3])
def test_results_are_the_same(name: str, threads: int) -> None:
    function = parse_function(CASES[name][0])
    made = opened(function)
    dims = dict.fromkeys((name for name, _ in function.dims), 7)
    sizes = {name: evaluate(size, dims) for name, size in made.given.items()}
    results = []
    for own, values in ((function, dims), (made.function, {**dims, **sizes})):
        rng = np.random.default_rng(0)
        shapes = ([evaluate(size, dims) for size in buffer.shape] for buffer in function.buffers)
        arrays = {
            buffer.name: rng.normal(size=shape).astype(np.float32)
            for buffer, shape in zip(function.buffers, shapes, strict=True)
        }
        assert run_function(own, arrays, values, nthreads=threads) == 0
        results.append(arrays)
    for name, array in results[0].items():
        assert array.tobytes() == results[1][name].tobytes()


@pytest.mark.parametrize(
    "body",
    [
        "for j in 0 .. 8:\n    x[j] = index(j):float32",
        "for j in 0 .. 8:\n    if j - 3 >= 0:\n      x[j] = 1.0:float32",
        "for j in 0 .. 8:\n    x[-j + 7] = 1.0:float32",
        "for j in 0 .. 7:\n    x[j] = 1.0:float32\n  for j_1 in 7 .. 8:\n    x[j_1] = 2.0:float32",
        "for j in 0 .. 8:\n    for k in j .. 8:\n      x[k] = 1.0:float32",
        "for j in 0 .. 4:\n    for k in 0 .. 4:\n      x[k + j] = 1.0:float32",
        "for j in 0 .. 8:\n    x[j] = 1.0:float32\n  for j_1 in 0 .. 4:\n    x[j_1] = 2.0:float32",
        "for j in 0 .. 3:\n    x[j] = 1.0:float32",
    ],
    ids=["data", "condition", "backward", "tail", "bounds", "two loops", "a part", "few"],
)
def test_sizes_that_stay(body: str) -> None:
    function = parse_function(f"kernel k()\n  readwrite x: float32[8]\n  {body}\n")
    assert not opened(function).given


def test_names_are_free() -> None:
    made = opened(parse_function(FLAT), ["size", "size_1"])
    assert made.given == {"size_2": 6}
