"""Einsum, as products of two factors at a time.

Each factor's axes are of four kinds: shared by both and kept, its own and kept, shared and summed over, and its own and
not needed, which are summed first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from netwright.specs.dims import DimLike, product

from ..arrange import identity, regrouped
from ..context import Context
from ..errors import Refusal
from ..operands import Held
from .linear import product as matrix_product
from .reduce import dropped, reduced
from .table import op


@dataclass(frozen=True)
class _Factor:
    """A tensor with a letter for each axis."""

    value: Held
    letters: str

    def size(self, letter: str) -> DimLike:
        return self.value.shape[self.letters.index(letter)]

    def turned(self, letters: str) -> _Factor:
        """The same tensor with its axes in another order."""
        order = {self.letters.index(letter): position for position, letter in enumerate(letters)}
        axes = tuple(None if axis is None else order[axis] for axis in self.value.axes)
        shape = tuple(self.size(letter) for letter in letters)
        return _Factor(Held(self.value.ref, self.value.dtype, shape, axes), letters)


@op("Einsum", attributes="equation", since=12)
def einsum(ctx: Context) -> None:
    """Products of tensors, summed over the axes whose letters the result lacks."""
    ctx.floats()
    equation = ctx.attribute("equation")
    if not isinstance(equation, str):
        raise Refusal("is missing", "equation")
    terms, result = _parsed(equation, [len(ctx.shape(i)) for i in range(len(ctx.operands))])
    factors = [_Factor(ctx.settled(ctx.value(i)), term) for i, term in enumerate(terms)]
    combined = factors[0]
    for position, factor in enumerate(factors[1:], 2):
        later = {letter for other in factors[position:] for letter in other.letters} | set(result)
        combined = _multiplied(ctx, combined, factor, later)
    combined = _summed(ctx, combined, set(result))
    ctx.give(combined.turned(result).value)


def _parsed(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """A letter for each axis of each term, and of the result. Raises Refusal."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks) or not re.fullmatch(r"[A-Za-z.,]*(->[A-Za-z.]*)?", text):
        raise Refusal(f"{equation!r} for {len(ranks)} operands", "equation")
    widths = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    width = max((own for term, own in zip(terms, widths, strict=True) if "..." in term), default=0)
    # letters that an equation can't contain
    free = [chr(code) for code in range(0x3B1, 0x3B1 + max(width, 0))]
    labels = []
    for term, own in zip(terms, widths, strict=True):
        written = term.replace("...", "".join(free[width - own :]), 1) if "..." in term else term
        if own < 0 or (own and "..." not in term) or "." in written:
            raise Refusal(f"{term!r} does not fit its operand", "equation")
        if len(set(written)) < len(written):
            raise Refusal(f"{term!r} has an axis twice: a diagonal is not supported", "equation")
        labels.append(written)
    if not arrow:
        letters = "".join(labels)
        once = sorted(letter for letter in set(letters) if letters.count(letter) == 1 and letter not in free)
        right = "".join([*free, *once])
    right = right.replace("...", "".join(free), 1)
    if len(set(right)) < len(right) or not set(right) <= set("".join(labels)):
        raise Refusal(f"the result {right!r} does not follow from its operands", "equation")
    return labels, right


def _summed(ctx: Context, factor: _Factor, kept: set[str]) -> _Factor:
    """The tensor summed over the axes that are not needed."""
    axes = [axis for axis, letter in enumerate(factor.letters) if letter not in kept]
    if not axes:
        return factor
    letters = "".join(letter for letter in factor.letters if letter in kept)
    return _Factor(dropped(reduced(ctx, factor.value, axes, "sum"), axes), letters)


def _multiplied(ctx: Context, a: _Factor, b: _Factor, later: set[str]) -> _Factor:
    """The product of two factors, without the axes that are not needed later."""
    a, b = _summed(ctx, a, later | set(b.letters)), _summed(ctx, b, later | set(a.letters))
    shared = [letter for letter in a.letters if letter in b.letters]
    for letter in shared:
        if a.size(letter) != b.size(letter):
            raise Refusal(f"the axis {letter} has sizes {a.size(letter)} and {b.size(letter)}", "equation")
    batch = "".join(letter for letter in shared if letter in later)
    inner = "".join(letter for letter in shared if letter not in later)
    rows = "".join(letter for letter in a.letters if letter not in shared)
    columns = "".join(letter for letter in b.letters if letter not in shared)
    left, right = a.turned(batch + rows + inner), b.turned(batch + inner + columns)
    sizes = {letter: factor.size(letter) for factor in (a, b) for letter in factor.letters}

    def count(letters: str) -> DimLike:
        return product(sizes[letter] for letter in letters)

    leading = tuple(sizes[letter] for letter in batch)
    first = _shaped(ctx, left, (*leading, count(rows), count(inner)))
    second = _shaped(ctx, right, (*leading, count(inner), count(columns)))
    matmul = matrix_product(ctx, first, second)
    letters = batch + rows + columns
    shape = tuple(sizes[letter] for letter in letters)
    ref = ctx.writer.reshaped(ctx.arranged(matmul, identity(matmul.rank)), shape or (1,))
    axes = identity(len(shape)) or (None,)
    return _Factor(Held(ref, matmul.dtype, shape, axes), letters)


def _shaped(ctx: Context, factor: _Factor, shape: tuple[DimLike, ...]) -> Held:
    value = factor.value
    value = Held(ctx.arranged(value, identity(value.rank)), value.dtype, value.shape, identity(value.rank))
    shaped = regrouped(ctx.writer, value, shape, may_merge=False)
    assert isinstance(shaped, Held)
    return shaped
