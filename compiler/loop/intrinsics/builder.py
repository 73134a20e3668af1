"""The builder that primitives emit kernels with: loop IR plus elementary functions and random bits."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.dims import dim, substitute

from ..builder import Builder
from ..ir import Expr, Index
from . import elementary, numbers, philox

#: The name of the lane number inside an index: lane l of a vector is at the index with LANE = l.
LANE = "lane"


class KernelBuilder(Builder):
    """``Builder`` with the functions of ``elementary``, ``philox`` and ``numbers`` as methods."""

    def lane_index(self, index: Index, dtype: str, lanes: int) -> Expr:
        """An index as data; it may depend on the lane (LANE), affinely.

        Raises ValueError if it depends on the lane in another way.
        """
        start = substitute(index, {LANE: 0})
        step = substitute(index, {LANE: 1}) - start
        if start + step * dim(LANE) != index:
            raise ValueError(f"{index} does not depend on the lane affinely")
        first = self.index_value(start, dtype, lanes)
        if step == 0 or lanes == 1:
            return first
        ramp = self.ramp(dtype, lanes)
        return self.add(first, ramp if step == 1 else self.mul(ramp, self.index_value(step, dtype, lanes)))

    def exp(self, x: Expr) -> Expr:
        return elementary.exp(self, x)

    def log(self, x: Expr) -> Expr:
        return elementary.log(self, x)

    def tanh(self, x: Expr) -> Expr:
        return elementary.tanh(self, x)

    def sigmoid(self, x: Expr) -> Expr:
        return elementary.sigmoid(self, x)

    def erf(self, x: Expr) -> Expr:
        return elementary.erf(self, x)

    def sin(self, x: Expr) -> Expr:
        return elementary.sin(self, x)

    def cos(self, x: Expr) -> Expr:
        return elementary.cos(self, x)

    def cos_sin_of_turns(self, x: Expr) -> tuple[Expr, Expr]:
        return elementary.cos_sin_of_turns(self, x)

    def philox(self, key: Sequence[int | Expr], counter: Sequence[Expr]) -> tuple[Expr, Expr, Expr, Expr]:
        """Four random uint32 words per lane; see ``philox.philox``."""
        return philox.philox(self, key, counter)

    def wide_philox(
        self, key: Sequence[int | Expr], counter: Sequence[Expr]
    ) -> tuple[Expr, Expr, Expr, Expr]:
        """The same words in the low halves of uint64; see ``philox.wide_philox``."""
        return philox.wide_philox(self, key, counter)

    def uniform_float64(self, high: Expr, low: Expr) -> Expr:
        """A number in [0, 1) of two words; see ``numbers.uniform_float64``."""
        return numbers.uniform_float64(self, high, low)

    def normals(self, first: Expr, second: Expr) -> tuple[Expr, Expr]:
        """Two normal numbers of two uniform ones; see ``numbers.normals``."""
        return numbers.normals(self, first, second)
