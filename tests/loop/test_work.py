"""How much work there is that threads can divide."""

from __future__ import annotations

import pytest

from netwright.compiler.loop import ir
from netwright.compiler.loop.parse import parse_function
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


def call(name: str, *sizes: object) -> ir.Call:
    return ir.Call(name, (), sizes)  # type: ignore[arg-type]


@pytest.fixture
def works() -> WorkEstimates:
    return WorkEstimates({name: parse_function(text) for name, text in (("double", DOUBLE), ("once", ONCE))})


def test_operations_of_loops_that_threads_divide(works: WorkEstimates) -> None:
    """Two loads, an addition and a store: a load that stands there twice may be one or two."""
    work = works.of_call(call("double", dim("M")))
    for size in (2, 3, 100):
        assert evaluate(work, {"M": size}) in (3 * 8 * size, 4 * 8 * size)


def test_one_iteration_is_nothing_to_divide(works: WorkEstimates) -> None:
    assert works.of_call(call("once")) == 0
    assert works.of_call(call("double", 1)) == 0
    assert evaluate(works.of_call(call("double", dim("M"))), {"M": 1}) == 0


def test_entries_count_calls_as_often_as_they_run(works: WorkEstimates) -> None:
    once = evaluate(works.of_call(call("double", dim("N"))), {"N": 5})
    loop = ir.For("t", 0, dim("T") * 2, (call("double", dim("N")), ir.Barrier()))
    total = works.of_entry((call("double", dim("N")), loop, call("once")))
    assert evaluate(total, {"N": 5, "T": 4}) == once * (1 + 8)
