"""What is known at one point of a function while it is checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from netwright.specs.dims import DimLike, dim_symbols

from .. import ir
from ..proofs.cases import proves_by_cases
from ..proofs.prover import Prover
from ..typing import VerifyError
from .partition import Partition


@dataclass
class Context:
    """A function's buffers, the facts about its sizes and, inside a parallel loop, its accesses."""

    function: ir.Function
    buffers: dict[str, ir.Buffer]
    prover: Prover
    partition: Partition | None = None

    @classmethod
    def of(cls, function: ir.Function) -> Context:
        buffers = {buffer.name: buffer for buffer in function.buffers}
        return cls(function, buffers, Prover(function.dims))

    def sizes(self, what: str, *values: DimLike | None) -> None:
        """Raises VerifyError unless all names in ``values`` are in scope."""
        for value in values:
            if value is not None and not self.prover.known(value):
                unknown = sorted(name for name in dim_symbols(value) if not self.prover.declared(name))
                raise VerifyError(f"{what}: {', '.join(unknown)} is not in scope")

    def prove(self, value: DimLike, what: str) -> None:
        """Raises VerifyError unless ``value`` ≥ 0 can be proved."""
        if not self.proves_one((value,)):
            raise VerifyError(f"{what}: cannot show that {value} ≥ 0")

    def proves_one(self, values: Sequence[DimLike]) -> bool:
        """Whether one of ``values`` can be proved to be ≥ 0: for all dims at once, or by cases."""
        for value in values:
            if self.prover.proves(value):
                return True
        dims = [name for name, _ in self.function.dims]
        return any(proves_by_cases(self.prover, dims, value) for value in values)

    def buffer(self, name: str, reads: bool, writes: bool) -> ir.Buffer:
        """The buffer ``name``. Raises VerifyError if there is none, or its access forbids this."""
        buffer = self.buffers.get(name)
        if buffer is None:
            raise VerifyError(f"there is no buffer {name}")
        if not buffer.local:
            if writes and buffer.access == "read":
                raise VerifyError(f"{name} is written, but its access is read")
            if reads and buffer.access == "write":
                raise VerifyError(f"{name} is read, but its access is write")
        return buffer


def shape_text(shape: Iterable[DimLike]) -> str:
    return f"[{', '.join(map(str, shape))}]"
