"""Data sets as a spec declares them, from the command line and from Python."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.errors import RequestError
from netwright.runtime.errors import DataError

from .conftest import TINY, samples
from .epoch_table import epochs

Cli = Callable[..., Result]
WORDS = ("red", "green", "blue")
DECLARED = """{
    train: {type: csv, path: all.csv, columns: {x: "x*", t: colour}},
    valid: {from: train, fraction: 0.25, stratify: t}}"""


def lines(count: int, seed: int) -> Iterator[str]:
    arrays = samples(count, seed)
    yield "x0,x1,x2,x3,colour"
    for x, t in zip(arrays["x"], arrays["t"], strict=True):
        yield ",".join([*(f"{value:.9g}" for value in x), WORDS[t]])


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A spec that trains from a CSV file, a quarter of which is held out."""
    (tmp_path / "all.csv").write_text("\n".join(lines(400, 1)), encoding="utf-8")
    path = tmp_path / "colours.yaml"
    path.write_text(TINY.replace("{train: train.npz, valid: valid.npz}", DECLARED), encoding="utf-8")
    return path


def test_a_table_trains_and_its_held_out_rows_are_evaluated(cli: Cli, colours: Path) -> None:
    assert cli("validate", "--data", colours).exit_code == 0
    trained = cli(
        "train",
        colours,
        "--weights",
        "w.safetensors",
        "--epochs",
        "12",
        "--seed",
        "3",
        "--engine",
        "reference",
    )
    assert trained.exit_code == 0, trained.output
    done = cli("evaluate", colours, "--weights", "w.safetensors", "--engine", "reference")
    assert done.exit_code == 0
    name, count, *numbers = done.stdout.split()
    assert (name, count) == ("valid", "100")
    assert float(numbers[numbers.index("accuracy") + 1]) > 0.8
    # The best epoch's numbers are those of the same rows, though the training had a seed of its own.
    best = [row for row in epochs(trained.output) if "best" in row][-1]
    assert float(best["valid loss"]) == pytest.approx(
        float(numbers[numbers.index("loss") + 1]), rel=1e-3, abs=1e-4
    )


def test_sets_are_opened_by_name_and_classes_are_the_training_datas(colours: Path) -> None:
    model = netwright.load(colours)
    sets = model.data()
    assert list(sets) == ["train", "valid"]
    assert sets["train"].classes == {"t": ("blue", "green", "red")}
    rows = [set(map(bytes, sets[name].read(slice(None), ["x"])["x"])) for name in sets]
    assert (len(rows[0]), len(rows[1]), len(rows[0] & rows[1])) == (300, 100, 0)
    (colours.parent / "few.csv").write_text("x0,x1,x2,x3,colour\n0,0,1,0,red\n", encoding="utf-8")
    few = model.data({"test": colours.parent / "few.csv"})["test"]
    assert few.read(slice(None), ["t"])["t"].tolist() == [2]
    (colours.parent / "few.csv").write_text("x0,x1,x2,x3,colour\n0,0,1,0,pink\n", encoding="utf-8")
    with pytest.raises(
        DataError, match="line 2, column 'colour': 'pink' is none of the classes 'blue', 'green', 'red'"
    ):
        model.data({"test": colours.parent / "few.csv"})["test"]


def test_files_given_take_the_place_of_declared_ones(cli: Cli, colours: Path, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("\n".join(lines(40, 2)), encoding="utf-8")
    np.savez(tmp_path / "other.npz", **samples(50, 2))
    for given, counts in (
        ({"train": "other.csv"}, {"train": 30, "valid": 10}),
        ({"valid": "other.csv"}, {"train": 400, "valid": 40}),
        ({"train": "other.npz"}, {"train": 38, "valid": 12}),
        ({"test": "other.npz"}, {"train": 300, "valid": 100, "test": 50}),
    ):
        sets = netwright.load(colours).data({name: tmp_path / path for name, path in given.items()})
        assert {name: len(sets[name]) for name in sets} == counts
    done = cli("data", colours, "--data", "valid=other.csv", "--format", "json")
    assert json.loads(done.stdout)["valid"]["samples"] == 40


def test_a_spec_without_data_is_valid_and_takes_arrays(cli: Cli, tiny: Path) -> None:
    text = tiny.read_text(encoding="utf-8").replace("  data: {train: train.npz, valid: valid.npz}\n", "")
    stopping = text + "  early_stopping: {patience: 2}\n"
    tiny.write_text(stopping, encoding="utf-8")
    assert cli("validate", "--data", tiny).output == f"{tiny}: valid\n"
    tiny.write_text(text, encoding="utf-8")
    done = cli("train", tiny, "--weights", "w.safetensors")
    assert done.exit_code == 2
    assert done.output == (
        "error: tiny has no data set train. Name it in the spec (train: {data: {train: train.npz}}) or with "
        "--data train=FILE\n"
    )
    assert cli("evaluate", tiny, "--weights", "w.safetensors").output.startswith(
        "error: tiny has no data to be"
    )
    model = netwright.load(tiny)
    program = model.compile(engine="reference")
    with pytest.raises(RequestError, match="tiny has no data set train"):
        program.train()
    assert program.train(samples(64, 1), epochs=1).steps == 2
    assert program.evaluate(samples(64, 1)).keys() == {"loss", "accuracy"}
    split = tiny.read_text(encoding="utf-8") + "  data: {valid: {from: train, fraction: 0.5}}\n"
    tiny.write_text(split, encoding="utf-8")
    result = netwright.load(tiny).compile(engine="reference").train(samples(64, 1), epochs=1)
    assert result.steps == 1
    assert result.history[0].valid is not None


def test_rounding_is_said_once_per_array(cli: Cli, tiny: Path) -> None:
    arrays = samples(64, 1)
    np.savez(tiny.parent / "train.npz", x=arrays["x"].astype(np.float64), t=arrays["t"])
    done = cli("train", tiny, "--weights", "w.safetensors", "--epochs", "2", "--engine", "reference")
    assert done.exit_code == 0
    assert done.output.count("note: ") == 1
    assert (
        f"note: {tiny.parent / 'train.npz'}: x is float64; its numbers are rounded to float32\n"
        in done.output
    )


def test_what_is_in_the_data(cli: Cli, tiny: Path, golden) -> None:
    arrays = samples(512, 1)
    x = arrays["x"].round(1)
    x[7, 1], x[9, 0] = np.nan, -np.inf
    np.savez(tiny.parent / "train.npz", x=x, t=arrays["t"], more=np.zeros(512, np.uint8))
    np.savez(tiny.parent / "valid.npz", x=np.zeros((3, 5), np.float32), t=np.array([0, 0, 2]))
    done = cli("data", tiny.name)
    assert done.exit_code == 1
    golden.check("data.txt", "".join(f"{line.rstrip()}\n" for line in done.output.splitlines()))
    found = json.loads(cli("data", tiny.name, "--format", "json").stdout)
    assert found["train"]["arrays"]["x"]["nans"] == found["train"]["arrays"]["x"]["infinities"] == 1
    assert found["valid"]["arrays"]["t"]["classes"] == {"0": 2, "1": 0, "2": 1}
    assert found["valid"]["problems"] == ["x: axis 1 must be 4: expected [N, 4], found [3, 5]"]


@pytest.mark.parametrize(("name", "noted"), [("validation", True), ("dev", True), ("extra", False)])
def test_validation_data_by_a_name_that_training_does_not_read(
    cli: Cli, tiny: Path, name: str, noted: bool
) -> None:
    tiny.write_text(TINY.replace("train: train.npz, valid: valid.npz", "train: train.npz"), encoding="utf-8")
    data = ["--data", f"{name}=valid.npz", "--weights", "w.safetensors", "--epochs", "1"]
    done = cli("train", tiny, *data, "--engine", "reference")
    assert done.exit_code == 0
    note = f"note: training does not read the data set {name}: --data valid=valid.npz is for validation\n"
    assert (note in done.stderr) is noted


def test_validation_data_are_renamed(cli: Cli, tiny: Path) -> None:
    tiny.write_text(TINY.replace("valid: valid.npz", "val: valid.npz"), encoding="utf-8")
    assert "NW0612" in cli("validate", tiny).output
    assert cli("fix", "--unsafe", tiny).exit_code == 0
    assert tiny.read_text(encoding="utf-8") == TINY


def test_what_numpy_can_convert_are_arrays_and_anything_else_is_refused(colours: Path) -> None:
    model = netwright.load(colours)
    arrays = samples(6, 1)

    class Column:
        """As a table's column, whose rows have labels of their own: it has no rows by position."""

        dtype, shape = arrays["t"].dtype, arrays["t"].shape

        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return arrays["t"]

    given = model.data({"lists": {"x": arrays["x"].tolist(), "t": Column()}})["lists"]
    read = given.read(np.array([4, 0]), ["x", "t"])
    assert np.array_equal(read["x"], arrays["x"][[4, 0]])
    assert np.array_equal(read["t"], arrays["t"][[4, 0]])
    with pytest.raises(
        DataError, match="the data set pair is a tuple; it has to be a file, or arrays by name"
    ):
        model.data({"pair": (arrays["x"], arrays["t"])})  # type: ignore[dict-item]
    with pytest.raises(DataError, match=r"the data set uneven: 'x' is not an array: .*inhomogeneous"):
        model.data({"uneven": {"x": [[1, 2], [3]]}})
