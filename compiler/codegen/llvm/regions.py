"""Calls of kernels in an entry, and how threads divide each of them.

A call with enough work is a region of shares (ll/shares.ll): as many as its work pays for, up to the number of
threads. Thread 0 runs other calls alone. The first region calls the pool's workers, unless it, or the whole entry,
has too little work for that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from string import Template
from typing import ClassVar, TypeAlias

from netwright.specs.dims import DimLike

from ..text.types import symbol
from ..text.writer import Writer
from .indices import Indices

Fail: TypeAlias = Callable[[str], None]
SHARE_DECLARATIONS = (
    "declare i32 @netwright.begin(ptr, ptr, i32, i32) #0",
    "declare i32 @netwright.share(ptr, i32, i32, i32, i32) #0",
    "declare void @netwright.shared(ptr, i32, i32, i32) #0",
    "declare i32 @netwright.end(ptr, ptr, i32, i32, i1) #0",
)
#: The operations that pay for a share if the host does not say: some 1.6 µs at 0.2 ns each. Threads take 0.4 µs to
#: divide a region and to meet, and some more for data that is in another core's cache; but what one thread writes
#: alone also has to move to the others' caches later.
GRAIN = 8192
#: How many shares' worth of work pays for calling or waking workers, which takes 5 µs.
WORTH_WAKING = 16
#: A call with this many times the work that pays for waking workers calls them for its first region.
SURELY_WORTH = 16
#: Large calls have several shares for each thread, so that one that comes late, or loses its processor for a while,
#: finds some left, unless each share would do some work again: each share of at least this many times the work that
#: pays for one, and no more than these for a thread and for all.
FINE, MOST_EACH, MOST_SHARES = 8, 4, 32
#: Offsets in the block that threads share, and in a thread's record of its progress (``walk``; ll/shares.ll).
_LATCHED, _GRAIN, _SUMMON, _WORK = 16, 28, 32, 56
_NUMBER, _STRETCH, _MISSED = 4, 8, 12
_TEXT = Path(__file__).parent / "ll" / "divided.ll"


class Regions:
    """Writes an entry's calls. ``indices`` are those of the function that the calls are in."""

    indices: Indices
    #: The parameters by which a part of an entry gets the entry's values.
    PARAMETERS: ClassVar[tuple[str, ...]] = ("ptr %block", "ptr %walk", "i64 %grain", "i64 %limit")
    #: The last arguments of a kernel that one thread runs: its share, and how many there are.
    WHOLE: ClassVar[tuple[str, ...]] = ("i32 0", "i32 1")

    def __init__(self, writer: Writer, block: str, walk: str, grain: str, limit: str = ""):
        self._writer = writer
        self._block, self._walk, self._grain, self._limit = block, walk, grain, limit
        self._own = self._is_alone = self._threads = ""

    @classmethod
    def begun(cls, writer: Writer, block: str) -> Regions:
        """The regions of an entry, created at its start before ``Indices``, whose values may depend on what this
        writes.

        ``block`` is the context's; it may be NULL for a single thread, which then has one on its stack.
        """
        write = writer.result
        # Aligned no more than any stack is, since a microcontroller has little of it.
        own, walk = writer.slot("[64 x i8]", align=8), writer.slot("[4 x i32]", align=8)
        for field in (_LATCHED, _GRAIN):
            writer.line(f"store i32 0, ptr {write(f'getelementptr i8, ptr {own}, i32 {field}')}")
        writer.line(f"store ptr null, ptr {write(f'getelementptr i8, ptr {own}, i32 {_SUMMON}')}")
        single = write("icmp sle i32 %nthreads, 1")
        block = write(f"select i1 {single}, ptr {own}, ptr {block}")
        summon = write(f"load ptr, ptr {write(f'getelementptr i8, ptr {block}, i32 {_SUMMON}')}")
        pooled, first = write(f"icmp ne ptr {summon}, null"), write("icmp eq i32 %tid, 0")
        leads = write(f"and i1 {pooled}, {first}")
        is_alone = write(f"or i1 {single}, {leads}")
        writer.line(f"store i32 {write(f'zext i1 {is_alone} to i32')}, ptr {walk}")
        for field in (_NUMBER, _STRETCH, _MISSED):
            writer.line(f"store i32 0, ptr {write(f'getelementptr i8, ptr {walk}, i32 {field}')}")
        asked = write(f"load i32, ptr {write(f'getelementptr i8, ptr {block}, i32 {_GRAIN}')}")
        grain = write(f"select i1 {write(f'icmp sgt i32 {asked}, 0')}, i32 {asked}, i32 {GRAIN}")
        regions = cls(writer, block, walk, write(f"zext i32 {grain} to i64"))
        regions._own, regions._is_alone = own, is_alone
        regions._threads = write("zext i32 %nthreads to i64")
        return regions

    @classmethod
    def passed(cls, writer: Writer) -> Regions:
        """The regions of a part of an entry, which gets the entry's values as parameters."""
        return cls(writer, *(parameter.split()[1] for parameter in cls.PARAMETERS))

    @property
    def arguments(self) -> list[str]:
        """The arguments that an entry passes to its parts."""
        values = (self._block, self._walk, self._grain, self._limit)
        types = (parameter.split()[0] for parameter in self.PARAMETERS)
        return [f"{type} {value}" for type, value in zip(types, values, strict=True)]

    def limit_to(self, indices: Indices, work: DimLike) -> None:
        """Limits the number of threads according to the work of the whole entry, and has the workers called the sooner
        the more work there is."""
        total = indices.value(work)

        def write_limit() -> str:
            write = self._writer.value
            least = write(f"mul i64 {self._grain}, {WORTH_WAKING}")
            mine = write(f"select i1 {self._is_alone}, ptr {self._block}, ptr {self._own}")
            self._writer.line(f"store i64 {total}, ptr {write(f'getelementptr i8, ptr {mine}, i32 {_WORK}')}")
            part = write(f"sdiv i64 {total}, {write(f'mul i64 {self._grain}, {SURELY_WORTH}')}")
            missed = self._writer.call("i64", "llvm.smin.i64", ("i64", part), ("i64", str(WORTH_WAKING)))
            at = write(f"getelementptr i8, ptr {self._walk}, i32 {_MISSED}")
            self._writer.line(f"store i32 {write(f'trunc i64 {missed} to i32')}, ptr {at}")
            little = write(f"and i1 {self._is_alone}, {write(f'icmp slt i64 {total}, {least}')}")
            return write(f"select i1 {little}, i64 1, i64 {self._threads}")

        self._limit = indices.once((), "limit of shares", write_limit)

    def write(
        self,
        work: DimLike,
        finely: bool,
        kernel: str,
        arguments: list[str],
        fail: Fail | None,
        most: DimLike | None = None,
    ) -> None:
        """Writes the call of ``kernel`` with ``arguments``. There are at most ``most`` shares, and several for each
        thread only if it is ``finely`` divided. If a share fails, the entry fails with its code; ``fail`` is None for a
        kernel that never fails."""
        types = [argument.split()[0] for argument in arguments]
        divided, definition = _divided(tuple(types))
        self._writer.definitions.add(definition)
        limit = self._limit
        if most is not None:
            fewer = ("i64", limit), ("i64", self.indices.value(most))
            limit = self._writer.call("i64", "llvm.smin.i64", *fewer)
        numbers = [
            *(f"ptr {value}" for value in (self._block, self._walk)),
            "i32 %tid",
            *(f"i64 {value}" for value in (self._grain, limit, self.indices.value(work))),
            f"i1 {'true' if finely else 'false'}",
        ]
        code = self._writer.result(
            f"call i32 {divided}({', '.join([*numbers, f'ptr {kernel}', *arguments])})"
        )
        if fail is not None:
            self._leave(code, fail)

    def end(self, code: str, waits: bool) -> str:
        """The code that the entry returns when it leaves with ``code``. If ``waits``, threads first wait for what
        thread 0 runs alone at the end, since that may fail."""
        numbers = (
            f"ptr {self._block}, ptr {self._walk}, i32 %tid, i32 {code}, i1 {'true' if waits else 'false'}"
        )
        return self._writer.result(f"call i32 @netwright.end({numbers})")

    def _leave(self, own: str, fail: Fail) -> None:
        """Leaves with the error code of what ran alone, or with the one that the end of a region latched."""
        writer = self._writer
        write, label = writer.result, writer.label
        at = write(f"getelementptr i8, ptr {self._block}, i32 {_LATCHED}")
        latched = write(f"load atomic i32, ptr {at} monotonic, align 4")
        code = write(f"or i32 {own}, {latched}")
        leave, stay = label("leave"), label("stay")
        writer.branch_if(write(f"icmp ne i32 {code}, 0"), leave, stay)
        writer.start(leave)
        fail(code)
        writer.start(stay)


class Alone(Regions):
    """Writes an entry's calls where there are no threads: each is one share, and nothing is kept of them."""

    PARAMETERS: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def begun(cls, writer: Writer, block: str) -> Alone:
        return cls(writer, "", "", "")

    @classmethod
    def passed(cls, writer: Writer) -> Alone:
        return cls(writer, "", "", "")

    @property
    def arguments(self) -> list[str]:
        return []

    def limit_to(self, indices: Indices, work: DimLike) -> None:
        pass

    def write(
        self,
        work: DimLike,
        finely: bool,
        kernel: str,
        arguments: list[str],
        fail: Fail | None,
        most: DimLike | None = None,
    ) -> None:
        writer = self._writer
        code = writer.result(f"call i32 {kernel}({', '.join([*arguments, *self.WHOLE])})")
        if fail is None:
            return
        leave, stay = writer.label("leave"), writer.label("stay")
        writer.branch_if(writer.result(f"icmp ne i32 {code}, 0"), leave, stay)
        writer.start(leave)
        fail(code)
        writer.start(stay)

    def end(self, code: str, waits: bool) -> str:
        return code


class Bare(Alone):
    """Writes an entry's calls on a bare machine, whose kernels know nothing of shares: the arguments would take code at
    each call."""

    WHOLE: ClassVar[tuple[str, ...]] = ()


@cache
def _divided(types: tuple[str, ...]) -> tuple[str, str]:
    """The symbol and the text of the function that runs kernels whose arguments are of these types (ll/divided.ll)."""
    name = symbol(f"divided.{''.join(type[0] for type in types)}")
    arguments = [f"{type} %argument.{number}" for number, type in enumerate(types)]
    text = Template(_TEXT.read_text(encoding="utf-8")).substitute(
        divided=name,
        arguments=", ".join(["", *arguments]),
        given="".join(f"{argument}, " for argument in arguments),
        stretch=_STRETCH,
        wake=WORTH_WAKING,
        fine=FINE,
        each=MOST_EACH,
        shares=MOST_SHARES,
    )
    return name, text
