"""What lowering decides about small graphs, and what it refuses: one file per rule (see ``plans``)."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.interpreter import evaluate

from ..lowering.engines import run_loops
from .cases import read_case
from .plans import MARK, PLANS

HERE = Path(__file__).parent / "plans"
FILES = sorted(HERE.glob("*/*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_plan(path: Path, request: pytest.FixtureRequest, deep: bool) -> None:
    """By default, half of the kernels are interpreted, and all texts compared."""
    case = read_case(path, "plan", MARK)
    assert case.what == path.parent.name
    text = "\n".join(PLANS[case.what](case))
    if request.config.getoption("--update-golden"):
        path.write_text(f"{case.head}{MARK}{text}\n", encoding="utf-8")
    else:
        assert text == case.after
    if case.what in ("planning", "prefetches", "outer", "parts"):
        return  # sizes at which choices turn take the loop interpreter long; such kernels run in cases of tilings
    if not deep and zlib.crc32(path.stem.encode()) % 2:
        return
    inputs = case.inputs()
    found = run_loops(case.before, inputs, case.dims, case.machine, opens=case.opens)
    for name, value in evaluate(case.before, inputs, case.dims).items():
        rtol, atol = (1e-5, 1e-5) if value.dtype == np.float32 else (1e-9, 1e-12)
        np.testing.assert_allclose(found[name], value, rtol=rtol, atol=atol, err_msg=name)


def test_every_plan_has_cases() -> None:
    assert {path.parent.name for path in FILES} == PLANS.keys()
