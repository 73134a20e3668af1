"""The resource card is what the compiled program asks for, for any sizes; budgets are kept."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st

import netwright
from netwright.analysis.resources import Resources
from netwright.analysis.summary import summarize
from netwright.build import build, entry_graphs
from netwright.compiler.codegen.targets.target import named_target
from netwright.inspection.measure import measure
from netwright.model import Model
from netwright.specs.dims import evaluate
from netwright.specs.load import load_spec_text

EXAMPLES = Path(__file__).parents[2] / "examples"
SPECS = [EXAMPLES / "lenet" / "lenet.yaml", EXAMPLES / "sunspots" / "sunspots.yaml"]

BUDGET = """\
netwright: 1
model: pend
dims: {N: batch, T: {role: time, max: 64}}
inputs: {x: {shape: [N, T, 3]}}
layers:
  - {name: enc, type: gru, units: 32}
  - {name: head, type: dense, units: 1}
outputs: {y: head}
budget: {params: 4 k, flops: 0.5 M, memory: 60 KiB, latency_ms: 1e-6}
"""
#: The same, small, and trained by windows.
WINDOWED = (
    BUDGET.partition("budget:")[0].replace("gru, units: 32", "rnn, units: 4").replace("64", "512")
    + """\
train:
  data: {train: none.npz}
  loss: {type: mse, output: y, target: t}
  optimizer: {type: sgd, learning_rate: 0.1}
  bptt: {window: 16}
"""
)


@pytest.fixture(scope="module", params=SPECS, ids=lambda path: path.stem)
def pair(request: pytest.FixtureRequest):
    """The card, and the compiled program it is about."""
    model = netwright.load(request.param)
    graphs = entry_graphs(model.network, ("predict", "train_step"))
    return Resources(model.load, model.network), build(model.network, graphs, named_target("native")).engine()


@settings(max_examples=20)
@given(data=st.data())
def test_the_arena_is_what_the_program_plans(pair, data: st.DataObject) -> None:
    resources, engine = pair
    for entry in ("predict", "train_step"):
        dims = {name: data.draw(st.integers(1, 300), label=name) for name in resources.network.dims}
        found = resources.memory(entry, dims)
        assert found.arena == engine.arena_bytes(entry, dims)
        formulas = resources.formulas(entry, dims)
        assert evaluate(formulas.live, dims) <= found.arena
        assert evaluate(formulas.tape, dims) == found.tape < found.arena
        assert evaluate(formulas.data, dims) == found.buffers["inputs"] + found.buffers["outputs"]
        assert found.total == sum(found.buffers.values()) + found.arena


def test_weights_and_optimizer_state(pair) -> None:
    resources, _ = pair
    summary = summarize(resources.load, resources.network)
    found = resources.memory("train_step")
    assert found.buffers["weights"] + found.buffers.get("statistics", 0) == summary.weight_bytes
    assert resources.memory("predict").tape == 0
    assert found.tape > 0
    assert found.buffers["state"] % found.buffers["weights"] == 8  # moments, and the step counter


def test_truncated_training_reads_windows() -> None:
    model = Model(load_spec_text(WINDOWED, "p.yaml"))
    resources = Resources(model.load, model.network, ("train_step",))
    window = model.spec.train.bptt.window if model.spec.train and model.spec.train.bptt else 0
    assert 1 < window < 512
    assert resources.default_dims("predict")["T"] == 512
    assert resources.default_dims("train_step")["T"] == window


def test_what_it_takes_to_run() -> None:
    model = netwright.load(SPECS[1])
    found = measure(model.load, model.network, {"N": 1, "T": 8})
    assert found.latency_ms > 0
    assert found.calls >= 3
    assert found.size.code > 1000
    assert found.size.stack is None or 16 < found.size.stack < 1 << 16
    assert found.step is not None
    assert found.step.latency_ms > 0
    assert found.step.steps == 1


@pytest.fixture
def limited(tmp_path: Path) -> Path:
    path = tmp_path / "pend.yaml"
    path.write_text(BUDGET, encoding="utf-8")
    return path


def test_parameters_and_flops_are_checked_at_once(limited: Path) -> None:
    assert netwright.load(limited).is_valid
    found = netwright.load(limited, {"budget.params": 100, "budget.flops": "1 k"}).diagnostics
    assert [item.code for item in found] == ["NW0320", "NW0320"]
    assert found.items[0].message == "3,585 parameters exceed the budget of 100"
    assert found.items[0].notes == ("most of it: enc 3,552 (99 %), head 33 (1 %)",)
    assert "at N = 1, T = 64 exceed the budget of 1,000" in found.items[1].message
    shared = BUDGET.replace(
        "outputs: {y: head}", "  - {name: two, type: dense, units: 1, share: head, inputs: [enc]}"
    )
    limited.write_text(shared.replace("budget:", "outputs: {y: head, z: two}\nbudget:"), encoding="utf-8")
    assert netwright.load(limited, {"budget.params": 3585, "budget.flops": "1 M"}).is_valid


@pytest.mark.parametrize("written", ["64 KiB", "64KiB", 65536, "65.536 kB", 65536.0])
def test_amounts(limited: Path, written: object) -> None:
    spec = netwright.load(limited, {"budget.memory": written}).spec
    assert spec.budget is not None
    assert spec.budget.memory == 65536


@pytest.mark.parametrize("written", ["64 KiBi", "much", 1.5, -1, "1e99 M", True, [1]])
def test_what_is_no_amount(limited: Path, written: object) -> None:
    (found,) = netwright.load(limited, {"budget.memory": written}).diagnostics
    assert found.code == "NW0203"


def test_memory_is_checked_where_it_is_planned(
    limited: Path, cli: Callable[..., Result], tmp_path: Path
) -> None:
    done = cli("resources", limited, "--dim", "T=16")
    assert done.exit_code == 1
    model = netwright.load(limited)
    card = Resources(model.load, model.network, ("predict",)).memory("predict", {"N": 1, "T": 64})
    exceeded = f"{card.total:,} bytes at N = 1, T = 64 exceed the budget of 61,440"
    assert exceeded in done.stderr
    assert f"arena {card.arena:,} ({card.arena / card.total:.0%})".replace("%", " %") in done.stderr
    done = cli("compile", limited, "--emit", "shared", "-o", tmp_path / "p.so")
    assert done.exit_code == 1
    assert not (tmp_path / "p.so").exists()
    done = cli("validate", limited)
    assert done.exit_code == 1
    assert exceeded in done.stdout
    with pytest.raises(netwright.SpecError, match="exceed the budget"):
        netwright.load(limited).compile()
    for command in ("resources", "validate"):
        assert cli(command, limited, "--set", f"budget.memory={card.total}").exit_code == 0
    assert netwright.load(limited, {"budget.memory": 94340}).compile(entries=["predict"]).predict
    assert cli("resources", limited, "--set", f"budget.memory={card.total - 1}").exit_code == 1


def test_time_is_checked_where_it_is_measured(limited: Path, cli: Callable[..., Result]) -> None:
    enough = ["--set", "budget.memory=1 MB"]
    assert cli("resources", limited, *enough).exit_code == 0
    done = cli("resources", limited, *enough, "--measure")
    assert done.exit_code == 1
    assert "exceed the budget of 1e-06" in done.stderr
    assert cli("resources", limited, *enough, "--measure", "--set", "budget.latency_ms=1000").exit_code == 0


def test_a_worst_case_without_end(limited: Path, cli: Callable[..., Result]) -> None:
    open_ended = ["--set", "dims.T=time"]
    done = cli("validate", limited, *open_ended)
    assert done.exit_code == 1
    assert "NW0321" in done.stdout
    done = cli("resources", limited, *open_ended, "--set", "budget.flops=null")
    assert done.exit_code == 1
    assert "memory grows with T, which has no max" in done.stderr


def test_command(cli: Callable[..., Result]) -> None:
    done = cli("resources", SPECS[1], "--dim", "N=1", "--dim", "T=64", "--format", "json")
    found = json.loads(done.stdout)
    assert [entry["entry"] for entry in found["entries"]] == ["predict", "train_step"]
    assert found["entries"][0]["dims"] == {"N": 1, "T": 64}
    text = cli("resources", SPECS[1], "--dim", "N=1", "--dim", "T=64").stdout
    assert f"{found['entries'][1]['arena']:,}" in text
    assert cli("resources", SPECS[1], "--dim", "X=1").exit_code == 2
    assert cli("resources", SPECS[1], "--dim", "N=0").exit_code == 2
    assert cli("resources", SPECS[1], "--dim", "N=1..4").exit_code == 2
    huge = cli("resources", SPECS[1], "--dim", "N=4000000000", "--dim", "T=4000000000")
    assert huge.exit_code == 2
    assert "more memory than can be addressed" in huge.stderr
