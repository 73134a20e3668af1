"""Texts with a begin and an end, and columns of text whose next tokens are a target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from netwright.runtime.data.vocabulary import KEY, from_metadata, to_text
from netwright.runtime.data.wanted import Wanted
from netwright.specs.models.data import CsvData, TextColumnSpec, TextData, VocabularySpec

from .numpy_engine import buffer
from .test_text_data import RAGGED, opened, read

PAIRS = Wanted(
    (*RAGGED.inputs, buffer("p", "input", "N U", "int64"), buffer("m", "input", "N", "int64")),
    (buffer("w", "input", "N U", "int64"),),
    {},
    {},
    {"x": "n", "p": "m"},
)
AROUND = VocabularySpec(begin="<s>", end="</s>")


def test_a_column_is_read_a_token_apart(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("x\tfrench\na b\tun deux\nb\tdeux\nb b\t\n", encoding="utf-8")
    text = {"x": TextColumnSpec(), "p": TextColumnSpec(vocabulary=AROUND, next_token="w")}
    spec = CsvData(path="t.tsv", separator="\t", columns={"p": "french"}, text=text)
    data = opened(spec, tmp_path, PAIRS)
    assert data.vocabularies["p"].entries == ("<pad>", "<unk>", "<s>", "</s>", "deux", "un")
    assert read(data) == {
        "x": [[3, 2], [2, 0], [2, 2]],
        "n": [2, 1, 2],
        "p": [[2, 5, 4], [2, 4, 0], [2, 0, 0]],
        "m": [3, 2, 1],
        "w": [[5, 4, 3], [4, 3, 0], [3, 0, 0]],
    }
    assert data.next_tokens == {"w"}
    assert data.texts["p"].pieces_of(0) == ["un", "deux"]
    (stored,) = from_metadata({KEY: to_text({"p": data.vocabularies["p"]})}, "w").values()
    assert stored == data.vocabularies["p"]
    assert stored.encode("un deux") == [5, 4]  # a text to go on with has no end


def test_lines_of_a_language_model_have_a_begin_and_an_end(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a b\n\n", encoding="utf-8")
    wanted = Wanted(RAGGED.inputs, (buffer("w", "input", "N T", "int64"),), {}, {}, {"x": "n"})
    data = opened(TextData(path="t.txt", vocabulary=AROUND, next_token=True), tmp_path, wanted)
    assert read(data) == {"x": [[2, 4, 5], [2, 0, 0]], "n": [3, 1], "w": [[4, 5, 3], [3, 0, 0]]}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VocabularySpec(begin="<s>", end="<s>"), "begin and end are both <s>"),
        (lambda: VocabularySpec(end="<pad>"), "padding and end are both <pad>"),
        (lambda: VocabularySpec(begin="<s>", end="</s>", size=4), "leaves no entry"),
        (
            lambda: TextData(path="t", vocabulary=AROUND, next_token=True, stride=4, length=4),
            "have no begin and end",
        ),
        (
            lambda: CsvData(path="t", columns={"w": "c"}, text={"p": TextColumnSpec(next_token="w")}),
            "w is filled by another column",
        ),
    ],
)
def test_what_contradicts_itself(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make()
