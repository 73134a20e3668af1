"""Broken specs give exactly the diagnostics written beside them: code, line, column, and what is underlined."""

import pytest

from netwright.specs import load_spec_text
from netwright.specs.codes import CODES

from .cases import FOLDER, Case, read_cases, shown

CASES = [case for path in sorted(FOLDER.glob("*.txt")) for case in read_cases(path.name)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_broken_spec(case: Case) -> None:
    result = load_spec_text(case.text, case.file)
    assert shown(result.diagnostics) == case.expected
    assert (result.model is None) == result.diagnostics.has_errors
    assert case.expected


def test_enough_cases_and_every_frontend_code_is_seen() -> None:
    assert len(CASES) >= 40
    seen = {line.split()[0] for case in CASES for line in case.expected}
    # Reading files has its own tests; the rest is raised by later stages.
    elsewhere = {"NW0105", "NW0109", "NW0110", "NW0116", "NW0511"}
    mine = {code for code in CODES if code[:4] in ("NW01", "NW02", "NW05", "NW08")} - elsewhere
    assert mine - seen == set()
