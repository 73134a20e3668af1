"""Walk-forward validation on the S&P 500: nothing of a year is known before it, and the table is what it says."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import netwright

from .running import EXAMPLES, run_example

pytestmark = pytest.mark.skipif(find_spec("arch") is None, reason="arch is not installed (extra: examples)")

EXAMPLE = EXAMPLES / "invest"


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its data."""
    folder = tmp_path_factory.mktemp("invest")
    for name in ("make_data.py", "invest.yaml"):
        (folder / name).write_bytes((EXAMPLE / name).read_bytes())
    subprocess.run([sys.executable, folder / "make_data.py"], check=True, stdout=subprocess.DEVNULL)
    return folder


def test_training_ends_before_the_first_decision(folds: Path) -> None:
    model = netwright.load(folds / "invest.yaml")
    for year in (2008, 2013, 2018):
        train, test = (rows(folds / "build" / f"{year}-{part}.csv") for part in ("train", "test"))
        decisions = test[59:]
        assert {row["date"][:4] for row in decisions} == {str(year)}
        assert (
            train[-1]["date"] < test[58]["date"] < decisions[0]["date"]
        )  # the next day of each is known, too
        sets = model.data(
            {"train": folds / "build" / f"{year}-train.csv", "test": folds / "build" / f"{year}-test.csv"}
        )
        arrays = sets["test"].read(slice(None), ["days", "next"])
        assert arrays["days"].shape == (len(decisions), 60, 4)
        np.testing.assert_allclose(arrays["next"][:, 0], [float(row["next"]) for row in decisions], rtol=1e-5)
        np.testing.assert_allclose(
            arrays["days"][:, -1, 0], [float(row["change"]) for row in decisions], rtol=1e-5
        )
        # What is validated on comes after what is trained on, and shares no day with it.
        last = sets["train"].read(np.array([len(sets["train"]) - 1]), ["days"])["days"]
        first = sets["valid"].read(np.array([0]), ["days"])["days"]
        days = np.array([[float(row["change"])] for row in train], np.float32)[:, 0]
        ends, begins = (
            int(
                np.flatnonzero(
                    (np.lib.stride_tricks.sliding_window_view(days, 60) == window[0, :, 0]).all(1)
                )[0]
            )
            for window in (last, first)
        )
        assert begins >= ends + 60


def test_features_are_known_when_a_day_ends(folds: Path) -> None:
    """The next day's change is this day's target and the next row's feature, and nothing else tells it."""
    days = rows(folds / "build" / "invest-train.csv")
    change, following = (np.array([float(row[name]) for row in days]) for name in ("change", "next"))
    np.testing.assert_array_equal(change[1:], following[:-1])
    for name in ("change", "range", "body", "volume"):
        feature = np.array([float(row[name]) for row in days])
        assert abs(np.corrcoef(feature, following)[0, 1]) < 0.15


@pytest.mark.examples
def test_invest(tmp_path: Path) -> None:
    build = run_example("invest", tmp_path) / "build"
    results = json.loads((build / "results.json").read_text(encoding="utf-8"))
    table = results["table"]
    assert table["always buy"]["gain"] == pytest.approx(73.1, abs=0.5)  # the index's own, less a cost
    assert -30 < table["network"]["gain"] < 150
    assert 5 < table["network"]["invested"] < 95
    assert len(results["shares"]) == 11
    assert all(0 <= share <= 1 for shares in results["shares"].values() for share in shares)
    printed = subprocess.run(
        [build / "invest", "-i", build / "latest.npy", "--print"], check=True, capture_output=True, text=True
    ).stdout
    share = float(printed.split()[-1])
    model = netwright.load(build.parent / "invest.yaml")
    program = model.compile(build / "invest.safetensors", engine="reference", entries=["predict"])
    assert share == pytest.approx(
        program.predict(days=np.load(build / "latest.npy"))["share"].item(), abs=1e-4
    )
