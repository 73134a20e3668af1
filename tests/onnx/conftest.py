"""What tests of ONNX share."""

import re
from typing import Any

import pytest


@pytest.fixture
def exported(request: pytest.FixtureRequest, deep: bool) -> Any:
    """Exports a PyTorch module: an `Exports` with this test's own file."""
    exports = pytest.importorskip(f"{__package__}.exports", reason="onnx or onnxruntime is not installed")
    name = re.sub(r"\W+", "-", f"{request.path.stem.removeprefix('test_')} {request.node.name}").strip("-")
    folder = request.path.parent / "golden" / "exported"
    return exports.Exports(folder / f"{name}.onnx.xz", deep, request.config.getoption("--update-golden"))
