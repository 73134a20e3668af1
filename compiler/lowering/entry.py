"""The body of an entry under construction: its calls, its storages and their lifetimes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from netwright.specs.dims import DimLike, dim, product

from ..graph.node import Node, Value
from ..graph.types import TensorType
from ..loop import ir
from ..loop.builder import Builder
from ..observers import Choice, Observer, Stored
from .division import divided
from .kernels.fused import Kernel
from .program import ProgramBuilder
from .reading.places import Lifetimes, Place, Storage


class EntryBuilder:
    """The entry under construction: its calls, its storages and their lifetimes."""

    def __init__(
        self, program: ProgramBuilder, name: str, observer: Observer | None, steady: bool, opens: bool
    ):
        self.program, self.name, self.observer = program, name, observer
        self.steady, self.opens = steady, opens
        self.b = Builder(name, dict(program.dims))
        self.lifetimes = Lifetimes()
        self.storages: dict[str, Storage] = {}
        self.accesses: dict[str, set[str]] = {}
        self.moment = 0
        """How many moments there have been (``loop.marks.watched``)."""
        self.stored: dict[Value, Stored] = {}
        """What is in memory, of the values outside of loops."""
        self.depth = 0
        self._slots = 0

    def allocate(self, type: TensorType) -> Storage:
        storage = Storage(f"t{self._slots}", type, table=False)
        self._slots += 1
        return storage

    def touch(self, storage: Storage, access: str = "read") -> None:
        self.storages[storage.name] = storage
        self.accesses.setdefault(storage.name, set()).add(access)
        self.lifetimes.touch(storage)

    @contextmanager
    def looped(self) -> Iterator[None]:
        """Around a loop over calls. The end of an outermost one is a moment."""
        self.lifetimes.enter_loop()
        self.depth += 1
        yield
        self.lifetimes.leave_loop()
        self.depth -= 1
        if self.depth == 0:
            self.moment += 1

    def call(
        self,
        kernel: Kernel,
        info: ir.CallInfo | None = None,
        given: Mapping[str, DimLike] | None = None,
        *,
        opens: bool = True,
    ) -> None:
        """Adds a call of a kernel; ``given`` are the values of dims that are its own. ``opens``: whether sizes of it
        may be, too."""
        info = info or ir.CallInfo()
        opens = opens and self.opens and given is None
        name, sizes = self.program.kernel(kernel.function, info.layers, kernel.proved, opens)
        function = self.program.kernels[name]
        for buffer, place in zip(function.parameters, kernel.places, strict=True):
            self.touch(place.storage, buffer.access)
        own = {**(given or {}), **sizes}
        dims = [own.get(n, dim(n)) for n, _ in function.dims]
        self.b.call(name, [place.slice() for place in kernel.places], dims, info)
        self.b.barrier()
        self.lifetimes.advance()
        self.moment += 1

    def divide_loop(self, node: Node) -> None:
        """Has threads run the loop that was added last, for ``node``, for some samples each, if it is an outermost one
        and its calls compute samples by themselves."""
        if self.depth > 1 or not isinstance(loop := self.b.last, ir.For):
            return
        shapes = {name: storage.type.shape for name, storage in self.storages.items()}
        divide = divided(loop, tuple(self.program.dims.items()), shapes, self.program.kernels)
        if isinstance(divide, ir.Divide):
            self.b.replace_last(divide)
            self.b.barrier()
            self.lifetimes.keep_all()
            tiles = f"in tiles of {divide.rows}, they are computed by themselves"
            each = "each is computed by itself, as every other one"
            how, why = "threads divide the samples", each if divide.rows == 1 else tiles
        else:
            how, why = "threads meet in each step", divide
        if self.observer is not None:
            self.observer.chose(Choice(node, how, why))

    def note(self, value: Value, place: Place, layers: Iterable[str]) -> None:
        """Notes that ``value`` is whole in memory now, but for parts of it that are noted later."""
        if self.depth or any(not isinstance(index, int) for index in place.indices):
            return
        offset: DimLike = 0
        shape = (*place.extents, *place.type.shape)
        for axis, index in enumerate(place.indices):
            offset = offset + index * product(shape[axis + 1 :])
        known = self.stored.get(value)
        names = (*(known.layers if known else ()), *(layer for layer in layers if layer))
        self.stored[value] = Stored(
            value, self.moment, place.storage.name, offset, tuple(dict.fromkeys(names))
        )

    def finish(self) -> None:
        arena: list[ir.ArenaBuffer] = []
        for name, storage in self.storages.items():
            accesses = self.accesses[name]
            access = (
                "read"
                if accesses == {"read"}
                else "write"
                if accesses == {"write"} and storage.table
                else "readwrite"
            )
            self.b.buffer(name, storage.type.dtype, storage.type.shape, access)
            if not storage.table:
                size, lives = storage.type.nbytes, (storage.first, storage.last)
                arena.append(ir.ArenaBuffer(name, size, *lives, storage.staggered))
        self.program.entries[self.name] = ir.Entry(self.name, self.b.finish(), tuple(arena))
