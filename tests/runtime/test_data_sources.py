"""Data sets from files: what is read, which rows, and what is said about files that can't be."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from netwright.runtime.batches import Batches
from netwright.runtime.data.dataset import Dataset, load_dataset, open_dataset
from netwright.runtime.data.samples import Samples
from netwright.runtime.data.sources.registry import open_source
from netwright.runtime.data.splits import split
from netwright.runtime.data.stored import LARGEST_LOADED
from netwright.runtime.data.summary import summarize
from netwright.runtime.data.wanted import Wanted
from netwright.runtime.errors import DataError, RoundingWarning
from netwright.runtime.files.npz import write_npz
from netwright.runtime.training.loop import train
from netwright.specs.models.data import AnySource, CsvData, ParquetData, SplitData

from .numpy_engine import buffer, linear_data
from .training_setup import PLAN, VALID, assert_same, new_session

CLASSES = Wanted((buffer("x", "input", "N 2"),), (buffer("t", "input", "N", "int64"),), {"t": None})


def opened(spec: AnySource, folder: Path, wanted: Wanted = CLASSES) -> Samples:
    return open_source(spec, folder, wanted)


# Arrays.


def large(path: Path, rows: int = 300) -> np.ndarray:
    """A .npy file above the limit, whose rows are known though most of it is a hole."""
    width = LARGEST_LOADED // 4 // rows + 1
    array = np.lib.format.open_memmap(path, "w+", np.dtype(">f4"), (rows, width))
    array[:, 0] = np.arange(rows)
    array.flush()
    return array


@pytest.mark.parametrize(
    "rows", [slice(3, 7), slice(0, 0), slice(295, 999), np.array([7, 8, 9, 2, 2, 0]), np.array([], np.int64)]
)
def test_rows_of_a_large_array_are_read_alone(tmp_path: Path, rows) -> None:
    array = large(tmp_path / "x.npy")
    np.save(tmp_path / "y.npy", np.arange(300))
    data = open_dataset(tmp_path)
    assert data.headers.keys() == {"x", "y"}
    found = data.read(rows, ["x", "y"])
    np.testing.assert_array_equal(found["x"], array[rows])
    np.testing.assert_array_equal(found["y"], np.arange(300)[rows])
    assert found["x"].dtype == np.float32
    assert found["x"].dtype.isnative


def test_stored_members_of_archives_are_read_in_place(tmp_path: Path) -> None:
    array = large(tmp_path / "x.npy")
    write_npz(tmp_path / "own.npz", {"y": np.arange(300), "x": array})
    np.savez(tmp_path / "numpy.npz", y=np.arange(300), x=array)
    np.savez_compressed(tmp_path / "packed.npz", y=np.arange(300), x=array)
    for name in ("own", "numpy", "packed"):
        data = load_dataset(tmp_path / f"{name}.npz")
        np.testing.assert_array_equal(data.read(np.array([5, 299]), ["x"])["x"], array[[5, 299]])
        np.testing.assert_array_equal(data.read(slice(2, 4), ["y"])["y"], [2, 3])


def test_a_file_that_is_cut_short_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    large(tmp_path / "x.npy")
    data = open_dataset({"x": tmp_path / "x.npy"})
    with open(tmp_path / "x.npy", "r+b") as file:
        file.truncate(1000)
    with pytest.raises(DataError, match=r"x\.npy: the file was cut short"):
        data.read(slice(290, 300), ["x"])


def test_data_larger_than_memory(tmp_path: Path) -> None:
    """Batches of 40 GB, most of them holes, in a process that may have 2 GB."""
    with open(tmp_path / "x.npy", "wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (100_000, 100_000)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 4 * 10**10)
    program = (
        "import resource, sys\nresource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "from netwright.runtime.batches import Batches\nfrom netwright.runtime.data.dataset import open_dataset\n"
        "from netwright.specs.manifest import BufferInfo\n"
        "info = BufferInfo(name='x', role='input', dtype='float32', shape=['N', '100000'])\n"
        "batches = Batches(open_dataset(sys.argv[1]), [info], 32, shuffle=True).epoch(0)\n"
        "print([next(batches).arrays['x'].shape for _ in range(3)])"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env={"OPENBLAS_NUM_THREADS": "1"})
    assert done.stdout == "[(32, 100000), (32, 100000), (32, 100000)]\n", done.stderr


def test_arrays_need_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \.npy file is in this folder"):
        open_dataset(tmp_path)
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(DataError, match=r"\{NAME: a\.npy\}"):
        open_dataset(tmp_path / "a.npy")


# Tables.

FLOWERS = "kind, b ,a,more\nrose,1,2.5,x\n\ntulip,-3,4e0,y\n rose ,5,nan,z\n"


def test_columns_fill_arrays_and_words_are_classes(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("\ufeff" + FLOWERS, encoding="utf-8")
    data = opened(CsvData(path="f.csv", columns={"x": ("a", "b"), "t": "kind"}), tmp_path)
    found = data.read(slice(None), ["x", "t"])
    np.testing.assert_array_equal(found["x"], np.array([[2.5, 1], [4, -3], [np.nan, 5]], np.float32))
    np.testing.assert_array_equal(found["t"], [0, 1, 0])
    assert data.classes == {"t": ("rose", "tulip")}
    assert [data.place(row) for row in range(3)] == ["line 2", "line 4", "line 5"]


def test_patterns_take_what_no_other_array_names(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(
        FLOWERS.replace(",more", "").replace(",x", "").replace(",y", "").replace(",z", "")
    )
    data = opened(CsvData(path="f.csv", columns={"x": "*", "t": "kind"}), tmp_path)
    np.testing.assert_array_equal(data.read(slice(0, 1), ["x"])["x"], [[1, 2.5]])


def test_labels_order_classes_and_numbers_stay_numbers(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("x;t\n1;b\n2;a\n")
    spec = CsvData(path="f.csv", separator=";")
    named = Wanted((buffer("x", "input", "N"),), CLASSES.targets, {"t": ("b", "c", "a")})
    data = opened(spec, tmp_path, named)
    np.testing.assert_array_equal(data.read(slice(None), ["t"])["t"], [0, 2])
    (tmp_path / "f.csv").write_text("x;t\n1;10\n2;9\n")
    assert opened(spec, tmp_path, named).read(slice(None), ["t"])["t"].tolist() == [10, 9]


def test_a_row_fills_a_shape(tmp_path: Path) -> None:
    header = ",".join(f"p{i}" for i in range(8))
    (tmp_path / "f.csv").write_text(f"{header},t\n0,1,2,3,4,5,6,7,1\n")
    for shape, wanted in (("N 2 4 1", (1, 2, 4, 1)), ("N T 2", (1, 4, 2)), ("N 3 3", (1, 8))):
        data = opened(
            CsvData(path="f.csv", columns={"x": "p*"}),
            tmp_path,
            Wanted((buffer("x", "input", shape),), CLASSES.targets, {"t": None}),
        )
        assert data.headers["x"].shape == wanted
        assert data.read(slice(None), ["x"])["x"].reshape(-1).tolist() == list(range(8))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("a,b,t\n", "there is no row"),
        ("a,b,t\n1,2\n", "line 2: 2 cells, the header has 3"),
        ("a,b,t\n1,2,0\n1,1e300,0\n", r"line 3: x: 1e\+300 is too large for float32"),
        ('a,b,t\n1,2,"0\n', "line 2: unexpected end of data"),
        ("a,b,t\n1,2,0\n\n1,x,0\n", "line 4, column 'b': 'x' is no number"),
        ("a,b,t\n1,2020_01,0\n", "line 2, column 'b': '2020_01' is no number"),
        ("a,b,t\n1, ,0\n", "line 2, column 'b': the cell is empty"),
        ("a,b,t\n1,2,\n", "line 2, column 't': the cell is empty"),
        ("a,a,t\n1,2,0\n", r"the header has 'a' 2 times"),
        ("a,b\n1,2\n", "no column is named t; say which ones fill it"),
        ("a,b,t\n1,\xff,0\n", "is not UTF-8"),
    ],
)
def test_bad_tables_name_the_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "f.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=rf"f\.csv.*{message}"):
        opened(CsvData(path="f.csv", columns={"x": ("a", "b")}), tmp_path)


def test_numbers_have_to_fit(tmp_path: Path) -> None:
    wanted = Wanted((buffer("x", "input", "N", "uint8"), buffer("m", "input", "N", "bool")))
    (tmp_path / "f.csv").write_text("x,m\n255,true\n0,0\n")
    data = opened(CsvData(path="f.csv"), tmp_path, wanted)
    assert [one.tolist() for one in data.read(slice(None), ["x", "m"]).values()] == [[255, 0], [True, False]]
    for cell, message in (
        ("256,1", "256 is not from 0 to 255"),
        ("1.5,1", "'1.5' is no whole number"),
        ("1,2", "truth"),
    ):
        (tmp_path / "f.csv").write_text(f"x,m\n{cell}\n")
        with pytest.raises(DataError, match=f"line 2.*{message}"):
            opened(CsvData(path="f.csv"), tmp_path, wanted)


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"a": [2.5, 4.0], "b": [1, -3], "kind": ["rose", "tulip"]}
    parquet.write_table(arrow.table(columns), tmp_path / "f.parquet")
    spec = ParquetData(path="f.parquet", columns={"x": ("a", "b"), "t": "kind"})
    found = opened(spec, tmp_path).read(slice(None), ["x", "t"])
    np.testing.assert_array_equal(found["x"], np.array([[2.5, 1], [4, -3]], np.float32))
    assert found["t"].tolist() == [0, 1]
    for wrong, message in (
        ({"b": [None, 1]}, "row 0, column 'b': the cell is empty"),
        ({"b": ["x", "y"]}, "column 'b': x takes numbers, this is string"),
    ):
        parquet.write_table(arrow.table(columns | wrong), tmp_path / "f.parquet")
        with pytest.raises(DataError, match=message):
            opened(spec, tmp_path)
    (tmp_path / "f.parquet").write_text("no table")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        opened(spec, tmp_path)


# Splits.


def test_a_split_is_the_same_everywhere_and_leaves_the_rest() -> None:
    labels = np.repeat(np.arange(4), [50, 30, 15, 5])
    data = Dataset({"x": np.arange(100), "t": labels})
    splits = {"valid": SplitData.model_validate({"from": "train", "fraction": 0.2, "stratify": "t"})}
    rest, parts = split(data, splits)
    held = parts["valid"].read(slice(None), ["x", "t"])
    assert np.bincount(held["t"]).tolist() == [10, 6, 3, 1]
    first = [1, 10, 14, 17, 19, 29, 30, 43, 47, 49]
    assert held["x"].tolist() == [*first, 51, 52, 55, 59, 74, 75, 81, 91, 94, 96]
    assert sorted([*held["x"], *rest.read(slice(None), ["x"])["x"]]) == list(range(100))
    more = splits | {"test": SplitData.model_validate({"from": "train", "fraction": 0.5})}
    smaller, both = split(data, more)
    assert_same(both["valid"].read(slice(None), ["x"]), {"x": held["x"]})
    assert (len(both["test"]), len(smaller)) == (50, 30)
    other = {"valid": SplitData.model_validate({"from": "train", "fraction": 0.2, "seed": 1})}
    assert split(data, other)[1]["valid"].read(slice(None), ["x"])["x"].tolist() != held["x"].tolist()


def test_splits_that_can_not_be_made() -> None:
    data = Dataset({"x": np.zeros((3, 2))})
    with pytest.raises(DataError, match="valid would be empty"):
        split(data, {"valid": SplitData.model_validate({"from": "train", "fraction": 0.1})})
    with pytest.raises(DataError, match=r"x is float64 \[3, 2\]"):
        split(data, {"valid": SplitData.model_validate({"from": "train", "fraction": 0.5, "stratify": "x"})})


# In training.


def test_float64_is_rounded_and_said_once() -> None:
    exact = linear_data(100)
    wide = {name: array.astype(np.float64) + 1e-12 for name, array in exact.items()}
    with pytest.warns(RoundingWarning) as said:
        result = train(new_session(), PLAN, Dataset(wide), VALID)
    assert [str(one.message) for one in said] == [
        f"the data: {name} is float64; its numbers are rounded to float32" for name in wide
    ]
    rounded = Dataset({name: array.astype(np.float32) for name, array in wide.items()})
    assert_same(result.weights, train(new_session(), PLAN, rounded, VALID).weights)


@pytest.mark.filterwarnings("ignore::netwright.runtime.errors.RoundingWarning")
def test_a_number_that_float32_can_not_hold_is_an_error() -> None:
    wide = {name: array.astype(np.float64) for name, array in linear_data(100).items()}
    wide["x"][70, 2] = 1e39
    with pytest.raises(DataError, match=r"x: 1e\+39 is too large for float32 in sample 70 \(at \[2\]\)"):
        train(new_session(), PLAN, Dataset(wide))
    wide["x"][70, 2] = np.inf  # infinity is no number that is lost
    infos = new_session().input_info("train_step")
    assert np.isinf(next(Batches(Dataset(wide), infos, 100).epoch(0)).arrays["x"][70, 2])


class FailsOnce(Dataset):
    """A file that can't be read, until somebody mends it."""

    broken = True

    def read(self, rows, names):
        if self.broken and 42 in np.arange(len(self))[rows]:
            raise DataError("42.png: not a readable image")
        return super().read(rows, names)


def test_a_training_goes_on_when_a_file_is_mended(tmp_path: Path) -> None:
    data, path = FailsOnce(linear_data(100)), tmp_path / "run.checkpoint"
    with pytest.raises(DataError, match=r"42\.png"):
        train(new_session(), PLAN, data, VALID, checkpoint=path)
    data.broken = False
    result = train(new_session(), PLAN, data, VALID, resume=path)
    assert_same(result.weights, train(new_session(), PLAN, data, VALID).weights)


def test_a_summary_counts_what_is_there() -> None:
    x = np.array([[1, np.nan], [np.inf, -3]])
    found = summarize(Dataset({"x": x, "t": np.array([2, 0])}), ["t"]).to_json()
    assert (
        found["arrays"]["x"] | {"nans": 1, "infinities": 1, "least": -3.0, "greatest": 1.0}
        == found["arrays"]["x"]
    )
    assert found["arrays"]["t"]["classes"] == {"0": 1, "1": 0, "2": 1}
