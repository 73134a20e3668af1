"""Scores of texts against numbers computed by hand and by others' software."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.evaluation.text_scores import chrf, edit_distance, error_rate

SAID = ["the cat sat on the mat", "", "Der Hund bellt.", "a", "été"]
MEANT = ["a cat sat on a mat", "nothing", "Der Hund schläft!", "a", "été chaud"]


def test_edits() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == edit_distance("abc", "") == 3
    assert edit_distance(["un", "chat"], ["un", "petit", "chat"]) == 1


@given(st.text("abc", max_size=7), st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_the_distance_is_a_metric(a: str, b: str, c: str) -> None:
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, b) == edit_distance(b, a)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


def test_error_rates_are_over_all_texts() -> None:
    words = [(said.split(), meant.split()) for said, meant in zip(SAID, MEANT, strict=True)]
    assert error_rate(words) == pytest.approx((2 + 1 + 1 + 0 + 1) / (6 + 1 + 3 + 1 + 2))
    assert math.isnan(error_rate([("a", "")]))


def test_shares_of_characters() -> None:
    assert chrf([("abc", "abc")]) == pytest.approx(100)
    assert chrf([("abc", "xyz")]) == 0
    # One letter of two right, no pair: precision and recall are (1/2 + 0) / 2.
    assert chrf([("ab", "ac")]) == pytest.approx(25)
    assert chrf([("a b", "ab")]) == pytest.approx(100)  # spaces do not count
    assert math.isnan(chrf([]))


def test_chrf_agrees_with_sacrebleu() -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    expected = sacrebleu.corpus_chrf(SAID, [MEANT]).score
    assert chrf(zip(SAID, MEANT, strict=True)) == pytest.approx(expected, abs=1e-6)
