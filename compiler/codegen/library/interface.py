"""What a library offers to C: its functions, their parameters, and the names of everything."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from netwright.specs.dims import dim_symbols, parse_dim
from netwright.specs.manifest import PREPARE, STEP, TRAIN, BufferInfo, DimInfo, EntryInfo, Manifest

from ...loop import ir
from ..llvm.planner import ALIGN, MOST_SLOTS, reference_plan

_WORDS = (
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const "
    "consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do "
    "double dynamic_cast else enum errno explicit export extern false float for friend goto if inline int long "
    "main mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register "
    "reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch "
    "template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile "
    "wchar_t while xor xor_eq"
)
#: Words that are no names in C or C++.
_RESERVED = frozenset(_WORDS.split())
_TYPES = {"float32": "float", "float64": "double", "bool": "uint8_t"}
_STEPPED = "step."


def c_type(dtype: str) -> str:
    """The C type of an element."""
    return _TYPES.get(dtype, f"{dtype}_t")


class Names:
    """Gives C names to things in one scope, each another."""

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = {*_RESERVED, *taken}

    def of(self, name: str, prefix: str = "") -> str:
        """Letters, digits and underscores, after ``prefix``; a name that is taken gets a number."""
        stem = prefix + re.sub(r"\W", "_", name)
        if not prefix and not re.match(r"[A-Za-z]", stem):
            stem = f"x{stem}"
        chosen, number = stem, 2
        while chosen in self._taken:
            chosen, number = f"{stem}{number}" if prefix else f"{stem}_{number}", number + 1
        self._taken.add(chosen)
        return chosen


@dataclass(frozen=True)
class Array:
    """An array that a function takes: the buffer, its parameter's name, and its shape as text in C's names."""

    number: int
    info: BufferInfo
    name: str
    shape: str

    @property
    def plain(self) -> str:
        """Its name as part of another."""
        return re.sub(r"\W", "_", self.info.name.removeprefix(_STEPPED))

    @property
    def static(self) -> int | None:
        """The number of elements, if it is known."""
        sizes = [parse_dim(size) for size in self.info.shape]
        known = [size for size in sizes if isinstance(size, int)]
        return prod(known) if len(known) == len(sizes) else None

    @property
    def each(self) -> int:
        """The number of elements but for open sizes."""
        sizes = [parse_dim(size) for size in self.info.shape]
        return prod(size for size in sizes if isinstance(size, int))


@dataclass(frozen=True)
class Function:
    """A function that runs an entry: what it reads and writes beside weights, and the sizes that it is told."""

    entry: EntryInfo
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    dims: tuple[str, ...]
    """The parameters' names of all sizes that the entry depends on, in the order of the manifest."""
    arena_name: str

    @property
    def name(self) -> str:
        return self.entry.name


@dataclass(frozen=True)
class Interface:
    """What the library of a program offers.

    ``embedded`` says whether it holds the weights of the model, ``own`` whether the caller may bring weights of their
    own, ``threads`` whether there is a thread pool, ``files`` whether there are weights to read from files. ``notes``
    are what callers have to know of buffers. ``direct``: the entries that are called without
    their guards.
    """

    program: ir.Program
    manifest: Manifest
    identity: str
    embedded: bool
    own: bool
    threads: bool
    files: bool
    notes: Mapping[str, str]
    direct: Collection[str] = ()
    _numbers: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_numbers", {info.name: i for i, info in enumerate(self.manifest.buffers)})

    @property
    def prefix(self) -> str:
        return self.manifest.prefix

    @property
    def upper(self) -> str:
        return self.prefix.upper()

    @cached_property
    def dim_names(self) -> dict[str, str]:
        """The parameter for each dim."""
        names = Names(["model", "arena", "arena_bytes", "threads", "stream", "training", "memory", "bytes"])
        return {dim.name: names.of(dim.name.lower()) for dim in self.manifest.dims}

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """The entries that callers call, `predict` first; `prepare` has a function of another kind."""
        return tuple(self._function(entry) for entry in self.manifest.entries if entry.name != PREPARE)

    def find(self, entry: str) -> Function | None:
        """The function of an entry."""
        return next((function for function in self.functions if function.name == entry), None)

    @property
    def prepare(self) -> EntryInfo | None:
        return next((entry for entry in self.manifest.entries if entry.name == PREPARE), None)

    def numbered(self, roles: Sequence[str], entries: Iterable[EntryInfo] | None = None) -> list[int]:
        """The buffers of these roles, of some entries only."""
        known = None if entries is None else {name for e in entries for name in (*e.reads, *e.writes)}
        return [
            number
            for number, info in enumerate(self.manifest.buffers)
            if info.role in roles and (known is None or info.name in known)
        ]

    def buffer(self, number: int) -> BufferInfo:
        return self.manifest.buffers[number]

    @cached_property
    def weights(self) -> list[tuple[int, str]]:
        """The weights as training makes them, with the names of their fields."""
        names = Names()
        return [
            (number, names.of(self.buffer(number).name))
            for number in self.numbered(("parameter", "statistic"))
        ]

    @cached_property
    def packed(self) -> list[int]:
        return self.numbered(("packed",))

    @cached_property
    def trained(self) -> list[int]:
        """All that a training keeps: weights, states, packed weights, and what a step reports."""
        train = self.find(TRAIN)
        if train is None:
            return []
        entries = [train.entry, *([self.prepare] if self.prepare else [])]
        kept = self.numbered(("parameter", "statistic", "state", "packed"), entries)
        return sorted({*kept, *(number for number, _ in self.weights), *(a.number for a in train.outputs)})

    @cached_property
    def streamed(self) -> list[int]:
        """The states of a stream."""
        step = self.find(STEP)
        return [] if step is None else self.numbered(("state",), [step.entry])

    @cached_property
    def labels(self) -> dict[str, Sequence[str]]:
        """The names of classes, by the output that answers with them."""
        arrays = (array for function in self.functions for array in function.outputs)
        return {array.plain: array.info.labels for array in arrays if array.info.labels}

    def open_dims(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """The parameters of the sizes that these buffers depend on, in order."""
        used = {
            s
            for number in numbers
            for size in self.buffer(number).shape
            for s in dim_symbols(parse_dim(size))
        }
        return tuple(self.dim_names[dim.name] for dim in self.manifest.dims if dim.name in used)

    def dim(self, parameter: str) -> DimInfo:
        """The dim behind a parameter."""
        return next(dim for dim in self.manifest.dims if self.dim_names[dim.name] == parameter)

    def head_bytes(self, entry: EntryInfo) -> int:
        """The bytes before an entry's arena: alignment, offsets, and the table of buffers."""
        tables = 8 * entry.slots + 8 * len(self.manifest.buffers)
        return ALIGN - 1 + -(-tables // ALIGN) * ALIGN

    def largest_arena(self, function: Function) -> tuple[str, int] | None:
        """The bytes of an arena for one sample, with other sizes at their largest, and these sizes in words; None if
        there is no largest, or it takes long to tell.
        """
        sizes: dict[str, int] = {}
        for dim in self.manifest.dims:
            if self.dim_names[dim.name] in function.dims:
                size = dim.min if dim.role == "batch" else dim.max
                if size is None:
                    return None
                sizes[dim.name] = size
        arena = self.program.entries[function.name].arena
        if len(arena) > MOST_SLOTS:
            return None
        everything = {dim.name: dim.min for dim in self.manifest.dims} | sizes
        total, _ = reference_plan(arena, everything)
        words = ", ".join(f"{self.dim_names[name]} = {size}" for name, size in sizes.items())
        return None if total < 0 else (words, self.head_bytes(function.entry) + total)

    def settled_arena(self, function: Function) -> int | None:
        """The bytes of an entry's arena if its function calls it without its guard; None otherwise."""
        if function.name not in self.direct:
            return None
        return reference_plan(self.program.entries[function.name].arena, {})[0]

    def _function(self, entry: EntryInfo) -> Function:
        made = self.program.entries[entry.name]
        touched = {*entry.reads, *entry.writes}
        used = {s for slot in made.arena for s in dim_symbols(slot.nbytes)}
        used |= {
            s
            for info in self.manifest.buffers
            if info.name in touched
            for size in info.shape
            for s in dim_symbols(parse_dim(size))
        }
        dims = tuple(self.dim_names[dim.name] for dim in self.manifest.dims if dim.name in used)
        names = Names(
            [*self.dim_names.values(), "model", "arena", "arena_bytes", "threads", "stream", "training"]
        )

        def arrays(role: str, among: Iterable[str]) -> tuple[Array, ...]:
            chosen = set(among)
            return tuple(
                Array(number, info, names.of(info.name.removeprefix(_STEPPED)), self.shape(info))
                for number, info in enumerate(self.manifest.buffers)
                if info.role == role and info.name in chosen
            )

        inputs, outputs = arrays("input", entry.reads), arrays("output", entry.writes)
        arena = "arena_bytes" if entry.name == "predict" else f"{entry.name}_arena_bytes"
        return Function(entry, inputs, outputs, dims, arena)

    def shape(self, info: BufferInfo) -> str:
        """A shape in C's names: `[n, 28, 28, 1]`."""
        text = ", ".join(info.shape)
        return "[" + re.sub(r"[A-Za-z_]\w*", lambda m: self.dim_names.get(m[0], m[0]), text) + "]"
