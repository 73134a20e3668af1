"""What `summary` says of memory and gradients is what `resources` and `gradients` say."""

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

import netwright
from netwright.analysis.resources import Resources
from netwright.describe import bytes_text
from netwright.inspection.gradients import gradient_flow

SUNSPOTS = Path(__file__).parents[2] / "examples" / "sunspots" / "sunspots.yaml"


def test_summary_ends_with_what_was_computed(cli: Callable[..., Result]) -> None:
    model = netwright.load(SUNSPOTS)
    resources, (flow,) = Resources(model.load, model.network), gradient_flow(model).flows
    *_, memory, gradients = cli("summary", SUNSPOTS).stdout.splitlines()
    for entry, purpose in (("predict", "to predict (N = 1, "), ("train_step", "to train (N = 16, ")):
        assert f"{bytes_text(resources.memory(entry).total)} {purpose}" in memory
    assert gradients.startswith(f"gradients: memory {flow.verdict}, × {flow.gain:.3g} a step")
    found = json.loads(cli("summary", SUNSPOTS, "--format", "json").stdout)
    assert found["resources"] == resources.to_json()["entries"]
    assert [one["layer"] for one in found["gradients"]] == ["memory"]


def test_quick_leaves_it_out(cli: Callable[..., Result]) -> None:
    assert "memory:" not in cli("summary", "--quick", SUNSPOTS).stdout
    assert "resources" not in json.loads(cli("summary", "--quick", SUNSPOTS, "--format", "json").stdout)
