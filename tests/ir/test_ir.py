"""What each pass makes of small graphs, and what it leaves alone: one file per rule (see ``cases``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.graph.parse import parse_graph
from netwright.compiler.interpreter import evaluate
from netwright.compiler.passes.base import Pass
from netwright.compiler.pipeline import optimize, prepare

from .cases import MARK, PASSES, UNCHANGED, read_case

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*/*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path: Path, request: pytest.FixtureRequest) -> None:
    case = read_case(path)
    assert case.one.name == path.parent.name
    found = case.run()
    if request.config.getoption("--update-golden"):
        path.write_text(f"{case.head}{MARK}{found}\n", encoding="utf-8")
    else:
        assert found == case.after
    if found != UNCHANGED:
        inputs = case.inputs()
        expected = evaluate(case.before, inputs)
        for name, value in evaluate(parse_graph(found), inputs).items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-9, atol=1e-12, err_msg=name)


def test_every_pass_of_the_pipeline_has_cases_and_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that is added to the pipeline is a pass whose rules and refusals stand here."""
    seen: dict[str, Pass] = {}

    class Manager:
        def run(self, graph: object, passes: list[Pass]) -> object:
            seen.update({one.name: one for one in passes})
            return graph

    for phase in (prepare, optimize):
        phase(None, Manager())  # pyright: ignore[reportArgumentType]
    assert seen.keys() == PASSES.keys()
    texts = {name: [path.read_text(encoding="utf-8") for path in HERE.glob(f"{name}/*.txt")] for name in seen}
    assert [name for name, found in texts.items() if not found] == []
    assert [
        name for name, found in texts.items() if not any(t.endswith(f"{UNCHANGED}\n") for t in found)
    ] == []
