"""Broken specs give exactly the diagnostics written beside them: code, line, column, and what is underlined."""

from pathlib import Path

import pytest

from netwright.specs import load_spec_text
from netwright.specs.diagnostics.codes import CODES

from .cases import FOLDER, Case, read_cases, shown

TESTS = Path(__file__).parents[1]
CASES = [case for path in sorted(FOLDER.glob("*.txt")) for case in read_cases(path.name)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_broken_spec(case: Case) -> None:
    result = load_spec_text(case.text, case.file)
    assert shown(result.diagnostics) == case.expected
    assert (result.model is None) == result.diagnostics.has_errors
    assert case.expected


def test_every_code_is_seen() -> None:
    cases = [*CASES]
    for path in sorted((TESTS / "frontend" / "broken").glob("*.txt")):
        cases += read_cases(path.name, path.parent)
    files = sorted((TESTS / "api" / "golden" / "broken").glob("*.txt"))
    assert len(cases) + len(files) >= 150
    seen = {line.split()[0] for case in cases for line in case.expected} | {path.name[:6] for path in files}
    assert seen == set(CODES)
