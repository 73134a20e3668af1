"""What each pass makes of small graphs, and what it leaves alone: one file per rule (see ``cases``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.interpreter import evaluate

from .cases import MARK, PASSES, UNCHANGED, read_case

HERE = Path(__file__).parent
FILES = sorted(path for name in PASSES for path in HERE.glob(f"{name}/*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path: Path, request: pytest.FixtureRequest) -> None:
    case = read_case(path)
    assert case.one.name == path.parent.name
    found = case.run()
    text = "\n\n".join(map(str, found)) or UNCHANGED
    if request.config.getoption("--update-golden"):
        path.write_text(f"{case.head}{MARK}{text}\n", encoding="utf-8")
    else:
        assert text == case.after
    arrays = inputs = case.inputs()
    for graph in found:  # what is split off gives inputs of what is left
        arrays = {**inputs, **evaluate(graph, {name: arrays[name] for name in graph.inputs})}
    for name, value in evaluate(case.before, inputs).items() if found else ():
        np.testing.assert_allclose(arrays[name], value, rtol=1e-9, atol=case.near(value), err_msg=name)


def test_every_pass_of_the_pipeline_has_cases_and_refusals() -> None:
    """A pass that is added to the pipeline is a pass whose rules and refusals stand here."""
    texts = {
        name: [path.read_text(encoding="utf-8") for path in HERE.glob(f"{name}/*.txt")] for name in PASSES
    }
    assert [name for name, found in texts.items() if not found] == []
    assert [
        name for name, found in texts.items() if not any(t.endswith(f"{UNCHANGED}\n") for t in found)
    ] == []
