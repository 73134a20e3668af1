"""Long-term dependencies: LSTM and GRU learn what a plain recurrent network does not, and gradients show why."""

from __future__ import annotations

import json
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import netwright
from netwright.inspection.gradients import gradient_flow

from .running import EXAMPLES, run_example

EXAMPLE = EXAMPLES / "memory"


@pytest.fixture(scope="module")
def make_data() -> ModuleType:
    """The script that draws the sequences."""
    spec = spec_from_file_location("make_data", EXAMPLE / "make_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_sequences_are_what_the_problems_say(make_data: ModuleType) -> None:
    rng = np.random.default_rng(3)
    x, total = make_data.adding(rng, 50, 400).values()
    assert x.shape == (50, 400, 2)
    assert (x[:, :200, 1].sum(1) == 1).all()
    assert (x[:, 200:, 1].sum(1) == 1).all()
    np.testing.assert_allclose((x[..., 0] * x[..., 1]).sum(1, keepdims=True), total, rtol=1e-6)
    symbols, answer = make_data.copying(rng, 50, 100).values()
    assert symbols.shape == (50, 108)
    np.testing.assert_array_equal(symbols[:, :4], answer + 1)
    assert (symbols[:, 4:104] == 0).all()
    assert (symbols[:, 104:] == 9).all()


def test_gradients_vanish_in_the_plain_network_alone(make_data: ModuleType) -> None:
    inputs = {"x": make_data.adding(np.random.default_rng(3), 2, 400)["x"]}
    left = {}
    for kind in ("rnn", "lstm", "gru"):
        model = netwright.load(EXAMPLE / "adding.yaml", {"layers.memory.type": kind})
        assert model.is_valid, model.diagnostics.to_text()
        (flow,) = gradient_flow(model, inputs=inputs).flows
        left[kind] = flow.left
    assert left["rnn"] < 1e-12
    assert min(left["lstm"], left["gru"]) > 0.1


@pytest.mark.examples
def test_memory(tmp_path: Path) -> None:
    build = run_example("memory", tmp_path) / "build"
    results = json.loads((build / "results.json").read_text(encoding="utf-8"))
    adding, copying = results["adding"], results["copying"]
    for steps in ("T = 400", "T = 1000", "T = 2000"):
        assert adding["rnn"][steps] > 0.1  # to answer 1 always: 0.167
    for kind in ("lstm", "gru"):
        assert max(adding[kind].values()) < 0.01
        assert copying[kind]["T = 100"] > 0.95
    assert copying["rnn"]["T = 100"] < 0.3
    for name in ("first-gradients.svg", "trained-gradients.svg"):
        assert (build / name).read_text(encoding="utf-8").startswith("<svg")
    answer = subprocess.run(
        [build / "adding", "-i", build / "sequence.npy", "--print"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    x = np.load(build / "sequence.npy")
    assert float(answer.split()[-1]) == pytest.approx((x[..., 0] * x[..., 1]).sum(), abs=0.15)
