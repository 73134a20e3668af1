"""Programs that were compiled before come from the cache, without being lowered again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netwright
from netwright import build
from netwright.compiler.codegen.objects import stored
from netwright.compiler.driver import Lowered

SPEC: dict[str, Any] = {
    "netwright": 1,
    "model": "small",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 4]}},
    "outputs": {"y": "y"},
}
X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("NETWRIGHT_DUMP", raising=False)


def answer(units: int = 3) -> np.ndarray:
    spec = {**SPEC, "layers": [{"name": "y", "type": "dense", "units": units, "activation": "tanh"}]}
    return netwright.load(spec).compile(threads=1, seed=5).predict(x=X)["y"]


@pytest.fixture
def lowered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that are lowered."""
    models: list[str] = []
    lower = build.lower

    def noted(model: str, *arguments: Any, **options: Any) -> Lowered:
        models.append(model)
        return lower(model, *arguments, **options)

    monkeypatch.setattr(build, "lower", noted)
    return models


def test_the_second_time_nothing_is_lowered(lowered: list[str]) -> None:
    first = answer()
    assert lowered == ["small"]
    assert answer().tobytes() == first.tobytes()
    assert lowered == ["small"]


def test_another_network_or_compiler_is_another_program(
    lowered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer()
    assert answer(units=5).shape == (2, 5)
    assert len(lowered) == 2
    monkeypatch.setattr(stored, "_sources", lambda: "changed")
    answer()
    assert len(lowered) == 3


def test_a_damaged_program_is_compiled_again(lowered: list[str], tmp_path: Path) -> None:
    first = answer()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1])
    assert answer().tobytes() == first.tobytes()
    assert len(lowered) == 2


def test_who_wants_to_see_it_compiled_does(
    lowered: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer()
    monkeypatch.setenv("NETWRIGHT_DUMP", str(tmp_path / "dump"))
    answer()
    assert len(lowered) == 2
    assert list((tmp_path / "dump").rglob("*.txt"))


def test_constants_come_back(lowered: list[str]) -> None:
    ramp = {"name": "ramp", "type": "constant", "value": [1.0, 2.0, -3.0, 0.5], "dtype": "float32"}
    spec = {**SPEC, "layers": [{"name": "y", "type": "relu"}, ramp], "outputs": {"y": "y", "ramp": "ramp"}}
    spec["layers"][0]["inputs"] = ["x"]
    for _ in range(2):
        answers = netwright.load(spec).compile(threads=1).predict(x=X)
        assert answers["ramp"].tolist() == [1.0, 2.0, -3.0, 0.5]
    assert len(lowered) == 1


def test_large_programs_are_not_stored(lowered: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MOST_BYTES", 100)
    answer()
    answer()
    assert len(lowered) == 2
