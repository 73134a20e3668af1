"""Every broken spec's messages in full, as golden text: words, labels, helps, and the fixes that were tried."""

from pathlib import Path

import pytest

from netwright.model import Model
from netwright.specs.load import load_spec_text

from ..specs.cases import FOLDER, read_cases

FILES = sorted([*FOLDER.glob("*.txt"), *(Path(__file__).parents[1] / "frontend" / "broken").glob("*.txt")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_messages(path: Path, golden) -> None:
    parts = []
    for case in read_cases(path.name, path.parent):
        found = Model(load_spec_text(case.text, case.file)).diagnostics
        parts.append(f"=== {case.title}\n\n{found.to_text()}")
    golden.check(f"messages/{path.name}", "\n".join(parts))
