"""Loop IR: the nodes.

A function consists of loops over multi-dimensional buffers. All integers that control memory (loop bounds, indices,
mask counts, guards) are sizes of ``specs.dims``: polynomials over the function's dims and the loop variables in
scope. So an index is canonical, can be proved in bounds, and prints as it is. Everything computed on data is an
``Expr``: scalar or vector, typed, pure. Mutable registers (``Declare``, ``Assign``, ``Read``) hold accumulators; LLVM
turns them into SSA.

All nodes are frozen; ``lanes == 1`` is a scalar.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar, dataclass_transform

from netwright.specs.dims import DimLike, Shape

from .call_info import CallInfo
from .calling import Call, Slice
from .operations import BINARY, COMPARE, FAR, UNARY, ValueType

__all__ = ["BINARY", "COMPARE", "FAR", "UNARY", "Call", "CallInfo", "Slice", "ValueType"]

Index: TypeAlias = DimLike
_Class = TypeVar("_Class", bound=type)


@dataclass_transform(frozen_default=True)
def node(cls: _Class) -> _Class:
    """A frozen dataclass for type checkers. At run time nothing holds one back: a class that Python freezes takes three
    times as long to make an object, and a compilation makes hundreds of thousands."""
    return dataclass(slots=True, unsafe_hash=True)(cls)


# -- expressions -------------------------------------------------------------------------------------------------


@node
class Const:
    """A number, in every lane."""

    value: float | int | bool
    type: ValueType


@node
class IndexValue:
    """A size or index as data, in every lane."""

    index: Index
    type: ValueType


@node
class Ramp:
    """0, 1, 2, … over the lanes."""

    type: ValueType


@node
class Read:
    """The current value of a register."""

    name: str
    type: ValueType


@node
class Load:
    """Elements of a buffer.

    Lane l reads the element at ``indices`` with the last index + l·``stride`` (``stride`` 1: contiguous). If
    ``count`` is given, only the first ``count`` lanes are read (it may be ≤ 0 or ≥ lanes); none is read unless every
    guard is ≥ 0. Lanes that are not read are ``other``.
    """

    buffer: str
    indices: tuple[Index, ...]
    type: ValueType
    count: Index | None = None
    guards: tuple[Index, ...] = ()
    other: float | int | bool = 0
    stride: Index = 1


@node
class Unary:
    """``op`` of UNARY; "not" is for bool and integers."""

    op: str
    x: Expr
    type: ValueType


@node
class Binary:
    """``op`` of BINARY on equal types.

    Integers wrap. max and min propagate NaN. div on integers truncates, rem (integers only) has the dividend's sign;
    both divide by a positive constant. Shifts take a constant amount of the same type, below its width; shr is
    logical for unsigned dtypes, arithmetic for signed. Bitwise operations are for integers and bool.
    """

    op: str
    a: Expr
    b: Expr
    type: ValueType


@node
class Fma:
    """a·b + c with one rounding."""

    a: Expr
    b: Expr
    c: Expr
    type: ValueType


@node
class Dot4:
    """c + a·b in int32, where lane l of the product is the sum of a·b over lanes 4l to 4l + 3. An ``a`` of four lanes
    is the same in all lanes of the result.

    ``a`` is of int8 or uint8, ``b`` of int8; no sum is rounded or clipped, and int32 wraps.
    """

    a: Expr
    b: Expr
    c: Expr
    type: ValueType


@node
class Compare:
    """``op`` of COMPARE on equal types: false if an operand is NaN, except "ne", which is then true. The type is
    bool."""

    op: str
    a: Expr
    b: Expr
    type: ValueType


@node
class Select:
    """``a`` where ``condition`` (bool, same lanes), else ``b``."""

    condition: Expr
    a: Expr
    b: Expr
    type: ValueType


@node
class Cast:
    """Value conversion between dtypes.

    float → integer truncates and saturates, NaN becomes 0; wider → narrower integer keeps the low bits; bool → number
    is 0 or 1; number → bool is whether it differs from 0.
    """

    x: Expr
    type: ValueType


@node
class Bitcast:
    """The same bits as another dtype of the same width."""

    x: Expr
    type: ValueType


@node
class Broadcast:
    """A scalar in every lane."""

    x: Expr
    type: ValueType


@node
class ReduceLanes:
    """All lanes combined to a scalar: ``op`` is add | max | min.

    The order is fixed: the first half of the lanes (a power of two) is combined, lane by lane, with the second half,
    until one lane is left.
    """

    op: str
    x: Expr
    type: ValueType


@node
class Shuffle:
    """Lanes of two vectors of one type: lane i is lane ``lanes[i]`` of ``a`` followed by ``b``."""

    lanes: tuple[int, ...]
    a: Expr
    b: Expr
    type: ValueType


Expr: TypeAlias = (
    Const
    | IndexValue
    | Ramp
    | Read
    | Load
    | Unary
    | Binary
    | Fma
    | Dot4
    | Compare
    | Select
    | Cast
    | Bitcast
    | Broadcast
    | ReduceLanes
    | Shuffle
)


# -- statements --------------------------------------------------------------------------------------------------


@node
class For:
    """``var`` runs from ``start`` while below ``stop`` by ``step`` (a positive constant).

    ``parallel``: iterations are independent, and threads divide them: of n iterations, thread tid runs those numbered
    n·tid//nthreads up to n·(tid+1)//nthreads. A parallel loop that is the whole body of another forms a nest with it
    (``parallel_nest``): the iterations of all its loops are numbered together, with the outermost loop's variable the
    slowest, and divided by these numbers. ``unrolled``: bounds are constants and the code contains every iteration.
    """

    var: str
    start: Index
    stop: Index
    body: tuple[Stmt, ...]
    step: int = 1
    kind: Literal["serial", "parallel", "unrolled"] = "serial"


@node
class If:
    """Runs ``body`` if every condition is ≥ 0, else ``orelse``."""

    conditions: tuple[Index, ...]
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...] = ()


@node
class Divide:
    """A part of an entry that threads run for ``least`` samples or more each, ``rows`` at a time (see ``divided``)."""

    dim: str
    rows: int
    body: tuple[Stmt, ...]
    least: int = 1


@node
class Declare:
    """A new register with its first value, visible to the end of the enclosing body."""

    name: str
    value: Expr


@node
class Assign:
    """Assigns a new value to a register."""

    name: str
    value: Expr


@node
class LetIndex:
    """An int64 scalar from data becomes a name that indices may use, after a check that it is in range.

    The function returns ``error`` at once unless low ≤ value < high.
    """

    name: str
    value: Expr
    low: Index
    high: Index
    error: int


@node
class Store:
    """Stores lanes to consecutive elements: only the first ``count``, and only if every guard is ≥ 0."""

    buffer: str
    indices: tuple[Index, ...]
    value: Expr
    count: Index | None = None
    guards: tuple[Index, ...] = ()


@node
class Prefetch:
    """Asks for the memory at an element to be brought into the L2 cache, and waits for nothing.

    The element may lie anywhere in the buffer's memory or outside of it: addresses follow from ``indices`` even beyond
    the extents.
    """

    buffer: str
    indices: tuple[Index, ...]


@node
class Barrier:
    """All threads arrive before any continues."""


Stmt: TypeAlias = For | If | Divide | Declare | Assign | LetIndex | Store | Prefetch | Call | Barrier


# -- functions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Buffer:
    """A dense row-major array.

    ``local`` buffers are uninitialized scratch memory of static size on the stack; the others are parameters of the
    function. Parameters never alias: a buffer updated in place is one "readwrite" parameter.
    """

    name: str
    dtype: str
    shape: Shape
    access: Literal["read", "write", "readwrite"] = "read"
    local: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A kernel or the body of an entry.

    ``dims``: its named dims, each with its least value. ``tid`` and ``nthreads`` are implicit parameters.
    """

    name: str
    dims: tuple[tuple[str, int], ...]
    buffers: tuple[Buffer, ...]
    body: tuple[Stmt, ...]

    @property
    def parameters(self) -> tuple[Buffer, ...]:
        """The buffers that callers pass."""
        return tuple(buffer for buffer in self.buffers if not buffer.local)


@dataclass(frozen=True, slots=True)
class ArenaBuffer:
    """A buffer in an entry's arena: live from step ``first`` to step ``last``, both inclusive; ``nbytes`` is a size.
    Kernels access it together with many other ``staggered`` ones at equal indices, which should not alias."""

    name: str
    nbytes: DimLike
    first: int
    last: int
    staggered: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a program.

    The buffers of ``function`` are bound by name: to a slot of the arena if ``arena`` has the name, otherwise to the
    program's table of caller-owned buffers. Its body holds For, If, Divide, Call and Barrier only.
    """

    name: str
    function: Function
    arena: tuple[ArenaBuffer, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """Kernels, entries and the table of caller-owned buffers (position = index in the context's buffer table);
    ``layers`` gives the layers that each kernel computes, for messages."""

    model: str
    dims: tuple[tuple[str, int], ...]
    table: tuple[Buffer, ...]
    kernels: dict[str, Function] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    layers: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
