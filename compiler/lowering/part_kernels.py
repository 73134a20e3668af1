"""The kernels of a product that is summed up in parts (``outer_parts``), and the memory between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from netwright.specs.dims import DimLike, dim, dim_min, product

from ..graph.node import Value
from ..graph.types import TensorType
from ..loop.builder import Builder
from ..loop.intrinsics.builder import KernelBuilder
from .grouping.groups import Group
from .grouping.roles import Roles
from .kernels.fused import Kernel
from .outer.parts import Parts
from .program import ProgramBuilder
from .reading.places import Place, same_index

#: The vectors that an iteration adds up, which hides the latency of adding.
VECTORS = 4


class PartKernels:
    """The kernel that sums up the ``parts`` of the product ``value``, and the one that adds these sums to ``result``.

    A single part is the result: it is stored there at once. ``place`` is where the operands are; ``allocate`` gives
    new memory. Raises NotVectorizable if there is no such kernel.
    """

    def __init__(
        self,
        program: ProgramBuilder,
        roles: Roles,
        group: Group,
        parts: Parts,
        place: Callable[[Value], Place],
        result: Place,
        allocate: Callable[[TensorType], Place],
    ):
        (part,) = group.contractions()
        (value,), (self.samples, *_) = part.node.values, part.extents
        self.parts, self.result, type = parts, result, roles.type(value)
        self.count = dim_min(self.samples, parts.samples)
        own = allocate(type.with_shape((dim(parts.name), parts.rows, *type.shape)))
        self.kernel = program.repeats.kernel(
            roles,
            group,
            place,
            [(value, [(own, same_index)])],
            {**program.dims, parts.name: 1},
            program.machine,
            parts=parts,
        )
        self._own = own
        self.sums = allocate(type.with_shape((self.count, parts.rows, *type.shape)))
        self.adding = self._adding(program)

    @contextmanager
    def several(self, b: Builder) -> Iterator[None]:
        """Around what is done if there are several parts, or may be."""
        with b.when(0 if self.parts.rows > 1 else self.samples - 2):
            yield

    @property
    def may_be_single(self) -> bool:
        """Whether a single sample has a single part."""
        return self.parts.rows == 1

    def into(self, place: Place, count: DimLike) -> tuple[Kernel, Mapping[str, DimLike]]:
        """The kernel that stores the sums of ``count`` parts of samples to ``place``, with the values of its dims."""
        parameters = [
            replace(each, place=place.reshaped((count, *each.place.type.shape[1:])))
            if each.place.storage is self._own.storage
            else each
            for each in self.kernel.parameters
        ]
        return replace(self.kernel, parameters=tuple(parameters)), {self.parts.name: count}

    def _adding(self, program: ProgramBuilder) -> Kernel:
        """Adds up the sums of several parts, in order."""
        type, machine = self.result.type, program.machine
        b, size, lanes = (
            KernelBuilder("kernel", dict(program.dims)),
            product(type.shape),
            machine.lanes(type.dtype),
        )
        count = self.count * self.parts.rows
        x = b.buffer("p0", type.dtype, (count, size))
        y = b.buffer("p1", type.dtype, (size,), "write")
        step = lanes * VECTORS
        with b.when(count - 2), b.loop("j", 0, size, step, "parallel") as j:
            offsets = [(j + at, size - j - at) for at in range(0, step, lanes)]
            sums = [b.register("acc", b.const(0, type.dtype, lanes)) for _ in offsets]
            with b.loop("k", 0, count) as k:
                for register, (at, left) in zip(sums, offsets, strict=True):
                    b.assign(register, b.add(register, b.load(x, (k, at), lanes, left)))
            for register, (at, left) in zip(sums, offsets, strict=True):
                b.store(y, (at,), register, left)
        return Kernel.over(b.finish(), self.sums, self.result)
