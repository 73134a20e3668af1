"""Equal groups share a kernel that is generated once, and the program is the same as if each had been generated."""

from __future__ import annotations

from typing import Any

import pytest

from netwright.compiler.driver import Lowered
from netwright.compiler.graph.parse import parse_graph
from netwright.compiler.loop.text.printing import program_text
from netwright.compiler.lowering.kernels import fused
from netwright.compiler.lowering.kernels.repeats import Repeats

from ..draw.networks import draw
from ..engines.harness import Model
from ..machines import MACHINES
from ..slices import sliced
from .engines import lowered as lowered_graph

STACKED = {
    "netwright": 1,
    "model": "m",
    "dims": {"N": "batch", "T": "time"},
    "inputs": {"x": {"shape": ["N", "T", 5], "lengths": "n"}, "n": {"shape": ["N"], "dtype": "int64"}},
    "layers": [
        {"name": "a", "type": "lstm", "units": 7, "layers": 2, "unroll": 4, "inputs": ["x"]},
        {"name": "b", "type": "dense", "units": 3},
    ],
    "outputs": {"y": "b"},
    "train": {"loss": {"type": "mse", "output": "y", "target": "t"}},
}
BLOCKS = {
    "netwright": 1,
    "model": "m",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 9, 9, 8]}},
    "layers": [
        {"name": "a0", "type": "conv2d", "filters": 8, "kernel_size": 3, "padding": "same"},
        {"name": "b0", "type": "add", "inputs": ["x", "a0"]},
        {"name": "a1", "type": "conv2d", "filters": 8, "kernel_size": 3, "padding": "same"},
        {"name": "b1", "type": "add", "inputs": ["b0", "a1"]},
        {
            "name": "a2",
            "type": "conv2d",
            "filters": 8,
            "kernel_size": 3,
            "padding": "same",
            "activation": "relu",
        },
        {"name": "b2", "type": "concat", "inputs": ["a2", "b1", "a2"]},
    ],
    "outputs": {"y": "b2"},
    "train": {"loss": {"type": "mse", "output": "y", "target": "t"}},
}


def lowered(spec: Any, machine: str = "avx512") -> Lowered:
    return Model(spec, MACHINES[machine]).lowered


def _built(self: Repeats, *given: Any, turn: str | None = None, parts: Any = None) -> fused.Kernel:
    """What ``Repeats.kernel`` is asked for, generated anew; ``given`` may end with ``turn``."""
    roles, group, place, targets, dims, machine, *more = given
    (turn,) = more or (turn,)
    return fused.build(roles, group, place, targets, dims, machine, None, turn, parts)


def without_repeats(monkeypatch: pytest.MonkeyPatch, spec: Any, machine: str = "avx512") -> Lowered:
    with monkeypatch.context() as patch:
        patch.setattr(Repeats, "kernel", _built)
        return lowered(spec, machine)


@pytest.mark.parametrize("spec", [STACKED, BLOCKS], ids=["stacked", "blocks"])
def test_the_program_is_the_same(monkeypatch: pytest.MonkeyPatch, spec: Any) -> None:
    assert program_text(lowered(spec).program) == program_text(without_repeats(monkeypatch, spec).program)


@pytest.mark.alike(2)
@pytest.mark.parametrize("number", sliced(range(8), lambda number: number % 2 == 0))
def test_drawn_programs_are_the_same(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    case = draw(number, seed=6)
    shared = lowered(case.spec, case.machine)
    assert program_text(shared.program) == program_text(
        without_repeats(monkeypatch, case.spec, case.machine).program
    )


def test_copies_of_a_step_are_generated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    generated: list[fused.Kernel] = []
    asked: list[fused.Kernel] = []
    build, kernel = fused.build, Repeats.kernel

    def built(*arguments: Any) -> fused.Kernel:
        generated.append(build(*arguments))
        return generated[-1]

    def given(self: Repeats, *arguments: Any) -> fused.Kernel:
        asked.append(kernel(self, *arguments))
        return asked[-1]

    monkeypatch.setattr("netwright.compiler.lowering.kernels.repeats.build", built)
    monkeypatch.setattr(Repeats, "kernel", given)
    lowered(STACKED)
    assert len(asked) > 3 * len(generated)
    assert {id(own.function) for own in asked} == {id(own.function) for own in generated}


UNREAD = """
graph "g" {
  %0 = constant() {dtype="float64", shape=(1, 2), data=x"000000000000f03f0000000000001440"} : float64[1, 2]
  %1 = pad(%0) {low=(2, 0), high=(0, 0), interior=(0, 0), fill=7} : float64[3, 2]
  %2 = reduce_window(%1) {op="max", window=(2, 1), stride=(2, 1)} : float64[1, 2]
  return "y"=%2
}
"""


def test_tables_that_no_kernel_reads_have_no_memory() -> None:
    """The window lies in the padding; tables are compared by their contents, for which they need no place."""
    program, constants = lowered_graph(parse_graph(UNREAD))
    assert constants == {}
    assert [buffer.name for buffer in program.table] == ["y"]
