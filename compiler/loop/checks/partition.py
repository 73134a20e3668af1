"""Checks that the iterations of a parallel loop share no memory that one of them writes.

For each buffer written in the loop there must be an axis on which every access of an iteration is in a range that no
other iteration accesses: from c·v + k up to, not including, c·(v + step) + k, for the loop variable v and sizes c and
k. A call counts as an access to all of its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from netwright.specs.dims import Dim, DimLike, Shape, constant_term, dim, dim_symbols, from_terms

from ..proofs.prover import Prover
from ..typing import VerifyError


@dataclass(frozen=True, slots=True)
class _Range:
    """On ``axis`` of the buffer seen in ``shape``: ``count`` = factor·step indices, from ``start`` = factor·v + k on,
    for some k.
    """

    shape: Shape
    axis: int
    factor: DimLike
    start: DimLike
    count: DimLike


@dataclass
class Partition:
    """The accesses inside one parallel loop."""

    var: str
    step: int
    dims: frozenset[str] = frozenset()
    """Names whose value is the same in all iterations."""
    outer: Partition | None = None
    """The partition of the loop around it, in a nest: its iterations must be disjoint, too."""
    _ranges: dict[str, set[_Range]] = field(default_factory=dict)
    _written: set[str] = field(default_factory=set)

    def access(
        self,
        prover: Prover,
        buffer: str,
        shape: Shape,
        indices: Sequence[DimLike],
        writes: bool,
        reaches: Sequence[DimLike] = (0,),
    ) -> None:
        """Records an access at ``indices``. On the last axis of ``shape`` it ends at most ``reach`` elements later,
        for each of ``reaches``."""
        if self.outer is not None:
            self.outer.access(prover, buffer, shape, indices, writes, reaches)
        if writes:
            self._written.add(buffer)
        known = self._ranges.get(buffer)
        if known is None:
            known = {
                range
                for axis, index in enumerate(indices)
                for range in self._candidates(shape, axis, index)
                if range.factor != 0
            }
        self._ranges[buffer] = {
            range
            for range in known
            if range.shape == shape
            and range.axis < len(indices)
            and self._inside(
                prover, range, indices[range.axis], reaches if range.axis == len(shape) - 1 else (0,)
            )
        }

    def write(self, buffer: str) -> None:
        """Records that an access which was recorded before is also a write."""
        if self.outer is not None:
            self.outer.write(buffer)
        self._written.add(buffer)

    def _candidates(self, shape: Shape, axis: int, index: DimLike) -> list[_Range]:
        factor = _factor(index, self.var)
        rest = index - factor * dim(self.var)
        offsets: set[DimLike] = {0, constant_term(rest), _over(rest, self.dims)}
        start, count = factor * dim(self.var), factor * self.step
        return [_Range(shape, axis, factor, start + offset, count) for offset in offsets]

    def _inside(self, prover: Prover, own: _Range, index: DimLike, reaches: Sequence[DimLike]) -> bool:
        offset = index - own.start
        return (
            prover.proves(own.factor)
            and prover.proves(offset)
            and any(prover.proves(own.count - 1 - offset - reach) for reach in reaches)
        )

    def check(self) -> None:
        """Raises VerifyError unless iterations are proved disjoint."""
        for buffer in sorted(self._written):
            if not self._ranges[buffer]:
                raise VerifyError(
                    f"parallel loop over {self.var}: cannot show that its iterations access "
                    f"different elements of {buffer}"
                )


def _over(value: DimLike, names: frozenset[str]) -> DimLike:
    """The terms of ``value`` that depend on ``names`` alone."""
    if isinstance(value, int):
        return value
    return from_terms(
        {
            monomial: factor
            for monomial, factor in value.terms
            if all(({atom} if isinstance(atom, str) else dim_symbols(atom)) <= names for atom in monomial)
        }
    )


def _factor(index: DimLike, var: str) -> DimLike:
    """The factor of ``var`` in ``index``, outside of divisions, minima and maxima."""
    total: DimLike = 0
    for monomial, coefficient in () if isinstance(index, int) else index.terms:
        if var in monomial:
            rest = list(monomial)
            rest.remove(var)
            total = total + (Dim(((tuple(rest), coefficient),)) if rest else coefficient)
    return total
