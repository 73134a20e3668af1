"""Training by several processes agrees with one process; what goes wrong in one of them ends all."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.runtime.training.distributed.mpi import _find_library

from ..forked import forked

MPIRUN = shutil.which("mpirun") or shutil.which("mpirun", path=str(Path(sys.executable).parent))

pytestmark = pytest.mark.skipif(
    find_spec("mpi4py") is None or MPIRUN is None,
    reason="MPI is not installed: pip install 'netwright[distributed]'",
)

ROOT = Path(__file__).parents[2]


def started(ranks: int, *command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """What `mpirun` prints when it runs a command of this Python."""
    assert MPIRUN is not None
    line = [MPIRUN, "-n", str(ranks), sys.executable, "-m", *command]
    # MPICH's processes sleep now and then while they wait: there may be fewer processors than ranks.
    environment = {**os.environ, "MPIR_CVAR_CH4_PROGRESS_THROTTLE": "1"}
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module", autouse=True)
def library() -> Iterator[None]:
    """The tests' environment may be layered over another one."""
    with pytest.MonkeyPatch.context() as patch:
        before = os.environ.get("MPI4PY_LIBMPI")
        _find_library()
        found_there = os.environ.get("MPI4PY_LIBMPI")
        if before is None and found_there is not None:
            del os.environ["MPI4PY_LIBMPI"]
            patch.setenv("MPI4PY_LIBMPI", found_there)
        yield


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``worker.py`` found on three ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    process = started(3, "tests.ranks.worker", str(folder))
    assert process.returncode == 0, process.stderr
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def test_three_ranks_have_the_curve_of_one_process(results: dict[str, Any]) -> None:
    # Dropout, zoneout, masks, weights of classes, lengths, groups of batches, clipping, averages, a plateau.
    result = results["curves_agree"]
    np.testing.assert_allclose(result["curve"], result["expected"], rtol=2e-5, atol=2e-6)
    assert result["difference"] < 1e-5
    assert len(set(result["endings"])) == len(set(result["best"])) == 1


@pytest.mark.parametrize("scenario", ["parts_are_exact", "parts_carry"])
def test_parts_give_the_same_bits_on_any_number_of_ranks(results: dict[str, Any], scenario: str) -> None:
    result = results[scenario]
    assert result["same bits"]
    assert result["curve"] == result["expected"]


def test_another_number_of_ranks_goes_on(results: dict[str, Any]) -> None:
    result = results["resumed"]
    assert result["stopped"] == ["interrupted", "interrupted"]
    np.testing.assert_allclose(result["curve"], result["expected"], rtol=1e-5)
    assert result["difference"] < 1e-5


def test_ranks_that_were_started_differently_are_told_so(results: dict[str, Any]) -> None:
    options, data = results["launched_differently"]["options"], results["launched_differently"]["data"]
    assert len(set(options)) == len(set(data)) == 1
    assert (
        "rank 2 was started with something else than rank 0: training.epochs is 2, on rank 2 3" in options[0]
    )
    assert "rank 1 was started with something else than rank 0: data.train is 13 samples" in data[0]


def test_an_error_on_one_rank_ends_all_with_a_checkpoint(results: dict[str, Any]) -> None:
    first, second, third = results["one_fails"]["data"]
    assert first.startswith("RankDataError: rank 1: the data set train: x: 1e+300 is too large")
    assert second == first.replace("RankDataError: rank 1: ", "DataError: ")
    assert third == first
    assert results["one_fails"]["steps"] == 1
    assert results["one_fails"]["function"] == ["RankError: rank 2: no more"] * 2 + ["ValueError: no more"]


def test_what_can_not_be_divided_is_refused(results: dict[str, Any]) -> None:
    for told in results["refused"]["statistics"]:
        assert "norm computes something of all samples of a batch" in told
        assert "train.parts=3" in told
    for told in results["refused"]["parts"]:
        assert "3 processes can't share the 2 parts of a batch" in told


def test_one_rank_that_is_told_to_stop_stops_all(results: dict[str, Any]) -> None:
    assert results["refused"]["stops"] == [1, 1, 1]


SPEC = """
netwright: 1
model: line
dims: {N: batch}
inputs: {x: {shape: [N, 2]}}
layers:
  - {name: out, type: dense, units: 1}
outputs: {y: out}
train:
  data: {train: train.npz}
  loss: {type: mse, output: y, target: t}
  batch_size: 4
  epochs: 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("line")
    (folder / "line.yaml").write_text(SPEC, encoding="utf-8")
    x = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    np.savez(folder / "train.npz", x=x, t=x.sum(1, keepdims=True))
    return folder


@pytest.mark.deep  # below, of a run
def test_only_the_first_process_prints_and_writes(folder: Path) -> None:
    process = started(2, "netwright", "train", "line.yaml", "--weights", "line.safetensors", cwd=folder)
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["epoch", "1/2", "2/2", "wrote"]
    assert process.stderr == ""
    names = {"line.yaml", "train.npz", "line.safetensors", "line.checkpoint"}
    assert {path.name for path in folder.iterdir()} == names


def test_a_run_is_of_all_processes_and_one_can_go_on_with_it(folder: Path) -> None:
    process = started(2, "netwright", "train", "line.yaml", "--runs", "runs", "--no-report", cwd=folder)
    assert process.returncode == 0, process.stderr
    words = [line.split()[0] for line in process.stdout.splitlines() if line]
    assert sorted(words) == sorted({"run", "epoch", "1/2", "2/2", "wrote"})  # each once
    assert process.stderr == ""
    run = folder / "runs" / "line-001"
    assert {"run.json", "metrics.jsonl", "weights.safetensors", "weights.checkpoint"} <= {
        path.name for path in run.iterdir()
    }
    again = started(2, "netwright", "train", "line.yaml", "--runs", "runs", "--name", "line-001", cwd=folder)
    assert again.returncode == 2
    assert again.stderr.count("is there already") == 1
    alone = forked("train", "line.yaml", "--resume", run, "--epochs", 3, "--no-report", cwd=folder)
    assert alone.returncode == 0, alone.stderr
    epochs = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in epochs if record["kind"] == "epoch"] == [1, 2, 3]
    shutil.rmtree(folder / "runs")


@pytest.mark.deep  # as above, where a run is there already
def test_the_first_process_says_what_is_wrong(folder: Path) -> None:
    process = started(2, "netwright", "train", "missing.yaml", "--weights", "w.safetensors", cwd=folder)
    assert process.returncode == 1
    assert process.stderr.count("missing.yaml can't be read") == 1
