"""The tables of docs/scaling.md are those of the last measurement."""

import json
from pathlib import Path

import pytest

from benchmarks import ranks
from benchmarks.scaling_model import Net, Step, efficiency, step_time, waiting

ROOT = Path(__file__).parents[2]


def test_the_page_has_the_tables_of_the_figures() -> None:
    figures = json.loads((ROOT / "benchmarks" / "scaling.json").read_text(encoding="utf-8"))
    text = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert ranks.page(text, figures) == text


def test_sums_that_are_hidden_cost_nothing() -> None:
    step = Step("net", 64, 10e-3, 1e-3, 0, ((1e6, 0.5), (1e6, 1.0)))
    quick, half = Net("quick", 0, 1e12, 1), Net("half", 0, 1e9, 1)
    assert efficiency(step, quick, 1024) == pytest.approx(1, abs=1e-3)
    # Of two sums of 2·(R − 1)/R ms, the first one ends before the gradients are complete.
    assert waiting(step, half, 2) == pytest.approx(1e-3)
    assert step_time(step, Net("late", 0, 1e9, 0), 2) == pytest.approx(11e-3 + 2e-3)
