"""Specs whose shapes, losses or cells are wrong give exactly the diagnostics written beside them."""

from pathlib import Path

import pytest

from netwright.compiler.frontend.build import build_network
from netwright.specs.diagnostics.codes import CODES
from netwright.specs.load import load_spec_text

from ..specs.cases import Case, read_cases, shown

CASES = read_cases("shapes.txt", Path(__file__).parent / "broken")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_broken_spec(case: Case) -> None:
    network, diagnostics = build_network(load_spec_text(case.text, "spec.yaml"))
    assert shown(diagnostics) == case.expected
    assert (network is None) == diagnostics.has_errors
    assert diagnostics.to_text()


def test_every_code_of_the_stage_is_seen() -> None:
    seen = {line.split()[0] for case in CASES for line in case.expected}
    mine = {
        "NW0304",
        "NW0308",
        "NW0309",
        "NW0310",
        "NW0311",
        "NW0312",
        "NW0313",
        "NW0314",
        "NW0315",
        "NW0317",
    }
    mine |= {"NW0320", "NW0321", "NW0609"}
    mine |= {
        "NW0318",
        "NW0319",
        "NW0403",
        "NW0404",
        "NW0405",
        "NW0406",
        "NW0408",
        "NW0409",
        "NW0410",
        "NW0412",
        "NW0511",
    }
    mine |= {"NW0603", "NW0604", "NW0605", "NW0606", "NW0608"}
    assert mine <= CODES.keys()
    assert mine - seen == set()


def test_a_window_is_blamed_on_the_layer_that_made_the_size() -> None:
    case = next(case for case in CASES if case.title == "a window larger than the input")
    _, diagnostics = build_network(load_spec_text(case.text, "spec.yaml"))
    (error,) = diagnostics.errors
    assert error.label == "5 is larger than the input, 2"
    assert [text for _, text in error.labels] == [
        "gives [N, 2, 2, 4]: 2 = ⌈6 / 4⌉",
        "gives [N, 6, 6, 4]: 6 = ⌊(13 − 3) / 2⌋ + 1",
        "is [N, 13, 13, 8]",
    ]
    assert [fix.title for fix in error.fixes] == ["padding: same", "kernel_size: 2", "x of 35×35 or more"]
