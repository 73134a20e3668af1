"""Vocabularies: what texts are divided into, which pieces become entries, and stored ones that are damaged."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.runtime.data.vocabulary import KEY, build_vocabulary, from_metadata, pieces, to_text
from netwright.runtime.errors import WeightsError
from netwright.specs.models.data import VocabularySpec


@pytest.mark.parametrize(
    ("of", "text", "found"),
    [
        (
            "words",
            "I don't,  'really'\tknow_1 –\u00a0ok?",
            ["I", "don't", ",", "'", "really", "'", "know_1", "–", "ok", "?"],
        ),
        ("words", "हिन्दी 東京 l’été", ["हिन्दी", "東京", "l’été"]),
        ("words", "", []),
        ("spaces", " I don't,\n know ", ["I", "don't,", "know"]),
        ("characters", "aé 👍\n", ["a", "é", " ", "👍", "\n"]),
        ("characters", "e\u0301", ["é"]),
    ],
)
def test_text_is_divided(of: str, text: str, found: list[str]) -> None:
    assert pieces(text, of) == found
    assert pieces(text, of, lower=True) == [piece.lower() for piece in found]


def test_the_most_frequent_pieces_are_entries() -> None:
    counts = {"b": 3, "a": 3, "rare": 1, "c": 2, "<pad>": 9}
    assert build_vocabulary(VocabularySpec(), counts).entries == ("<pad>", "<unk>", "a", "b", "c", "rare")
    assert build_vocabulary(VocabularySpec(size=4), counts).entries == ("<pad>", "<unk>", "a", "b")
    bare = VocabularySpec(min_count=2, padding=None, unknown=None)
    assert build_vocabulary(bare, counts).entries == ("<pad>", "a", "b", "c")


def test_vocabularies_say_how_they_differ() -> None:
    one = build_vocabulary(VocabularySpec(), {"a": 3, "b": 2})
    assert one.difference(build_vocabulary(VocabularySpec(), {"a": 9, "b": 1})) is None
    assert one.encode("a b new") == [2, 3, 1]
    lower = build_vocabulary(VocabularySpec(lower=True), {"a": 3, "b": 2})
    assert one.difference(lower) == "lower was false and is true"
    other = build_vocabulary(VocabularySpec(), {"b": 3, "c": 2})
    assert one.difference(other) == ("1 new ('c'), 1 gone ('a'), number 2 was 'a' and is 'b'")
    with pytest.raises(ValueError, match="'x' is no entry"):
        build_vocabulary(VocabularySpec(unknown=None), {"a": 1}).encode("a x")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["of", "entries", "x"]), inner)
    ),
    max_leaves=8,
)


@given(VALUES, st.sampled_from(["of", "lower", "padding", "unknown", "entries", "more", ""]))
def test_a_stored_vocabulary_is_whole_or_refused(value: object, key: str) -> None:
    whole = build_vocabulary(VocabularySpec(), {"a": 3, "é": 2})
    written = json.loads(to_text({"x": whole}))
    assert from_metadata({KEY: json.dumps(written)}, "w") == {"x": whole}
    if key:
        written["x"][key] = value
    else:
        written = value
    found = {}
    with suppress(WeightsError):
        found = from_metadata({KEY: json.dumps(written)}, "w")
    for one in found.values():
        assert [one.entries[number] for number in one.numbers.values()] == list(one.entries)
        assert one.encode("") == []
