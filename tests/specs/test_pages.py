"""Every diagnostic code has a page, and the example on it is true: wrong gives the code and nothing else, right is
valid."""

from pathlib import Path

import pytest

from netwright.compiler.frontend.build import build_network
from netwright.specs.diagnostics.codes import CODES
from netwright.specs.diagnostics.pages import Page, pages
from netwright.specs.load import load_spec_text

#: What no text of a spec can give: the file itself or data files are at fault, or an option asks for more.
FILES = {
    "NW0322",
    "NW0413",
    "NW0109",
    "NW0110",
    "NW0116",
    "NW0703",
    "NW0704",
    "NW0705",
    "NW0706",
    "NW0707",
    "NW0708",
}
EXAMPLES = [page for page in pages().values() if page.example]


def test_every_code_has_a_page_with_an_example() -> None:
    assert list(pages()) == list(CODES)
    assert {code for code, page in pages().items() if not page.example} == FILES


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.code)
def test_wrong_and_right(page: Page, tmp_path: Path) -> None:
    assert page.wrong is not None
    assert page.right is not None
    _, diagnostics = build_network(load_spec_text(page.wrong, page.file, folder=str(tmp_path)))
    assert [item.code for item in diagnostics] == [page.code], diagnostics.to_text()
    network, diagnostics = build_network(load_spec_text(page.right, page.file, folder=str(tmp_path)))
    assert network is not None
    assert [item.code for item in diagnostics] == [], diagnostics.to_text()
