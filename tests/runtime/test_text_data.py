"""Text and tokens as training data: vocabularies, padding, labels, and what is said about files that can't be read."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.runtime.data.ragged import Ragged
from netwright.runtime.data.samples import Samples
from netwright.runtime.data.sources.registry import open_source
from netwright.runtime.data.spans import Spans, offsets_of
from netwright.runtime.data.splits import split
from netwright.runtime.data.stored import LARGEST_LOADED, open_arrays
from netwright.runtime.data.wanted import Wanted
from netwright.runtime.errors import DataError
from netwright.specs.models.data import (
    AnySource,
    CsvData,
    ParquetData,
    SplitData,
    TextColumnSpec,
    TextData,
    TokensData,
    VocabularySpec,
)

from .numpy_engine import buffer

TARGET = (buffer("t", "input", "N", "int64"),)
RAGGED = Wanted(
    (buffer("x", "input", "N T", "int32"), buffer("n", "input", "N", "int64")),
    TARGET,
    {"t": None},
    {},
    {"x": "n"},
)
PLAIN = Wanted((buffer("x", "input", "N T", "int64"),), TARGET, {"t": None})


def opened(spec: AnySource, folder: Path, wanted: Wanted = RAGGED, *, build: bool = True) -> Samples:
    data = open_source(spec, folder, wanted)
    if build:
        data.build_vocabularies()
    return data


def read(data: Samples) -> dict[str, list]:
    return {name: one.tolist() for name, one in data.read(slice(None), data.headers).items()}


# Pieces of text, and vocabularies.


def test_lines_with_labels_and_lengths(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_bytes("\ufeffpos\tso good\r\nneg\tbad\nneg\t\npos\tgood good\tso\n".encode())
    data = opened(TextData(path="r.txt", label="first"), tmp_path)
    assert data.vocabularies["x"].entries == ("<pad>", "<unk>", "good", "so", "bad")
    assert read(data) == {
        "x": [[3, 2, 0], [4, 0, 0], [0, 0, 0], [2, 2, 3]],
        "n": [2, 1, 0, 3],
        "t": [1, 0, 0, 1],
    }
    assert data.classes == {"t": ("neg", "pos")}
    assert data.place(2) == "line 3"
    assert data.headers["x"].dtype == np.int32
    (tmp_path / "x.txt").write_text("so good;pos\nbad;neg\n")
    last = opened(TextData(path="x.txt", label="last", separator=";"), tmp_path)
    assert read(last)["t"] == [1, 0]


def test_labels_in_a_second_file(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("a b\nb\n\n")
    (tmp_path / "l.txt").write_text("2.5\n-1\n0\n")
    score = Wanted(RAGGED.inputs, (buffer("score", "input", "N 1"),), {}, {}, {"x": "n"})
    data = opened(
        TextData(path="r.txt", labels="l.txt", vocabulary=VocabularySpec(of="characters")), tmp_path, score
    )
    assert read(data) == {
        "x": [[4, 3, 2], [2, 0, 0], [0, 0, 0]],
        "n": [3, 1, 0],
        "score": [[2.5], [-1.0], [0.0]],
    }


def test_a_folder_by_class(tmp_path: Path) -> None:
    for name, text in (("sport/1.txt", "goal\ngoal"), ("sport/2.txt", "win"), ("news/1.txt", "vote")):
        (tmp_path / "texts" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "texts" / name).write_text(text)
    data = opened(TextData(path="texts"), tmp_path)
    assert read(data) == {"x": [[3, 0], [2, 2], [4, 0]], "n": [1, 2, 1], "t": [0, 1, 1]}
    assert data.place(1) == "sport/1.txt"
    (tmp_path / "texts/sport/3.txt").write_bytes(b"ok\nna\xc3\xafve \xff!")
    with pytest.raises(DataError, match=r"3\.txt, line 2, column 7: the text is not UTF-8"):
        opened(TextData(path="texts"), tmp_path)
    (tmp_path / "texts/sport/3.txt").rename(tmp_path / "texts/sport/3.pdf")
    with pytest.raises(
        DataError, match=r"3\.pdf is no file of this type; .* may hold files that end in \.txt"
    ):
        opened(TextData(path="texts"), tmp_path)


def test_a_fixed_length_pads_and_cuts(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("a b c\na\n")
    (tmp_path / "l.txt").write_text("0\n1\n")
    for length, found in (
        (2, [[2, 3], [2, 0]]),
        (4, [[2, 3, 4, 0], [2, 0, 0, 0]]),
        (3, [[2, 3, 4], [2, 0, 0]]),
    ):
        data = opened(TextData(path="r.txt", labels="l.txt", length=length), tmp_path, PLAIN)
        assert read(data)["x"] == found
    with pytest.raises(
        DataError, match="samples have 1 to 3 tokens; length makes them equal, or give the input len"
    ):
        opened(TextData(path="r.txt", labels="l.txt"), tmp_path, PLAIN)
    bare = VocabularySpec(padding=None)
    with pytest.raises(DataError, match="samples have 1 to 3 tokens; give the input lengths"):
        opened(TextData(path="r.txt", labels="l.txt", length=4, vocabulary=bare), tmp_path, PLAIN)


def test_vocabularies_are_made_from_the_training_part_alone(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("".join(f"w{i}\n" for i in range(10)))
    whole = opened(TextData(path="r.txt"), tmp_path, Wanted(RAGGED.inputs, lengths={"x": "n"}), build=False)
    with pytest.raises(DataError, match="there is no vocabulary"):
        whole.read(slice(None), ["x"])
    rest, parts = split(whole, {"valid": SplitData.model_validate({"from": "train", "fraction": 0.3})})
    rest.build_vocabularies()
    held_out = {f"w{row}" for row in parts["valid"].rows}
    assert not held_out & set(rest.vocabularies["x"].entries)
    assert [rest.texts["x"].count(one.origin_rows) for one in (rest, parts["valid"])] == [(7, 0), (3, 3)]
    assert parts["valid"].read(slice(None), ["x"])["x"].tolist() == [[1]] * 3
    known = opened(
        TextData(path="r.txt"),
        tmp_path,
        Wanted(RAGGED.inputs, lengths={"x": "n"}, vocabularies=rest.vocabularies),
    )
    assert known.vocabularies == rest.vocabularies
    other = TextData(path="r.txt", vocabulary=VocabularySpec(lower=True))
    with pytest.raises(
        DataError, match="the vocabulary of x changed: it was made with lower: false, the data set"
    ):
        opened(other, tmp_path, Wanted(RAGGED.inputs, lengths={"x": "n"}, vocabularies=rest.vocabularies))
    strict = opened(
        TextData(path="r.txt", vocabulary=VocabularySpec(unknown=None)),
        tmp_path,
        Wanted(RAGGED.inputs, lengths={"x": "n"}),
        build=False,
    )
    with pytest.raises(DataError, match=r"r\.txt, line 1: 'w0' is no entry of the vocabulary of x"):
        strict.build_vocabularies(np.arange(1, 10))


@pytest.mark.parametrize(
    ("text", "labels", "message"),
    [
        (b"", b"", r"r\.txt: the file is empty"),
        (b"\n\n", b"a\nb\n", r"r\.txt: there is no token"),
        (b"a\nb\xe9t\n", b"0\n1\n", r"r\.txt, line 2, column 2: the text is not UTF-8"),
        (b"a\nb\n", b"0\n", r"l\.txt has 1 lines, .*r\.txt has 2"),
        (b"a\nb\n", b"0\n \n", r"l\.txt, line 2: the label is empty"),
        (b"a\nb\n", b"a\n\xff\n", r"l\.txt, line 2, column 1: the text is not UTF-8"),
    ],
)
def test_bad_text_names_the_place(tmp_path: Path, text: bytes, labels: bytes, message: str) -> None:
    (tmp_path / "r.txt").write_bytes(text)
    (tmp_path / "l.txt").write_bytes(labels)
    with pytest.raises(DataError, match=message):
        opened(TextData(path="r.txt", labels="l.txt"), tmp_path)


def test_bad_fields_name_the_place(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("a\tb\nab\n")
    with pytest.raises(DataError, match=r"r\.txt, line 2: no '\\t' separates the last field"):
        opened(TextData(path="r.txt", label="last"), tmp_path)
    (tmp_path / "l.txt").write_text("1\n1.5\n")
    number = Wanted(RAGGED.inputs, (buffer("k", "input", "N", "int64"),), {}, {}, {"x": "n"})
    with pytest.raises(DataError, match=r"l\.txt, line 2: '1\.5' is no whole number"):
        opened(TextData(path="r.txt", labels="l.txt"), tmp_path, number)
    named = Wanted(RAGGED.inputs, TARGET, {"t": ("yes", "no")}, {}, {"x": "n"})
    (tmp_path / "l.txt").write_text("yes\nnot\n")
    with pytest.raises(
        DataError, match=r"l\.txt, line 2: 'not' is none of the classes 'yes', 'no'; did you mean 'no'"
    ):
        opened(TextData(path="r.txt", labels="l.txt"), tmp_path, named)
    floats = Wanted((buffer("x", "input", "N T"),), TARGET, {"t": None})
    with pytest.raises(DataError, match=r"tokens are whole numbers \[N, T\], x takes float32 \[N, T\]"):
        opened(TextData(path="r.txt", input="x"), tmp_path, floats)
    with pytest.raises(DataError, match="which input do the files fill"):
        opened(TextData(path="r.txt"), tmp_path, floats)


@given(st.binary(max_size=40), st.sampled_from(["text", "tokens"]), st.sampled_from([None, "first", "last"]))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data: bytes, kind: str, label: str | None) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    (folder / "r.txt").write_bytes(data)
    spec = (TextData if kind == "text" else TokensData).model_validate(
        {"path": "r.txt", "label": label, "separator": " "}
    )
    with suppress(DataError):
        found = opened(spec, folder)
        arrays = found.read(slice(None), found.headers)
        assert arrays["n"].max() == arrays["x"].shape[1]


# Columns of text.


def test_columns_of_text(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text('t,review\nyes,"so\n good"\nno,"bad, bad"\n')
    spec = CsvData(path="f.csv", columns={"x": "review"}, text={"x": TextColumnSpec()})
    data = opened(spec, tmp_path)
    assert read(data) == {"x": [[5, 4, 0], [2, 3, 2]], "n": [2, 3], "t": [1, 0]}
    assert data.place(1) == "line 4"
    with pytest.raises(DataError, match="x takes the text of one column, these are 2"):
        opened(spec.model_copy(update={"columns": {"x": ("review", "t")}}), tmp_path)


def test_columns_of_text_in_parquet(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"review": ["a b", "b"], "t": [1, 0]}), tmp_path / "f.parquet")
    spec = ParquetData(path="f.parquet", columns={"x": "review"}, text={"x": TextColumnSpec(length=3)})
    assert read(opened(spec, tmp_path)) == {"x": [[3, 2, 0], [2, 0, 0]], "n": [2, 1], "t": [1, 0]}
    with pytest.raises(DataError, match="column 't': x takes text, this is int64"):
        opened(spec.model_copy(update={"columns": {"x": "t", "t": "t"}}), tmp_path)


# Tokens.


def test_lines_of_tokens(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("pos\t3 1,4\nneg\t-1\n")
    assert read(opened(TokensData(path="r.txt", label="first"), tmp_path)) == {
        "x": [[3, 1, 4], [-1, 0, 0]],
        "n": [3, 1],
        "t": [1, 0],
    }
    for text, message in (
        ("1 2\n1 x3\n", "line 2, token 2: 'x3' is no whole number"),
        ("1 2_0\n", "line 1, token 2: '2_0' is no whole number"),
        ("1 2.0\n", "line 1, token 2: '2.0' is no whole number"),
        (f"1 {2**31}\n", f"line 1, token 2: {2**31} is too large for int32"),
        (f"{'9' * 5000}\n", "line 1, token 1: '999"),
    ):
        (tmp_path / "r.txt").write_text(text)
        with pytest.raises(DataError, match=rf"r\.txt, {message}"):
            opened(TokensData(path="r.txt"), tmp_path)


@pytest.mark.parametrize("large", [False, True])
def test_arrays_of_tokens_with_offsets(tmp_path: Path, large: bool) -> None:
    offsets = np.array([0, 3, 3, 5])
    ids = np.arange(5, dtype=np.int16)
    if large:  # rows of such an array are read alone
        ids = np.lib.format.open_memmap(
            tmp_path / "ids.npy", "w+", np.dtype(">i4"), (LARGEST_LOADED // 4 + 1,)
        )
        ids[:5] = np.arange(5)
        offsets = np.array([0, 3, 3, 5, len(ids)])
    else:
        np.save(tmp_path / "ids.npy", ids)
    np.save(tmp_path / "offsets.npy", offsets.astype(np.uint64))
    np.save(tmp_path / "t.npy", np.arange(len(offsets) - 1))
    data = opened(TokensData(path=".", length=4), tmp_path)
    found = data.read(np.array([2, 0, 1]), ["x", "n", "t"])
    assert found["x"].tolist() == [[3, 4, 0, 0], [0, 1, 2, 0], [0, 0, 0, 0]]
    assert (found["n"].tolist(), found["t"].tolist()) == ([2, 3, 0], [2, 0, 1])
    named = {name: f"{name}.npy" for name in ("ids", "offsets", "t")}
    again = opened(TokensData(path=named, length=4), tmp_path).read(slice(0, 2), ["x"])
    assert again["x"].tolist() == [[0, 1, 2, 0], [0, 0, 0, 0]]
    if large:
        assert not isinstance(open_arrays(tmp_path)["ids"], np.ndarray)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"ids": [1, 2]}, "offsets is missing; there are 'ids'"),
        ({"ids": [1.5, 2], "offsets": [0, 2]}, r"ids is float64 \[2\]; it needs whole numbers, one axis"),
        ({"ids": [1, 2], "offsets": [[0, 2]]}, r"offsets is int64 \[1, 2\]"),
        ({"ids": [1, 2], "offsets": [0]}, "offsets has 1 numbers; it needs one more than there are samples"),
        ({"ids": [1, 2], "offsets": [0, 3]}, "offsets go from 0 to 3, ids has 2 numbers"),
        ({"ids": [1, 2], "offsets": [0, 1]}, "offsets go from 0 to 1, ids has 2 numbers"),
        ({"ids": [1, 2], "offsets": [-1, 2]}, "offsets go from -1 to 2"),
        ({"ids": [1, 2], "offsets": [0, 2, 1, 2]}, "offsets fall from 2 to 1 at sample 1"),
        ({"ids": [1, 2], "offsets": [0, 2], "t": [1, 2]}, "t has 2 samples, x has 1"),
    ],
)
def test_bad_offsets_are_refused(tmp_path: Path, arrays: dict, message: str) -> None:
    np.savez(tmp_path / "r.npz", **arrays)
    with pytest.raises(DataError, match=rf"r\.npz: {message}"):
        opened(TokensData(path="r.npz"), tmp_path)


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=6), st.integers(1, 5))
def test_rows_are_padded_and_cut(sequences: list[list[int]], length: int) -> None:
    values = np.array([one for sequence in sequences for one in sequence], np.int64)
    array = Ragged(
        values, Spans.between(offsets_of([len(one) for one in sequences])), np.dtype(np.int64), length
    )
    rows = np.arange(len(sequences))[::-1]
    wanted = [(sequences[row][:length] + [0] * length)[:length] for row in rows]
    assert array[rows].tolist() == wanted
    assert array[slice(1, None)].tolist() == wanted[::-1][1:]
