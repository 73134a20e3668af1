"""A few trainings of the many that `python -m tests.kills` ends by signals and resumes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright import build, program

from ..slices import sliced
from .drawn import draw
from .killing import disturb, undisturbed

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@pytest.fixture(autouse=True)
def _own_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests put in place of the compiler is for them alone."""
    monkeypatch.setattr(program, "build", program.build)
    monkeypatch.setattr(build, "compile_jit", build.compile_jit)
    monkeypatch.setattr(build, "program_cache", build.program_cache)


@pytest.mark.parametrize("number", sliced([3, 5], lambda number: number == 5))
def test_killed_trainings_end_in_the_same_bits(number: int, tmp_path: Path) -> None:
    spec, whole, seconds = undisturbed(number, tmp_path)
    assert whole.history
    sent = disturb(number, tmp_path, spec, whole, seconds)
    assert sum(sent.values()) >= 1


def test_drawn_trainings_are_valid_and_various(tmp_path: Path) -> None:
    seen: set[str] = set()
    for number in range(30):
        model = netwright.load(draw(number, tmp_path / str(number)))
        assert model.is_valid, model.diagnostics.to_text()
        train = model.spec.train
        assert train is not None
        seen |= {
            name for name in ("ema", "bptt", "balance", "early_stopping", "augment") if getattr(train, name)
        }
        seen |= {"grouped"} if train.group_by_length else set()
        seen |= {"accumulated"} if train.accumulate > 1 else set()
        seen |= {layer.type for layer in model.spec.layers}
    assert seen >= {
        *("ema", "bptt", "balance", "early_stopping", "augment", "grouped", "accumulated", "dropout")
    }
    assert np.load(tmp_path / "0" / "train.npz")["x"].dtype == np.float32
    assert sys.platform != "win32"
