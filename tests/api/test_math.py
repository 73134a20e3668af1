"""`math: strict` and `fast`: what is computed, how exact it is, and what says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import Result

from netwright.artifacts.identified import spec_hash
from netwright.compiler.frontend.network import initial_values
from netwright.inspection.optimizations import optimizations
from netwright.model import Model, load

SPEC = """\
netwright: 1
model: exactness
dims: {N: batch}
inputs: {image: {shape: [N, 21, 18, 48]}}
layers:
  - {name: same, type: conv2d, filters: 48, kernel_size: 3, padding: same, activation: relu}
  - {name: pooled, type: max_pool2d, pool_size: 2, rounding: floor}
  - {name: valid, type: conv2d, filters: 32, kernel_size: 3, inputs: [image]}
  - {name: again, type: conv2d, filters: 48, kernel_size: 3, padding: same, inputs: [image]}
  - {name: sum, type: add, inputs: [image, again]}
  - {name: strided, type: conv2d, filters: 32, kernel_size: 3, stride: 2, inputs: [image]}
outputs: {pooled: pooled, valid: valid, sum: sum, strided: strided}
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("math") / "spec.yaml"
    place.write_text(SPEC, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def model(path: Path) -> Model:
    return load(path)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((2, 21, 18, 48), np.float32)


@pytest.fixture(scope="module")
def exact(model: Model, image: np.ndarray) -> dict[str, np.ndarray]:
    """What float64 gives with the weights that float32 has."""
    double = load(yaml.safe_load(SPEC.replace("48]", "48], dtype: float64")))
    weights = initial_values(model.network, 3)
    program = double.compile(
        {name: array.astype(np.float64) for name, array in weights.items()},
        engine="reference",
        entries=["predict"],
    )
    return program.predict(image=image.astype(np.float64))


def errors(found: Mapping[str, np.ndarray], exact: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The largest error of each output relative to the root mean square."""
    return {
        name: float(np.abs(found[name] - right).max() / np.sqrt(np.mean(right**2)))
        for name, right in exact.items()
    }


@pytest.mark.parametrize("cpu", ["native", "haswell"])
def test_fast_and_strict_are_as_exact_as_promised(
    model: Model, image: np.ndarray, exact: dict[str, np.ndarray], cpu: str
) -> None:
    found = {
        math: errors(
            model.compile(entries=["predict"], seed=3, math=math, cpu=cpu).predict(image=image), exact
        )
        for math in ("fast", "strict")
    }
    assert max(found["fast"].values()) < 1e-4
    assert max(found["strict"].values()) < 1e-5
    tiled = {"pooled", "valid", "sum"}
    assert {name for name in exact if found["fast"][name] != found["strict"][name]} == tiled


def test_the_number_of_threads_does_not_change_fast_results(model: Model, image: np.ndarray) -> None:
    whole, shared = (
        model.compile(entries=["predict"], seed=3, threads=threads).predict(image=image) for threads in (1, 2)
    )
    for name, array in whole.items():
        np.testing.assert_array_equal(array, shared[name])


def test_explain_says_which_convolutions_are_fast_and_why_others_are_not(model: Model, path: Path) -> None:
    found = {each.layer: each for each in optimizations(model).algorithms}
    assert {layer: each.algorithm for layer, each in found.items()} == {
        "same": "Winograd's F(4, 3)",
        "valid": "Winograd's F(4, 3)",
        "again": "Winograd's F(4, 3)",
        "strided": "direct",
    }
    assert found["strided"].reason == "its stride is not 1"
    strict = optimizations(load(path, ["math=strict"]))
    assert [str(each) for each in strict.algorithms][:1] == ["same: conv: direct: math is strict"]
    assert json.loads(json.dumps(strict.to_json()))["algorithms"][0]["reason"] == "math is strict"


def test_the_command_takes_math_before_the_spec(cli: Callable[..., Result], path: Path) -> None:
    def graph(*options: str) -> str:
        return cli("compile", path, "--emit", "graph", "--cpu", "haswell", "-o", "-", *options).stdout

    assert graph().count("winograd_result") == 3
    assert "winograd" not in graph("--math", "strict")
    assert graph("--set", "math=strict", "--math", "fast").count("winograd_result") == 3


def test_math_is_part_of_what_a_model_is(model: Model) -> None:
    strict = model.changed(["math=strict"])
    assert spec_hash(model.load) != spec_hash(strict.load)
    assert model.compile(entries=["predict"], engine="reference", math="strict").network.math == "strict"
    (error,) = load(yaml.safe_load(SPEC), ["math=exact"]).diagnostics.errors
    assert "strict" in str(error)
