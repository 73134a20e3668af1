"""How much work there is that threads can divide."""

from __future__ import annotations

import pytest

from netwright.compiler.loop import ir
from netwright.compiler.loop.text.parsing import parse_function
from netwright.compiler.loop.work import WorkEstimates
from netwright.specs.dims import dim, evaluate

DOUBLE = """kernel double(N >= 1)
  read x: float32[N, 8]
  write y: float32[N, 8]
  parallel for i in 0 .. N:
    for j in 0 .. 8:
      y[i, j] = add(x[i, j], x[i, j])
"""
ONCE = """kernel once()
  write y: float32[8]
  parallel for i in 0 .. 1:
    for j in 0 .. 8:
      y[j] = 1.0:float32
"""


ROWS = """kernel rows(N >= 1)
  read x: float32[N, 3, 8]
  write y: float32[N, 3, 8]
  parallel for i in 0 .. N:
    parallel for j in 0 .. 3:
      y[i, j, 0] = neg(x[i, j, 0]{8})
"""
TILES = """kernel tiles(N >= 1)
  write y: float32[N]
  parallel for i in 0 .. N step 4:
    if N - i - 4 >= 0:
      y[i] = 1.0:float32x4
    else:
      for r in i .. N:
        y[r] = 1.0:float32
"""


def call(name: str, *sizes: object) -> ir.Call:
    return ir.Call(name, (), sizes)  # type: ignore[arg-type]


KERNELS = {"double": DOUBLE, "once": ONCE, "rows": ROWS, "tiles": TILES}


@pytest.fixture
def works() -> WorkEstimates:
    return WorkEstimates({name: parse_function(text) for name, text in KERNELS.items()})


def test_operations_of_loops_that_threads_divide(works: WorkEstimates) -> None:
    """Two loads, an addition and a store, which counts as two: a load that stands there twice may be one or two."""
    work = works.of_call(call("double", dim("M")))
    for size in (2, 3, 100):
        assert evaluate(work, {"M": size}) in (4 * 8 * size, 5 * 8 * size)


def test_one_iteration_is_nothing_to_divide(works: WorkEstimates) -> None:
    assert works.of_call(call("once")) == 0
    assert works.of_call(call("double", 1)) == 0
    assert evaluate(works.of_call(call("double", dim("M"))), {"M": 1}) == 0


def test_a_nest_has_as_many_iterations_as_its_loops_together(works: WorkEstimates) -> None:
    assert [evaluate(works.of_call(call("rows", dim("M"))), {"M": size}) for size in (1, 2)] == [21, 42]


def test_loads_and_stores_count_by_their_bytes() -> None:
    """Eight floats are two of 16 bytes; the store of one is twice one."""
    text = """kernel sum(N >= 1)
  read x: float32[N, 8]
  write y: float32[N]
  parallel for i in 0 .. N:
    y[i] = reduce<add>(x[i, 0]{8})
"""
    works = WorkEstimates({"sum": parse_function(text)})
    assert evaluate(works.of_call(call("sum", dim("M"))), {"M": 10}) == 10 * (2 + 4 + 2)


def test_what_is_done_by_every_share(works: WorkEstimates) -> None:
    """Work outside of the parallel loops: a call with such is divided among threads, no finer."""
    text = """kernel sums(N >= 1)
  read x: float32[N, 8, 8]
  readwrite y: float32[8, 8]
  for k in 0 .. N:
    parallel for i in 0 .. 8:
      y[i, 0] = add(y[i, 0]{8}, x[k, i, 0]{8})
"""
    assert not WorkEstimates({"sums": parse_function(text)}).is_all_divided(call("sums", dim("M")))
    assert all(works.is_all_divided(call(name, dim("M"))) for name in KERNELS)


def test_conditions_are_taken_to_hold(works: WorkEstimates) -> None:
    work = works.of_call(call("tiles", dim("M")))
    assert [evaluate(work, {"M": size}) for size in (1, 4, 5, 40)] == [0, 0, 4, 20]


def test_entries_count_calls_as_often_as_they_run(works: WorkEstimates) -> None:
    once = evaluate(works.of_call(call("double", dim("N"))), {"N": 5})
    loop = ir.For("t", 0, dim("T") * 2, (call("double", dim("N")), ir.Barrier()))
    total = works.of_entry((call("double", dim("N")), loop, call("once")))
    assert evaluate(total, {"N": 5, "T": 4}) == once * (1 + 8)


def test_bounds_from_data_are_in_the_middle_of_their_range() -> None:
    """A loop over 0 to 8 steps runs four times, one that is moved by −3 to 3 cells as often as one that is not. What it
    stores counts twice."""
    text = """kernel steps(N >= 1)
  read lengths: int64[N]
  write y: float32[N, 8]
  parallel for i in 0 .. N:
    index steps = lengths[i] in 0 .. 9 else 1
    index distance = lengths[i] in -3 .. 4 else 1
    for j in max(distance, 0) .. min(steps, steps + distance):
      y[i, j] = 1.0:float32
"""
    works = WorkEstimates({"steps": parse_function(text)})
    assert evaluate(works.of_call(call("steps", dim("M"))), {"M": 10}) == 10 * (2 + 2 * 4)
