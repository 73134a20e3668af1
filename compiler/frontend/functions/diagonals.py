"""Tables d(t, j) over two sequences in which each cell follows from its neighbours d(t − 1, j), d(t, j − 1) and
d(t − 1, j − 1), such as edit distances and alignments.

They are computed along the diagonals t + j = 0, 1, …: each follows from the two before it, cell by cell. A diagonal is
[M + 1, N], with d(t, j) at j; the samples are the last axis, along which they are computed side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

from netwright.specs.dims import DimLike

from ...graph.graph import Graph
from ...graph.types import TensorType
from ..tensor import Tensor, iota, where


@dataclass(frozen=True, slots=True)
class Diagonals:
    """A table of 0 to ``rows`` steps by 0 to ``columns`` targets, for ``batch`` samples."""

    rows: DimLike
    columns: DimLike
    batch: DimLike

    @property
    def count(self) -> DimLike:
        """How many diagonals there are."""
        return self.rows + self.columns + 1

    def type(self, dtype: str) -> TensorType:
        """The type of a diagonal."""
        return TensorType(dtype, (self.columns + 1, self.batch))

    def steps(self, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
        """For each cell of all diagonals [K, M + 1]: t; the position of that step, t − 1, or 0 where there is none; and
        whether there is one."""
        shape = (self.count, self.columns + 1)
        after = iota(graph, "int64", shape, 0) - iota(graph, "int64", shape, 1)
        inside = after.compare("gt", 0).both(after.compare("le", after.count(self.rows)))
        return after, where(inside, after - 1, 0), inside

    def give(self, body: Graph, new: Tensor, before: Tensor, ends: Tensor, after: Tensor) -> None:
        """The results of a body with the carries *before*, *older* and *ends*; ``ends`` collects d(T, j) at j, and
        ``after`` is t in each cell."""
        body.set_output("before", new.value)
        body.set_output("older", before.value)
        body.set_output("ends", where(after.compare("eq", after.count(self.rows)), new, ends).value)


def above(x: Tensor, fill: float) -> Tensor:
    """The cells d(…, j − 1) at j, of which the first is ``fill``."""
    return x.pad((1, 0), (0, 0), fill).slice(0, 0, x.shape[0])


def ends_of(ends: Tensor, lengths: Tensor) -> Tensor:
    """The cells d(T, ``lengths``) of each sample, [N]."""
    wanted = iota(ends.graph, "int64", ends.shape, 0).compare("eq", lengths.broadcast(ends.shape, [1]))
    return where(wanted, ends, 0).sum([0])
