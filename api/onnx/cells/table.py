"""The table of operators that a loop's body may contain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .step import Step
from .terms import Term

Rule = Callable[[Step], Sequence[Term]]


@dataclass(frozen=True, slots=True)
class Operator:
    """A rule that makes terms from a node, and the attributes that it supports."""

    convert: Rule
    attributes: tuple[str, ...]


OPERATORS: dict[str, Operator] = {}


def operator(*names: str, attributes: str = "") -> Callable[[Rule], Rule]:
    """Registers a rule for operators. ``attributes`` are names separated by blanks."""

    def enter(rule: Rule) -> Rule:
        for name in names:
            OPERATORS[name] = Operator(rule, tuple(attributes.split()))
        return rule

    return enter
