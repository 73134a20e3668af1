"""Calls of kernels in an entry, and how threads divide each of them.

A call with enough work is a region of shares (ll/shares.ll): as many as its work pays for, up to the number of
threads. Thread 0 runs other calls alone. The first region calls the pool's workers, unless it, or the whole entry,
has too little work for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeAlias

from netwright.specs.dims import DimLike, dim_symbols

from .indices import Indices
from .writer import Writer

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
        """Writes the call of ``kernel`` with ``arguments``. Threads may have several shares each if it is ``finely``
        divided, and there are at most ``most``. If a share fails, the entry fails with its code; ``fail`` is None for a
        kernel that never fails."""
        writer = self._writer
        write, label = writer.result, writer.label
        single, run, over = label("single"), label("run"), label("over")
        divides = work != 0
        if not divides:
            writer.branch(single)
        else:
            threads, worth = self._counted(work, self._limit), self._counted(work, str(WORTH_WAKING))
            each = self._each(work) if finely else "1"
            shares = self.indices.once(
                dim_symbols(work),
                ("all shares", work, each),
                lambda: writer.value(f"mul i32 {threads}, {each}"),
            )
            if most is not None:
                wide, limit = write(f"zext i32 {shares} to i64"), self.indices.value(most)
                fewer = writer.call("i64", "llvm.smin.i64", ("i64", wide), ("i64", limit))
                shares = write(f"trunc i64 {fewer} to i32")
            divide, take, count = label("divide"), label("take"), label("count")
            writer.branch_if(write(f"icmp sgt i32 {shares}, 1"), divide, single)
            writer.start(divide)
            numbers = f"ptr {self._block}, ptr {self._walk}, i32 %tid, i32 {worth}"
            begun = write(f"call i32 @netwright.begin({numbers})")
            writer.branch_if(write(f"icmp slt i32 {begun}, 0"), run, take)
            writer.start(take)
            running = writer.name()
            region = write(f"phi i32 [ {begun}, %{divide} ], [ {running}, %{count} ]")
            numbers = f"ptr {self._block}, i32 {region}, i32 %tid, i32 {shares}, i32 {each}"
            share = write(f"call i32 @netwright.share({numbers})")
            writer.branch_if(write(f"icmp slt i32 {share}, 0"), over, run)

        writer.start(single)
        writer.line(f"store i32 1, ptr {write(f'getelementptr i8, ptr {self._walk}, i32 {_STRETCH}')}")
        writer.branch_if(write("icmp eq i32 %tid, 0"), run, over)

        writer.start(run)
        if not divides:
            code = write(f"call i32 {kernel}({', '.join([*arguments, *self.WHOLE])})")
            writer.branch(over)
            before = [f"[ 0, %{single} ]"]
        else:
            mine = write(f"phi i32 [ 0, %{single} ], [ 0, %{divide} ], [ {share}, %{take} ]")
            parts = write(f"phi i32 [ 1, %{single} ], [ 1, %{divide} ], [ {shares}, %{take} ]")
            writer.line(f"{running} = phi i32 [ -1, %{single} ], [ -1, %{divide} ], [ {region}, %{take} ]")
            code = write(f"call i32 {kernel}({', '.join([*arguments, f'i32 {mine}', f'i32 {parts}'])})")
            writer.branch_if(write(f"icmp slt i32 {running}, 0"), over, count)
            writer.start(count)
            done = f"ptr {self._block}, i32 {running}, i32 {parts}, i32 {code}"
            writer.line(f"call void @netwright.shared({done})")
            writer.branch(take)
            before = [f"[ 0, %{single} ]", f"[ 0, %{take} ]"]
        writer.start(over)
        if fail is not None:
            self._leave(write(f"phi i32 {', '.join([f'[ {code}, %{run} ]', *before])}"), fail)

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

    def _counted(self, work: DimLike, most: str) -> str:
        """How many shares a call's work pays for: at least one and at most ``most``."""

        def write_count() -> str:
            write = self._writer.value
            worth = write(f"sdiv i64 {self.indices.value(work)}, {self._grain}")
            fewer = self._writer.call("i64", "llvm.smin.i64", ("i64", worth), ("i64", most))
            least = self._writer.call("i64", "llvm.smax.i64", ("i64", fewer), ("i64", "1"))
            return write(f"trunc i64 {least} to i32")

        return self.indices.once(dim_symbols(work), ("shares", work, most), write_count)

    def _each(self, work: DimLike) -> str:
        """How many shares of a call are each thread's own."""

        def write_most() -> str:
            write = self._writer.value
            fair = write(f"sdiv i64 {MOST_SHARES}, {self._limit}")
            least = self._writer.call("i64", "llvm.smin.i64", ("i64", fair), ("i64", str(MOST_EACH)))
            single = write(f"icmp sle i64 {self._limit}, 1")
            return write(f"select i1 {single}, i64 1, i64 {least}")

        def write_count() -> str:
            write, call = self._writer.value, self._writer.call
            most = self.indices.once((), "most shares of a thread", write_most)
            worth = write(f"sdiv i64 {self.indices.value(work)}, {self._grain}")
            fine = write(f"sdiv i64 {worth}, {write(f'mul i64 {self._limit}, {FINE}')}")
            fewer = call("i64", "llvm.smin.i64", ("i64", fine), ("i64", most))
            least = call("i64", "llvm.smax.i64", ("i64", fewer), ("i64", "1"))
            return write(f"trunc i64 {least} to i32")

        return self.indices.once(dim_symbols(work), ("own shares", work), write_count)


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
