"""What gradients of scans keep of the forward pass, and how they sum: one file per rule, as for passes.

A case names after ``wrt`` the inputs whose gradients the output ``loss`` gets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.autodiff import gradients
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.verify import verify
from netwright.compiler.interpreter import evaluate
from netwright.compiler.passes.base import Phase
from netwright.compiler.passes.dead_code import RemoveDeadCode
from netwright.compiler.passes.scans.checkpoint_scans import CheckpointScans

from .cases import MARK, read_case

FILES = sorted(Path(__file__).parent.glob("gradients/*.txt"))


def _differentiated(graph: Graph, names: list[str]) -> Graph:
    before = Phase("one", (CheckpointScans(),)).run(graph)
    after, slopes = gradients(before, "loss", names)
    for name, value in slopes.items():
        after.set_output(f"slope.{name}", value)
    after = Phase("one", (RemoveDeadCode(),)).run(after)
    verify(after)
    return after


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_gradient(path: Path, request: pytest.FixtureRequest) -> None:
    case = read_case(path, "wrt")
    names = case.what.split(", ")
    result = _differentiated(case.before, names)
    if request.config.getoption("--update-golden"):
        path.write_text(f"{case.head}{MARK}{result}\n", encoding="utf-8")
    else:
        assert str(result) == case.after
    inputs = case.inputs()
    values = evaluate(result, inputs, case.dims)
    for name in names:
        moved = np.random.default_rng(1).normal(size=inputs[name].shape)
        ends = [
            evaluate(case.before, {**inputs, name: inputs[name] + s * 1e-6 * moved}, case.dims)["loss"]
            for s in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(np.sum(values[f"slope.{name}"] * moved), slope, rtol=1e-7)
