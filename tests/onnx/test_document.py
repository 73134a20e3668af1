"""docs/onnx.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx

from netwright.onnx.document import document

from ..forked import forked
from .models import model

PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"


def test_the_page_is_printed_from_the_table(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        PAGE.write_text(document(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == document(), "run pytest tests/onnx --update-golden"


def test_the_example_in_python_runs(tmp_path: Path) -> None:
    (example,) = re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    kernel = np.ones((2, 3, 3, 3), np.float32)
    node = onnx.helper.make_node("Conv", ["image", "kernel"], ["y"], kernel_shape=[3, 3])
    found = model([node], {"image": ["N", 3, 8, 8]}, ["y"], {"kernel": kernel})
    onnx.save(found, tmp_path / "resnet.onnx")
    done = forked(code=example, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    onnx.checker.check_model(onnx.load(tmp_path / "again.onnx"), full_check=True)
