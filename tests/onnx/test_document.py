"""docs/onnx.md says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx")

from netwright.onnx.document import document

PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"


def test_the_page_is_printed_from_the_table(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        PAGE.write_text(document(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == document(), "run pytest tests/onnx --update-golden"
