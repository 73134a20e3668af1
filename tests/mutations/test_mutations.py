"""A few hundred mutations; `python -m tests.mutations` runs thousands."""

from collections import Counter

import pytest

from netwright.compiler.frontend.build import build_network
from netwright.specs.load import load_spec_text

from ..slices import sliced
from .__main__ import draw
from .check import Finding, check, is_near
from .mutate import MUTATORS
from .text import Mutation
from .zoo import Subject, subjects

COUNT = 400


@pytest.mark.parametrize("start", sliced(range(0, COUNT, 50), lambda start: start % 100 == 0))
def test_mutations(start: int, deep: bool) -> None:
    """Of a hundred one is compiled, by default every second of those."""
    for number in range(start, start + 50):
        subject, mutation, _ = draw(number, 0)
        check(subject, mutation, native=number % 100 == 0 and (deep or number % 200 == 100))


def test_every_kind_of_mutation_is_drawn() -> None:
    kinds = Counter(draw(number, 0)[1].kind for number in range(COUNT))
    assert len(kinds) >= len(set(MUTATORS))


def test_the_subjects_are_valid(deep: bool) -> None:
    assert len(subjects()) >= 150
    for subject in subjects()[:: 1 if deep else 3]:
        if not subject.parts:
            _, found = build_network(load_spec_text(subject.text, subject.file))
            assert not found.has_errors, f"{subject.name}\n{found.to_text()}"


def test_an_error_at_another_place_is_found() -> None:
    text = "netwright: 1\nmodel: m\n\n\ninputs: {x: {shape: [3]}}\n\n\nlayers: [{name: a, typ: relu}]\n"
    text += "outputs: {y: a}\n"
    subject = Subject("m", text)
    assert check(subject, Mutation("key renamed", text, 8, 8)) == "errors"
    with pytest.raises(Finding, match="at another place"):
        check(subject, Mutation("key renamed", text, 5, 5))
    load = load_spec_text(text, subject.file)
    (error,) = load.diagnostics.errors
    assert is_near(error.span, load, subject, Mutation("key renamed", text, 1, 1, frozenset(["typ"])))
