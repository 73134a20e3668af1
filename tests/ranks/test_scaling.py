"""The tables of docs/scaling.md are those of the last measurement."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("ranks_benchmark", ROOT / "benchmarks" / "ranks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "ranks_benchmark", module)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_tables_of_the_figures(benchmark: ModuleType) -> None:
    figures = json.loads((ROOT / "benchmarks" / "scaling.json").read_text(encoding="utf-8"))
    text = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert benchmark.page(text, figures) == text


def test_sums_that_are_hidden_cost_nothing(benchmark: ModuleType) -> None:
    from scaling_model import Net, Step, efficiency, step_time, waiting

    step = Step("net", 64, 10e-3, 1e-3, 0, ((1e6, 0.5), (1e6, 1.0)))
    quick, half = Net("quick", 0, 1e12, 1), Net("half", 0, 1e9, 1)
    assert efficiency(step, quick, 1024) == pytest.approx(1, abs=1e-3)
    # Of two sums of 2·(R − 1)/R ms, the first one ends before the gradients are complete.
    assert waiting(step, half, 2) == pytest.approx(1e-3)
    assert step_time(step, Net("late", 0, 1e9, 0), 2) == pytest.approx(11e-3 + 2e-3)
