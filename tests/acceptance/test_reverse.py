"""The reverse example: a state handed from an encoder to a decoder, trained, run and compiled to an executable."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import netwright

from .commands import EXAMPLES, run, train_example
from .linking import need_linker

EXAMPLE = EXAMPLES / "reverse"
BEGIN, END = 10, 11


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_example("reverse", tmp_path_factory.mktemp("reverse"))


def valid(folder: Path) -> dict[str, NDArray]:
    with np.load(folder / "reverse-valid.npz") as data:
        return dict(data)


def test_the_data_are_what_the_readme_says() -> None:
    seen = []
    for part, count in (("train", 1200), ("valid", 200)):
        with np.load(EXAMPLE / f"reverse-{part}.npz") as data:
            assert data["digits"].shape == (count, 6)
            rows = zip(
                data["digits"], data["count"], data["answer"], data["previous"], data["counts"], strict=True
            )
            for digits, size, answer, previous, counts in rows:
                number = digits[:size].tolist()
                assert answer[: size + 1].tolist() == [*number[::-1], END]
                assert previous[: size + 1].tolist() == [BEGIN, *number[::-1]]
                assert counts.sum() == size + 1
                seen.append(tuple(number))
    assert len(set(seen)) == 1400


def test_what_it_wrote_itself_is_right(trained: Path) -> None:
    program = netwright.load(trained / "reverse.yaml").compile(
        str(trained / "weights.safetensors"), entries=["predict"]
    )
    data = valid(trained)
    previous = np.full((200, 1), BEGIN, np.int64)
    for _ in range(7):
        found = program.predict(digits=data["digits"], count=data["count"], previous=previous)
        previous = np.concatenate([previous, found["next"][:, -1:]], 1)
    wrong = ((previous[:, 1:] != data["answer"]) & data["counts"]).any(1)
    assert wrong.mean() < 0.1
    # Digits past the end are not looked at.
    past = np.arange(6) >= data["count"][:, None]
    assert found["weights"][:, -1][past].max() == 0


def test_executable_gives_what_run_gives(trained: Path) -> None:
    need_linker()
    spec, weights = trained / "reverse.yaml", trained / "weights.safetensors"
    run("compile", spec, "--weights", weights, "-o", trained / "reverse")
    data = valid(trained)
    arrays = {"digits": data["digits"][:5], "count": data["count"][:5], "previous": data["previous"][:5, :4]}
    given = []
    for name, array in arrays.items():
        np.save(trained / f"{name}.npy", array)
        given += ["-i", f"{name}={trained / name}.npy"]
    run("run", spec, "--weights", weights, *given, "-o", trained / "run.npz")
    subprocess.run([trained / "reverse", *given, "-o", trained / "exe.npz"], check=True, timeout=60)
    with np.load(trained / "run.npz") as expected, np.load(trained / "exe.npz") as found:
        assert set(expected) == set(found) == {"scores", "next", "weights"}
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], atol=1e-5)
