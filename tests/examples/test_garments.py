"""The README's first network, trained on drawn garments."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from .running import EXAMPLES, netwright, run_example

pytest.importorskip("PIL", reason="Pillow is not installed (extra: data)")


def test_the_spec_is_the_one_that_the_readme_prints() -> None:
    spec = (EXAMPLES / "garments" / "garments.yaml").read_text(encoding="utf-8")
    assert f"<!-- file: garments.yaml -->\n```yaml\n{spec}```" in (EXAMPLES.parent / "README.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.examples
def test_garments(tmp_path: Path) -> None:
    build = run_example("garments", tmp_path) / "build"
    options = ("--weights", build / "garments.safetensors", "--format", "json")
    printed = netwright("evaluate", build / "garments.yaml", *options)
    accuracy = json.loads(printed)["valid"]["scores"]["accuracy"]
    assert accuracy >= 0.97
    right = np.load(build / "logits.npy").argmax(1) == np.load(build / "held-out" / "label.npy")
    assert right.mean() == pytest.approx(accuracy, abs=0.002)
