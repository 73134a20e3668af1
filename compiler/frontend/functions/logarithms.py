"""Sums of probabilities that are given as logarithms."""

from __future__ import annotations

from collections.abc import Sequence

from ..tensor import Tensor

#: The logarithm of a probability of 0: so small that exp gives 0 in every float type, and sums of it stay finite.
NEVER = -1e30


def log_sum(terms: Sequence[Tensor]) -> Tensor:
    """log Σ exp, elementwise."""
    first, *rest = terms
    largest = first
    for term in rest:
        largest = largest.maximum(term)
    largest = largest.detached()
    sum = (first - largest).exp()
    for term in rest:
        sum = sum + (term - largest).exp()
    return largest + sum.log()
