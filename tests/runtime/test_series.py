"""Tables that are one series: windows of rows, what targets they have, and how they are split."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from netwright.runtime.data.inputs import InputBatch, Unreadable
from netwright.runtime.data.samples import Samples
from netwright.runtime.data.sources.registry import open_source, read_inputs
from netwright.runtime.data.splits import split
from netwright.runtime.data.wanted import Wanted
from netwright.runtime.errors import DataError
from netwright.specs.load import load_spec_text
from netwright.specs.models.data import CsvData, ParquetData, SplitData, TableData

from .numpy_engine import buffer

ROWS = 20
COLUMNS = {"x": ("a", "b"), "kind": "kind", "y": "a"}
WANTED = Wanted(
    (buffer("x", "input", "N T 2"),),
    (buffer("kind", "input", "N", "int64"), buffer("y", "input", "N T")),
    {"kind": None},
)


def write_csv(path: Path) -> None:
    lines = [f"{row},{100 + row},{'odd' if row % 2 else 'even'}" for row in range(ROWS)]
    path.write_text("\n".join(["a,b,kind", *lines]) + "\n", encoding="utf-8")


def write_parquet(path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = np.arange(ROWS)
    kinds = ["odd" if row % 2 else "even" for row in range(ROWS)]
    parquet.write_table(arrow.table({"a": rows * 1.0, "b": 100.0 + rows, "kind": kinds}), path)


KINDS: dict[type[TableData], tuple[str, Callable[[Path], None]]] = {
    CsvData: ("t.csv", write_csv),
    ParquetData: ("t.parquet", write_parquet),
}


def opened(kind: type[TableData], folder: Path, **keys: int) -> Samples:
    name, write = KINDS[kind]
    write(folder / name)
    return open_source(kind(path=name, columns=COLUMNS, **keys), folder, WANTED)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("stride", "ahead"), [(1, 0), (3, 0), (1, 4), (7, 2), (5, 15)])
def test_windows_are_rows_that_follow_each_other(
    kind: type[TableData], tmp_path: Path, stride: int, ahead: int
) -> None:
    data = opened(kind, tmp_path, window=5, stride=stride, ahead=ahead)
    starts = [row for row in range(0, ROWS, stride) if row + 5 + ahead <= ROWS]
    assert len(data) == len(starts)
    assert {name: header.shape for name, header in data.headers.items()} == {
        "x": (len(starts), 5, 2),
        "kind": (len(starts),),
        "y": (len(starts), 5),
    }
    for order in (slice(None), np.arange(len(starts))[::-1].copy()):
        arrays = data.read(order, ["x", "kind", "y"])
        for sample, start in enumerate(np.array(starts)[order]):
            rows = np.arange(start, start + 5)
            np.testing.assert_array_equal(arrays["x"][sample], np.stack([rows, 100 + rows], 1))
            np.testing.assert_array_equal(arrays["y"][sample], rows + ahead)
            assert arrays["kind"][sample] == (rows[-1] + ahead) % 2
        assert all(array.flags.c_contiguous for array in arrays.values())
    assert data.classes == {"kind": ("even", "odd")}
    last = starts[-1] + 4
    assert data.place(len(starts) - 1) == (f"line {last + 2}" if kind is CsvData else f"row {last}")


def test_split_takes_the_last_windows_and_shares_no_row(tmp_path: Path) -> None:
    data = opened(CsvData, tmp_path, window=4, stride=2, ahead=1)  # 8 windows, which begin at 0, 2, …, 14
    assert (len(data), data.overlap) == (8, 2)
    rest, parts = split(data, {"valid": SplitData.model_validate({"from": "train", "fraction": 0.25})})
    last = parts["valid"].read(slice(None), ["x", "y"])
    first = rest.read(slice(None), ["x", "y"])
    np.testing.assert_array_equal(last["x"][:, 0, 0], [12, 14])
    np.testing.assert_array_equal(first["x"][:, 0, 0], [0, 2, 4, 6])
    assert max(first["x"][..., 0].max(), first["y"].max()) < last["x"][..., 0].min()
    for keys, message in (
        ({"fraction": 0.01}, "valid would be empty"),
        ({"fraction": 0.5, "stratify": "kind"}, "can't be stratified"),
    ):
        spec = SplitData.model_validate({"from": "train", **keys})
        with pytest.raises(DataError, match=message):
            split(data, {"valid": spec})
    with pytest.raises(DataError, match="take all of its 8 samples"):
        split(data, {"valid": SplitData.model_validate({"from": "train", "fraction": 0.7})})


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_for_windows_too(kind: type[TableData], tmp_path: Path) -> None:
    name, write = KINDS[kind]
    write(tmp_path / name)
    spec = kind(path="none", columns=COLUMNS, window=6, stride=4, ahead=3)  # type: ignore[arg-type]
    inputs = Wanted(WANTED.inputs, unread=("kind", "y"))
    batches = list(read_inputs(spec, [tmp_path / name], inputs, 3))  # type: ignore[arg-type]
    assert all(isinstance(batch, InputBatch) for batch in batches)
    assert [len(batch) for batch in batches] == [3, 1]  # type: ignore[arg-type]
    x = np.concatenate([batch.arrays["x"] for batch in batches])  # type: ignore[union-attr]
    np.testing.assert_array_equal(x[:, 0, 0], [0, 4, 8, 12])
    numbers = [place.number for batch in batches for place in batch.places]  # type: ignore[union-attr]
    assert numbers == [row + (2 if kind is CsvData else 0) for row in (5, 9, 13, 17)]


def test_too_few_rows_are_said(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"t.csv: a window has 18 rows and 3 more for the targets, there are 20"
    ):
        opened(CsvData, tmp_path, window=18, ahead=3)
    inputs = Wanted(WANTED.inputs, unread=("kind", "y"))
    spec = CsvData(path="none", columns=COLUMNS, window=21, ahead=3)
    (item,) = read_inputs(spec, [tmp_path / "t.csv"], inputs, 8)
    assert isinstance(item, Unreadable)
    assert item.message.endswith("t.csv: a window has 21 rows, there are 20")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("stride: 2", "stride is of windows; window says how many rows they have"),
        ("ahead: 2", "ahead is of windows; window says how many rows they have"),
        ("window: 4, text: {x: {}}", "windows are of numbers, and a column of text is read row by row"),
    ],
)
def test_keys_that_do_not_go_together(keys: str, message: str) -> None:
    text = f"""
netwright: 1
model: m
dims: {{N: batch, T: time}}
inputs: {{x: {{shape: [N, T, 1]}}}}
layers: [{{name: y, type: dense, units: 1}}]
outputs: {{y: y}}
train:
  data: {{train: {{type: csv, path: t.csv, {keys}}}}}
  loss: {{type: mse, output: y, target: t}}
"""
    assert message in [diagnostic.message for diagnostic in load_spec_text(text, "m.yaml").diagnostics]
