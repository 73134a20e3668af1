"""Sweeps and folds: what is tried, that it goes on after a signal, and that the number of jobs changes nothing."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.cli.sweep import _read_file
from netwright.errors import RequestError
from netwright.specs.appending import AppendedFile
from netwright.sweeps.definition import Sweep, points
from netwright.sweeps.report import short_keys
from netwright.sweeps.space import Range, drawn, grid, read_space, read_values
from netwright.trainings.reading import Run, runs

from ..forked import Forked
from .conftest import TINY
from .test_runs import REFERENCE, comparable

Cli = Callable[..., Result]
RATE = "train.optimizer.learning_rate"


def test_values_of_a_setting() -> None:
    assert read_values("k", "0.1,0.01") == ("0.1", "0.01")
    assert read_values("k", "[1, 2], {a: 1, b: 'x,y'},z") == ("[1, 2]", "{a: 1, b: 'x,y'}", "z")
    assert read_values("k", "adam") == ("adam",)
    assert read_values("k", "1e-4..1e-1") == Range(1e-4, 1e-1, whole=False, logarithmic=True)
    assert read_values("k", "0..0.5") == Range(0, 0.5, whole=False, logarithmic=False)
    assert read_values("k", "8..64") == Range(8, 64, whole=True, logarithmic=False)
    assert read_space({"a": [1, [2, 3], None, "x"], "b": {"from": 1, "to": 8, "scale": "logarithmic"}}) == {
        "a": ("1", "[2, 3]", "null", "x"),
        "b": Range(1, 8, whole=True, logarithmic=True),
    }
    for text, message in (("1,,2", "between two commas"), ("2..1", "has to be less")):
        with pytest.raises(RequestError, match=message):
            read_values("k", text)
    for written, message in (
        ({"from": 1}, "from, to and scale"),
        ({"from": 0, "to": 1, "scale": "logarithmic"}, "above 0"),
    ):
        with pytest.raises(RequestError, match=message):
            read_space({"k": written})


def test_points() -> None:
    assert grid({"a": ("1", "2"), "b": ("x", "y")}) == [
        {"a": first, "b": second} for first in ("1", "2") for second in ("x", "y")
    ]
    space = {
        "rate": Range(1e-4, 1e-1, whole=False, logarithmic=True),
        "n": Range(2, 9, whole=True, logarithmic=False),
    }
    many = drawn(space, 400, 5)
    assert drawn(space, 20, 5) == many[:20]
    assert drawn(space, 20, 6) != many[:20]
    rates = np.log10([float(point["rate"]) for point in many])
    assert (rates.min() >= -4, rates.max() <= -1, abs(np.median(rates) + 2.5) < 0.2) == (True, True, True)
    counts = np.bincount([int(point["n"]) for point in many], minlength=10)
    assert counts[:2].sum() == 0
    assert counts[2:].min() > 25
    assert len(points({"a": ("1", "2", "3")}, "halving", None, 0)) == 3
    for method, count, message in (
        ("grid", None, "no ranges"),
        ("random", None, "--trials N"),
        ("grid", 3, "no ranges|leave"),
    ):
        with pytest.raises(RequestError, match=message):
            points(space, method, count, 0)  # type: ignore[arg-type]
    assert short_keys(["a.b.rate", "layers.x.units", "layers.y.units"]) == {
        "a.b.rate": "rate",
        "layers.x.units": "x.units",
        "layers.y.units": "y.units",
    }


@pytest.mark.parametrize(
    ("trials", "epochs", "rounds"),
    [
        (27, 27, [(27, 1), (9, 3), (3, 9), (1, 27)]),
        (9, 10, [(9, 2), (3, 4), (1, 10)]),
        (20, 4, [(20, 2), (7, 4)]),
        (2, 50, [(2, 50)]),
        (50, 1, [(50, 1)]),
    ],
)
def test_rounds_of_halving(trials: int, epochs: int, rounds: list[tuple[int, int]]) -> None:
    sweep = Sweep("s", "m", "halving", ("k",), ({},) * trials, "valid_loss", False, epochs, 0)
    assert sweep.rounds == rounds


def sweep_of(cli: Cli, *arguments: object, code: int = 0) -> dict[str, Any]:
    done = cli("sweep", *arguments, "--format", "json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_a_sweep_goes_on_after_a_signal(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    """Successive halving, two at a time with a signal in between, makes what undisturbed trainings make."""
    options = (tiny, "--set", f"{RATE}=0.001,0.1,0.01", "--method", "halving", "--epochs", 3, *REFERENCE)
    process = Forked("sweep", *options, "--name", "a", "--jobs", 2)
    place = tmp_path / "runs" / "a"
    ends = time.monotonic() + 120
    while not list(place.glob("*/metrics.jsonl")) and time.monotonic() < ends:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    said = "".join(process.communicate())
    assert process.returncode == 143, said
    assert "stopped; add  --resume runs/a  to go on" in said
    assert not any(run.state in ("running", "killed") for run in runs("runs/a"))
    resumed = sweep_of(cli, tiny, "--resume", "--jobs", 2)
    assert [trial["values"][RATE] for trial in resumed["trials"]] == ["0.1", "0.01", "0.001"]
    assert [trial["epochs"] for trial in resumed["trials"]] == [3, 1, 1]
    for trial in resumed["trials"]:
        words = ("--set", f"{RATE}={trial['values'][RATE]}", "--epochs", trial["epochs"])
        name = f"alone-{trial['name']}"
        alone = cli("train", tiny, *words, "--name", name, "--no-report", *REFERENCE)
        assert alone.exit_code == 0, alone.output
        other = Run(f"runs/{name}")
        assert trial["value"] == other.value
        assert comparable(Run(trial["path"])) == comparable(other)
        assert Run(trial["path"]).weights.read_bytes() == other.weights.read_bytes()
    page = (place / "report.html").read_text()
    assert page.count("<circle") == 3
    lock = AppendedFile(place / "sweep.json", (place / "sweep.json").stat().st_size)
    assert "runs/a is being trained by another process" in cli("sweep", tiny, "--resume").output
    lock.close()
    # Nothing is trained again, and it is a table, too.
    os.environ["COLUMNS"] = "60"
    done = cli("sweep", tiny, "--resume", "runs/a")
    lines = done.stdout.splitlines()
    assert lines[2].split() == ["trial", "valid_loss", "epochs", "learning_rate", "state"]
    assert max(map(len, lines[2:6])) <= 60
    assert {run.name for run in runs()[:3]} == {f"a/trial-00{number}" for number in (1, 2, 3)}  # began first


def test_mistakes_are_found_before_training(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (("--set", "layers.hidden.units=4,0"), "units has to be at least 1"),
        (("--set", "layers.hidden.unit=4,5"), "unknown key unit"),
        (("--set", "layers.hidden.units=4"), "there is nothing to try"),
        (("--set", f"{RATE}=1e-4..1e-1"), "--trials N"),
        (
            ("--set", f"{RATE}=1,2", "--metric", "valid_acuracy"),
            "there is valid_loss, valid_accuracy, train_loss",
        ),
        (("--set", f"{RATE}=1,2", "--name", "a/b"), "can't be called"),
        (("--resume",), "there is no sweep of tiny in runs to go on with"),
    ):
        done = cli("sweep", tiny, *arguments)
        assert done.exit_code in (1, 2), done.output
        assert message in " ".join(done.output.split())
    assert not (tmp_path / "runs").exists()


def test_a_sweep_file(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(f"set: {{{RATE}: 1e-4..1e-1, layers.hidden.units: [4, 8]}}\nmethod: random\ntrials: 7\n")
    written = _read_file(path)
    assert (written["method"], written["trials"], list(written["set"])) == (
        "random",
        7,
        [RATE, "layers.hidden.units"],
    )
    for text, message in (
        ("a: 1", "set with the values"),
        ("set: {a: 1}\nx: 1", "unknown key x"),
        ("set: {a: 1}\ntrials: x", "a number"),
    ):
        path.write_text(text)
        with pytest.raises(RequestError, match=message):
            _read_file(path)


def test_folds(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    text = TINY.replace("valid: valid.npz", "valid: {from: train, fraction: 0.5, stratify: t, seed: 3}")
    tiny.write_text(text, encoding="utf-8")
    done = cli("train", tiny, "--folds", 2, "--jobs", 2, "--epochs", 2, *REFERENCE)
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "runs/tiny-folds-001/results.json").read_text())
    losses = [fold["valid_loss"] for fold in results["folds"].values()]
    assert results["mean"]["valid_loss"] == pytest.approx(np.mean(losses))
    assert results["deviation"]["valid_loss"] == pytest.approx(np.std(losses, ddof=1))
    assert "± deviation" in done.output
    parts = []
    for number in (1, 2):
        model = netwright.load(f"runs/tiny-folds-001/fold-{number}/spec.yaml")
        parts.append(np.concatenate([piece["x"] for _, piece in model.data()["valid"].pieces(["x"])]))
        assert len(model.data()["train"]) == 512 - len(parts[-1])
    whole = np.load("train.npz")["x"]
    assert sorted(map(tuple, np.concatenate(parts))) == sorted(map(tuple, whole))
    said = cli("train", tiny, "--resume", "runs/tiny-folds-001").output
    assert said.split("\n\n")[1] == done.output.split("\n\n")[1]  # the same table
    for arguments, message in (
        (("--folds", 2, "--weights", "w"), "--weights is not for --folds"),
        (("--folds", 2, "--data", "valid=valid.npz"), "each fold validates by a part"),
        (("--folds", 600), "512 samples make no 600 folds"),
        (("--jobs", 2), "--jobs is for --folds"),
        (("--resume", "runs/tiny-folds-001", "--folds", 3), "has 2 folds, not 3"),
    ):
        done = cli("train", tiny, *arguments)
        assert done.exit_code == 2
        assert message in " ".join(done.output.split())


def test_folds_share_nothing_and_leave_nothing_out() -> None:
    base = {
        "netwright": 1,
        "model": "m",
        "dims": {"N": "batch"},
        "inputs": {"x": {"shape": ["N", 1]}},
        "layers": [{"name": "y", "type": "dense", "units": 3}],
        "outputs": {"y": "y"},
    }
    labels = np.repeat([0, 1, 2], [10, 4, 3])
    arrays = {"x": np.arange(17, dtype=np.float32)[:, None], "k": labels}
    for stratify in (None, "k"):
        seen: list[float] = []
        for fold in (1, 2, 3, 4):
            valid = {"from": "train", "folds": 4, "fold": fold, "seed": 2}
            data = {"train": "t.npz", "test": {"from": "train", "fraction": 0.06}, "valid": valid}
            valid |= {"stratify": stratify} if stratify else {}
            loss = {"type": "softmax_cross_entropy", "output": "y", "target": "k"}
            sets = netwright.load({**base, "train": {"data": data, "loss": loss}}).data({"train": arrays})
            (piece,) = [piece for _, piece in sets["valid"].pieces(["x", "k"])]
            assert len(piece["x"]) == 4
            if stratify:
                assert 2 <= (piece["k"] == 0).sum() <= 3
            seen += piece["x"][:, 0].tolist()
            (test,) = [piece["x"][:, 0].tolist() for _, piece in sets["test"].pieces(["x"])]
        assert sorted(seen + test) == list(range(17))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("{from: train}", "how much is taken is missing"),
        ("{from: train, fraction: 0.2, folds: 3}", "fraction and folds are given"),
        ("{from: train, folds: 3}", "the fold that is taken is missing"),
        ("{from: train, folds: 3, fold: 4}", "fold is 4, of 3 folds"),
    ],
)
def test_mistakes_in_folds(split: str, message: str, tiny: Path) -> None:
    tiny.write_text(TINY.replace("valid: valid.npz", f"valid: {split}"), encoding="utf-8")
    (error,) = netwright.load(tiny).diagnostics.errors
    assert error.code == "NW0212"
    assert message in error.message
