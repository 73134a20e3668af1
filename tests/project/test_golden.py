"""The golden-text fixture itself: it writes only when asked, and never passes for want of a file."""

from pathlib import Path

import pytest


def test_golden_text(golden, tmp_path: Path) -> None:
    kind = type(golden)
    with pytest.raises(AssertionError, match="no golden file"):
        kind(tmp_path, update=False).check("a/b.txt", "text\n")
    assert not list(tmp_path.iterdir())
    kind(tmp_path, update=True).check("a/b.txt", "text\n")
    kind(tmp_path, update=False).check("a/b.txt", "text\n")
    with pytest.raises(AssertionError, match="differs"):
        kind(tmp_path, update=False).check("a/b.txt", "other\n")
