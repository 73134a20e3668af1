"""Plans that are measured: what is found, the file, and what a file with other plans does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.driver import lower
from netwright.compiler.frontend.network import Network
from netwright.compiler.loop.text.printing import program_text
from netwright.compiler.tuning import TuningError
from netwright.model import Model, load
from netwright.tuning import tune as tuning
from netwright.tuning.file import MachinePlans, add_to_file, machine_name, plans_for, read_tuning
from netwright.tuning.tune import tuned_machine

from ..conftest import Golden

Cli = Callable[..., Result]

SPEC = """\
netwright: 1
model: m
inputs: {x: {shape: [8, 64]}}
layers:
  - {name: hidden, type: dense, units: 96, activation: relu}
  - {name: head, type: dense, units: 48}
outputs: {y: head}
"""
HOST = machine_name(host_target())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("tuning") / "spec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return load(path)


@pytest.fixture(scope="module")
def plans(model: Model) -> MachinePlans:
    """Measured, if only just."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "ROUNDS", 1)
        patch.setattr(tuning, "SECONDS", 0.0)
        patch.setenv("NETWRIGHT_CACHE_LIMIT", "100MB")
        steps: list[str] = []
        network = model.network
        graphs = {"predict": network.graphs["predict"]}
        made = tuning.tune(network, graphs, host_target(), progress=steps.append)
        again = tuning.tune(network, graphs, host_target())
    assert again.plans == made.plans
    assert not steps or steps[0].startswith("products: compiling")
    return made.plans


def _text(network: Network, plans: MachinePlans | None) -> str:
    """The loop IR with plans."""
    machine = describe(host_target())
    lowered = lower(
        network.model,
        {"predict": network.graphs["predict"]},
        list(network.dims.values()),
        version="",
        target="",
        machine=machine if plans is None else tuned_machine(machine, plans),
    )
    return program_text(lowered.program)


def _changed(plans: MachinePlans, **to: Any) -> MachinePlans:
    """With other values in every product's plan."""
    products = {name: each.model_copy(update=to) for name, each in plans.products.items()}
    return plans.model_copy(update={"products": products})


def test_every_product_has_a_plan(plans: MachinePlans) -> None:
    assert [name.partition(" → ")[2] for name in plans.products] == ["8,96", "8,48"]
    for product in plans.products.values():
        assert product.measured is not None
        assert product.measured.ns <= product.measured.by_cost_ns


def test_a_file_gives_the_code_of_its_plans(model: Model, plans: MachinePlans, tmp_path: Path) -> None:
    path = tmp_path / "plans.json"
    add_to_file(path, host_target(), plans)
    content = path.read_bytes()
    add_to_file(path, host_target(), plans)
    assert path.read_bytes() == content
    read = plans_for(read_tuning(path), host_target(), "it")
    assert _text(model.network, read) == _text(model.network, plans)
    elsewhere = tuned_machine(describe(host_target()), read.model_copy(update={"l2_bytes": 1 << 22}))
    assert elsewhere.l2_bytes == 1 << 22


def test_other_plans_are_other_code_and_the_same_bits(
    model: Model, plans: MachinePlans, tmp_path: Path
) -> None:
    path = tmp_path / "plans.json"
    # Eight accumulators add each sum up in one part, on every machine.
    other = _changed(plans, rows=8, vectors=1, steps=4, depth=None)
    add_to_file(path, host_target(), other)
    second = _changed(plans, rows=8, vectors=1, steps=2, depth=None)
    assert _text(model.network, other) != _text(model.network, second)
    add_to_file(tmp_path / "second.json", host_target(), second)
    x = np.random.default_rng(0).standard_normal((8, 64), np.float32)
    expected = model.compile(seed=1, entries=["predict"]).predict(x=x)
    answers = [
        model.compile(seed=1, entries=["predict"], tune=file).predict(x=x)["y"]
        for file in (path, tmp_path / "second.json")
    ]
    assert np.array_equal(*answers)
    np.testing.assert_allclose(answers[0], expected["y"], rtol=1e-5, atol=1e-5)


def _file(path: Path, plans: MachinePlans, **to: Any) -> None:
    data = {"netwright_tuning": 1, "machines": {HOST: _changed(plans, **to).model_dump(mode="json")}}
    path.write_text(json.dumps(data), encoding="utf-8")


def test_files_that_are_none(
    model: Model, plans: MachinePlans, cli: Cli, tmp_path: Path, golden: Golden
) -> None:
    path = tmp_path / "plans.json"
    for content, reason in {
        "no JSON": "Invalid JSON",
        '{"netwright_tuning": 2}': "netwright_tuning: Input should be 1",
        '{"machines": {}}': f"none for {HOST}",
        '{"machines": {}, "other": 1}': "other: Extra inputs are not permitted",
    }.items():
        path.write_text(content, encoding="utf-8")
        with pytest.raises(TuningError, match="NW0707") as caught:
            model.compile(tune=path)
        assert reason in str(caught.value)
    for value in (0, 65, 1.5, "4", None, 10**30):
        _file(path, plans)
        text = path.read_text(encoding="utf-8").replace(
            '"vectors": ', f'"vectors": {json.dumps(value)}, "old": '
        )
        path.write_text(text, encoding="utf-8")
        with pytest.raises(TuningError, match="NW0707"):
            read_tuning(path)
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    path.write_text("[", encoding="utf-8")
    done = cli("compile", "spec.yaml", "--emit", "loop", "--tuning", "plans.json", "-o", "out.txt")
    assert done.exit_code == 2
    assert not (tmp_path / "out.txt").exists()
    golden.check("broken/NW0707.txt", done.output)


def test_plans_that_do_not_fit(
    model: Model, plans: MachinePlans, cli: Cli, tmp_path: Path, golden: Golden
) -> None:
    for to in ({"vectors": 60}, {"rows": 9}, {"depth": 3}, {"steps": 63}):
        with pytest.raises(TuningError, match="NW0708"):
            _text(model.network, _changed(plans, **to))
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    _file(tmp_path / "plans.json", plans, rows=9, vectors=1, steps=1, depth=None, prefetch=True)
    done = cli("compile", "spec.yaml", "--emit", "loop", "--tuning", "plans.json", "-o", "out.txt")
    assert done.exit_code == 2
    assert not (tmp_path / "out.txt").exists()
    golden.check("broken/NW0708.txt", done.output)


def test_what_tuning_refuses(model: Model) -> None:
    with pytest.raises(ValueError, match="can't be measured here"):
        model.compile(tune=True, cpu="generic")
    with pytest.raises(ValueError, match="tuning runs predict or train_step"):
        tuning.tune(model.network, {}, host_target())


def test_explain_shows_plans_and_what_came_next(plans: MachinePlans, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    _file(tmp_path / "plans.json", plans)
    output = cli("explain", "spec.yaml", "--tuning", "plans.json").output
    lines = output.partition("Plans of products")[2].splitlines()
    assert "; tuned" in "".join(lines)
    assert lines[1].startswith("  hidden: dot: loops over ")
    assert "µs predicted" in "".join(lines)
    assert any("not a tile of" in line for line in lines)


def test_profile_shows_predictions(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    data = json.loads(cli("profile", "spec.yaml", "--calls", "3", "--format", "json").output)
    assert all(layer["predicted_ns"] > 0 for layer in data["layers"])
