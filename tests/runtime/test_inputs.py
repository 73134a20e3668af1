"""Samples to predict for: which share a batch, what costs what, and what is read when."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from netwright.runtime.data.input_files import list_files
from netwright.runtime.data.inputs import InputBatch, Inputs, Place, Unreadable, fitted
from netwright.runtime.data.sources.registry import read_inputs
from netwright.runtime.data.vocabulary import Vocabulary
from netwright.runtime.data.wanted import Wanted
from netwright.runtime.errors import DataError, DataWarning, RoundingWarning
from netwright.specs.manifest import DimInfo, RangeInfo
from netwright.specs.models.data import CsvData, TextData

from .numpy_engine import buffer

X = Wanted((buffer("x", "input", "N 2"),))
WORDS = Vocabulary("words", False, "<pad>", "<unk>", ("<pad>", "<unk>", "a", "film"))
STEPS = {"T": DimInfo(name="T", min=2, max=6, multiple_of=2)}
TEXT = Wanted((buffer("w", "input", "N T", "int64"),), vocabularies={"w": WORDS}, dims=STEPS)
COUNTED = Wanted(
    (*TEXT.inputs, buffer("n", "input", "N", "int64")),
    lengths={"w": "n"},
    vocabularies={"w": WORDS},
    dims=STEPS,
)


def taken(items: Inputs) -> tuple[list[list[str]], list[str]]:
    """The places of each batch, and what could not be read."""
    batches, messages = [], []
    for item in items:
        if isinstance(item, Unreadable):
            messages.append(item.message)
        else:
            batches.append([str(place) for place in item.places])
    return batches, messages


def lines(path: Path, *texts: str) -> Path:
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def test_files_are_listed_below_folders_in_order(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "b/1.png", "a.png", ".hidden/x.png", "b/.y.png", "b/z.txt", "c/d/0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"")
    found = list_files([tmp_path / "c", tmp_path], (".png",), "image")
    names = [path.relative_to(tmp_path).as_posix() for path in found]
    assert names == ["c/d/0.png", "a.png", "b/1.png", "b/2.PNG", "c/d/0.png"]
    for path, message in (
        (tmp_path / "b" / "z.txt", r"z\.txt is no image: those end in \.png"),
        (tmp_path / ".hidden" / "none.png", "No such file"),
        (Path("-"), "standard input is not read for this"),
    ):
        with pytest.raises(DataError, match=message):
            list_files([path], (".png",), "image")
    with pytest.raises(DataError, match="no WAV file is in this folder or below"):
        list_files([tmp_path], (".wav",), "WAV file")
    assert list_files([tmp_path / "b" / "z.txt", Path("-")], (".csv",), "CSV file", others=True)[1] == Path(
        "-"
    )


def test_a_table_is_read_batch_by_batch(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.csv", "a,b", "1,2", "3,4", "5,6", "7,x", "9", "1,1")
    spec = CsvData(path="t.csv", columns={"x": ("a", "b")})
    first = next(iter(read_inputs(spec, [path], X, 2)))  # no later line was looked at
    assert isinstance(first, InputBatch)
    assert first.arrays["x"].tolist() == [[1, 2], [3, 4]]
    batches, messages = taken(read_inputs(spec, [path], X, 2))
    assert batches == [[f"{path}, line 2", f"{path}, line 3"], [f"{path}, line 4"]]
    assert messages == [
        f"{path}, line 5, column 'b': 'x' is no number",
        f"{path}, line 6: 1 cell, the header has 2",  # with a line like this, nothing below is sure
    ]


def test_columns_of_targets_are_no_inputs(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.csv", "a,kind,b,note", "1,rose,2,z")
    spec = CsvData(path="t.csv", columns={"x": "*", "t": "kind", "u": "note"})
    wanted = Wanted(X.inputs, unread=("t", "u"))
    (batch,) = read_inputs(spec, [path], wanted, 8)
    assert isinstance(batch, InputBatch)
    assert batch.arrays["x"].tolist() == [[1, 2]]


def test_texts_share_a_batch_where_padding_is_known(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.txt", "a film", "a", "a a a", "a b c d e f g", "a a")
    counted = list(read_inputs(TextData(path="t"), [path], COUNTED, 3))
    assert [type(item).__name__ for item in counted] == ["InputBatch", "Unreadable", "InputBatch"]
    first, late = (item for item in counted if isinstance(item, InputBatch))
    assert first.arrays["w"].tolist() == [[2, 3, 0, 0], [2, 0, 0, 0], [2, 2, 2, 0]]  # T is a multiple of 2
    assert first.arrays["n"].tolist() == [2, 1, 3]
    assert late.arrays["n"].tolist() == [2]
    with pytest.warns(DataWarning, match="6 of 15 tokens are not in the vocabulary of w"):
        batches, messages = taken(read_inputs(TextData(path="t"), [path], TEXT, 3))
    assert batches == [[f"{path}, line 1"], [f"{path}, line 5"]]
    assert [message.splitlines()[0] for message in messages] == [
        f"{path}, line {row} does not fit the model:" for row in (2, 3, 4)
    ]
    with pytest.warns(DataWarning, match="6 of 15"):
        (short,) = read_inputs(TextData(path="t", length=2), [path], TEXT, 9)
    assert isinstance(short, InputBatch)
    assert short.arrays["w"].tolist() == [[2, 3], [2, 0], [2, 2], [2, 1], [2, 2]]


def test_numbers_are_rounded_and_ranges_hold_for_each_sample() -> None:
    index = buffer("i", "input", "N", "int64").model_copy(
        update={"ranges": [RangeInfo(what="index", high="3")]}
    )
    wanted = Wanted((*X.inputs, index))
    x = np.array([[1, 2], [3, 1e300], [5, 6], [7, 8]])
    batch = InputBatch([Place("f", "line", row) for row in range(4)], {"x": x, "i": np.array([0, 1, 4, 3])})
    told: set[str] = set()
    with pytest.warns(RoundingWarning, match="x is float64") as warned:
        items: Sequence[InputBatch | Unreadable] = list(fitted(batch, wanted, told))
    assert len(warned) == 1
    assert taken(iter(items)) == (
        [["f, line 0"], ["f, line 3"]],
        [
            "f, line 1: x: 1e+300 is too large for float32",
            "i: f, line 2 has the index 4; indices are 0 to 3",
        ],
    )
    kept = [item for item in items if isinstance(item, InputBatch)]
    assert kept[0].arrays["x"].dtype == np.float32
