"""Language models' data: each sample without its last token, and without its first one, or windows of one stream."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from netwright.runtime.data.samples import Samples
from netwright.runtime.data.sources.registry import open_source
from netwright.runtime.data.splits import split
from netwright.runtime.data.stored import LARGEST_LOADED
from netwright.runtime.data.summary import summarize
from netwright.runtime.data.wanted import Wanted
from netwright.runtime.errors import DataError
from netwright.specs.models.data import AnySource, SplitData, TextData, TokensData

from .numpy_engine import buffer

X, N, NEXT = (
    buffer("x", "input", "N T", "int64"),
    buffer("n", "input", "N", "int64"),
    buffer("y", "input", "N T", "int64"),
)
RAGGED = Wanted((X, N), (NEXT,), {"y": None}, {}, {"x": "n"})
EQUAL = Wanted((X,), (NEXT,), {"y": None})


def opened(spec: AnySource, folder: Path, wanted: Wanted = RAGGED) -> Samples:
    found = open_source(spec, folder, wanted)
    found.build_vocabularies()
    return found


def read(data: Samples) -> dict[str, list]:
    return {name: array.tolist() for name, array in data.read(slice(None), data.headers).items()}


def test_lines_of_tokens(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("5 6 7 8\n9\n1,2\n")
    data = opened(TokensData(path="t.txt", next_token=True), tmp_path)
    assert read(data) == {
        "x": [[5, 6, 7], [0] * 3, [1, 0, 0]],
        "y": [[6, 7, 8], [0] * 3, [2, 0, 0]],
        "n": [3, 0, 1],
    }
    assert data.place(2) == "line 3"
    cut = opened(TokensData(path="t.txt", next_token=True, length=2), tmp_path)
    assert read(cut) == {"x": [[5, 6], [0, 0], [1, 0]], "y": [[6, 7], [0, 0], [2, 0]], "n": [2, 0, 1]}


def test_lines_of_text(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("ab ba\nbb\n", encoding="utf-8")
    spec = TextData(path="t.txt", next_token=True, vocabulary={"of": "characters"})  # type: ignore[arg-type]
    data = opened(spec, tmp_path)
    assert data.vocabularies["x"].entries == ("<pad>", "<unk>", "b", "a", " ")
    assert read(data) == {"x": [[3, 2, 4, 2], [2, 0, 0, 0]], "y": [[2, 4, 2, 3], [2, 0, 0, 0]], "n": [4, 1]}
    # A piece of another vocabulary is unknown as input and as target.
    (tmp_path / "o.txt").write_text("bcb\n")
    other = opened(spec.model_copy(update={"path": "o.txt"}), tmp_path, RAGGED.like(data))
    assert read(other) == {"x": [[2, 1]], "y": [[1, 2]], "n": [2]}


@pytest.mark.parametrize("stride", [2, 3, 5])
def test_windows_of_a_text(tmp_path: Path, stride: int) -> None:
    (tmp_path / "t.txt").write_bytes(b"abc\r\nabcab\n")
    spec = TextData(path="t.txt", next_token=True, length=3, stride=stride, vocabulary={"of": "characters"})  # type: ignore[arg-type]
    data = opened(spec, tmp_path, EQUAL)
    entries = data.vocabularies["x"].entries
    assert set(entries[2:]) == {"a", "b", "c", "\n"}
    text = "abc\nabcab\n"
    starts = range(0, len(text) - 3, stride)
    arrays = data.read(slice(None), data.headers)
    for name, ahead in (("x", 0), ("y", 1)):
        rows = ["".join(entries[number] for number in row) for row in arrays[name]]
        assert rows == [text[at + ahead : at + ahead + 3] for at in starts]
    assert data.place(1) == f"tokens {stride + 1} to {stride + 3}"


@pytest.mark.parametrize("large", [False, True])
def test_a_stream_in_a_file_is_not_copied(tmp_path: Path, large: bool) -> None:
    count = LARGEST_LOADED // 4 + 100 if large else 50
    ids = (np.arange(count) % 1000).astype(np.int32)
    np.save(tmp_path / "ids.npy", ids)
    spec = TokensData(path={"ids": "ids.npy"}, next_token=True, length=16, stride=8)
    data = opened(spec, tmp_path, EQUAL)
    assert data.in_memory is not large
    assert len(data) == (count - 16 + 7) // 8
    rows = np.array([len(data) - 1, 0, 2])
    arrays = data.read(rows, ["x", "y"])
    starts = rows[:, None] * 8 + np.arange(16)
    np.testing.assert_array_equal(arrays["x"], ids[starts])
    np.testing.assert_array_equal(arrays["y"], ids[starts + 1])
    assert data.headers["y"].dtype == np.int32


def test_arrays_with_offsets(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", ids=np.array([4, 5, 6, 7, 8]), offsets=np.array([0, 3, 5]))
    data = opened(TokensData(path="t.npz", next_token=True), tmp_path)
    assert read(data) == {"x": [[4, 5], [7, 0]], "y": [[5, 6], [8, 0]], "n": [2, 1]}
    stream = opened(TokensData(path="t.npz", next_token=True, length=2, stride=2), tmp_path)
    assert read(stream) == {"x": [[4, 5], [6, 7]], "y": [[5, 6], [7, 8]], "n": [2, 2]}


def test_a_vocabulary_counts_the_windows_of_training_once(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a b c d e f g h i j k l m")
    spec = TextData(path="t.txt", next_token=True, length=2, stride=1)
    whole = open_source(spec, tmp_path, EQUAL)
    rest, parts = split(whole, {"valid": SplitData.model_validate({"from": "train", "fraction": 0.3})})
    rest.build_vocabularies()
    covered = {letter for row in rest.rows for letter in "abcdefghijklm"[row : row + 3]}
    assert set(rest.vocabularies["x"].entries[2:]) == covered
    tokens, unknown = rest.texts["x"].count(rest.origin_rows)
    assert (tokens, unknown) == (len(covered), 0)
    assert len(parts["valid"]) + len(rest) == 11


def test_no_token_is_listed_as_a_class(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("1 2 3 4 5\n")
    summary = summarize(opened(TokensData(path="t.txt", next_token=True), tmp_path), ["y"])
    (own,) = (array for array in summary.arrays if array.name == "y")
    assert (own.least, own.greatest, own.counts) == (2, 5, None)


@pytest.mark.parametrize(
    ("text", "keys", "wanted", "message"),
    [
        ("1\n2\n", {}, RAGGED, "no sample has two tokens"),
        ("1 2 3\n4 5\n", {}, EQUAL, "samples have 1 to 2 tokens"),
        (
            "1 2 3\n",
            {"length": 3, "stride": 1},
            EQUAL,
            "has 3 tokens; a window of 3 and the token after it need 4",
        ),
        (
            "1 2 3\n",
            {},
            Wanted((X, N), (buffer("y", "input", "N", "int64"),), {}, {}, {"x": "n"}),
            "y takes int64",
        ),
        (
            "1 2 3\n",
            {},
            Wanted((X, N), (buffer("y", "input", "N T"),), {}, {}, {"x": "n"}),
            "y takes float32",
        ),
        ("1 2 3\n", {"target": "z"}, RAGGED, "which target do the files fill"),
    ],
)
def test_what_can_not_be_read(tmp_path: Path, text: str, keys: dict, wanted: Wanted, message: str) -> None:
    (tmp_path / "t.txt").write_text(text)
    for kind in (TokensData, TextData):
        with pytest.raises(DataError, match=message):
            opened(kind(path="t.txt", next_token=True, **keys), tmp_path, wanted)


def test_a_folder_has_no_next_tokens(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="next_token reads a file"):
        opened(TextData(path=".", next_token=True), tmp_path)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"next_token": True, "labels": "l.txt"}, "there are no labels"),
        ({"next_token": True, "label": "first"}, "there are no labels"),
        ({"length": 4, "stride": 4}, "stride cuts a stream for next_token"),
        ({"next_token": True, "stride": 4}, "stride needs length"),
    ],
)
def test_keys_that_do_not_fit_together(keys: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TextData(path="t.txt", **keys)


@given(
    st.binary(max_size=40),
    st.sampled_from([TextData, TokensData]),
    st.sampled_from([{}, {"length": 2}, {"length": 2, "stride": 1}, {"length": 3, "stride": 4}]),
)
def test_any_bytes_are_read_or_refused(tmp_path_factory, data: bytes, kind: type, keys: dict) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    (folder / "t.txt").write_bytes(data)
    with suppress(DataError):
        arrays = read(opened(kind(path="t.txt", next_token=True, **keys), folder))
        for x, y, length in zip(arrays["x"], arrays["y"], arrays["n"], strict=True):
            assert x[1:length] == y[: max(length - 1, 0)]
