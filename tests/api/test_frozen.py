"""The summary and the resource card show what is frozen, and that training keeps less for it."""

from __future__ import annotations

from pathlib import Path

import netwright
from netwright.analysis.resources import Resources


def test_what_is_frozen_is_shown(tiny: Path) -> None:
    plain = netwright.load(tiny)
    frozen = netwright.load(tiny, ["train.freeze=[hidden, head.bias]"])
    summary = frozen.summary()
    assert [row.frozen for row in summary.rows] == [40, 3]
    assert (summary.parameters, summary.frozen) == (67, 43)
    text = " ".join(summary.to_text().split())
    assert "40 frozen" in text
    assert "27 (3 frozen)" in text
    assert "67 parameters (43 frozen)" in text
    assert summary.to_json()["frozen"] == 43
    assert plain.summary().frozen == 0
    whole, part = (Resources(model.load, model.network).memory("train_step") for model in (plain, frozen))
    assert (whole.frozen, part.frozen) == (0, 43 * 4)
    assert part.to_json()["frozen"] == 172
    assert "frozen" not in whole.to_json()
    assert whole.buffers["state"] - part.buffers["state"] == 43 * 4 * 2  # Adam's two moments
    assert "of it frozen" in Resources(frozen.load, frozen.network).to_text()
