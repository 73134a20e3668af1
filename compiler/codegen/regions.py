"""Calls of kernels in an entry: how threads divide each of them.

A call is a region of shares (ll/shares.ll): as many as its work pays for, up to the number of threads. A thread that is
alone, because there is one or because the pool's workers have not been called yet, runs regions of one share without
a word to anybody. The first region of more shares calls the workers, unless the whole entry is too little for that.
"""

from __future__ import annotations

from collections.abc import Callable

from netwright.specs.dims import DimLike, dim_symbols

from .indices import Indices
from .writer import Writer

SHARE_DECLARATIONS = (
    "declare i32 @netwright.share(ptr, ptr, i32, i32, i32) #0",
    "declare void @netwright.shared(ptr, i32, i32, i32) #0",
)
#: The operations that are worth a share where the host does not say: some 3 µs at 0.2 ns each. Threads need 0.4 µs to
#: divide a region and to meet, and some more for data that another core has. And of how many shares the work of an
#: entry must be that workers are woken for, which takes 5 µs.
GRAIN, _WORTH_WAKING = 16384, 8
#: Where these stand in the block that threads share (ll/shares.ll).
_LATCHED, _GRAIN, _SUMMON = 16, 28, 32


class Regions:
    """Writes an entry's calls. ``indices`` are those of the function that they stand in."""

    indices: Indices
    #: What a part of an entry is given, as parameters of its function.
    PARAMETERS = ("ptr %block", "ptr %alone", "ptr %region", "i64 %grain", "i64 %limit")

    def __init__(self, writer: Writer, block: str, alone: str, region: str, grain: str, limit: str = ""):
        self._writer = writer
        self._block, self._alone, self._region, self._grain, self._limit = block, alone, region, grain, limit
        self._is_alone = self._threads = ""

    @classmethod
    def begun(cls, writer: Writer, block: str) -> Regions:
        """At the start of an entry, before ``Indices``, whose values may depend on what is written here.

        ``block`` is the context's; it may be NULL for one thread, which has one on its stack.
        """
        write = writer.result
        own = writer.slot("[64 x i8]", align=64)
        writer.line(f"store i32 0, ptr {write(f'getelementptr i8, ptr {own}, i32 {_GRAIN}')}")
        writer.line(f"store ptr null, ptr {write(f'getelementptr i8, ptr {own}, i32 {_SUMMON}')}")
        single = write("icmp sle i32 %nthreads, 1")
        block = write(f"select i1 {single}, ptr {own}, ptr {block}")
        summon = write(f"load ptr, ptr {write(f'getelementptr i8, ptr {block}, i32 {_SUMMON}')}")
        pooled, first = write(f"icmp ne ptr {summon}, null"), write("icmp eq i32 %tid, 0")
        leads = write(f"and i1 {pooled}, {first}")
        is_alone = write(f"or i1 {single}, {leads}")
        alone, region = writer.slot("i32"), writer.slot("i32")
        writer.line(f"store i32 {write(f'zext i1 {is_alone} to i32')}, ptr {alone}")
        writer.line(f"store i32 0, ptr {region}")
        asked = write(f"load i32, ptr {write(f'getelementptr i8, ptr {block}, i32 {_GRAIN}')}")
        grain = write(f"select i1 {write(f'icmp sgt i32 {asked}, 0')}, i32 {asked}, i32 {GRAIN}")
        found = cls(writer, block, alone, region, write(f"zext i32 {grain} to i64"))
        found._is_alone, found._threads = is_alone, write("zext i32 %nthreads to i64")
        return found

    @classmethod
    def passed(cls, writer: Writer) -> Regions:
        """In a part of an entry, which is given what the entry has."""
        return cls(writer, *(parameter.split()[1] for parameter in cls.PARAMETERS))

    @property
    def arguments(self) -> list[str]:
        """What an entry passes to its parts."""
        values = (self._block, self._alone, self._region, self._grain, self._limit)
        return [f"{one.split()[0]} {value}" for one, value in zip(self.PARAMETERS, values, strict=True)]

    def limit_to(self, indices: Indices, work: DimLike) -> None:
        """Fits the number of threads to what the whole entry computes."""
        total = indices.value(work)

        def write_limit() -> str:
            write = self._writer.value
            least = write(f"mul i64 {self._grain}, {_WORTH_WAKING}")
            little = write(f"and i1 {self._is_alone}, {write(f'icmp slt i64 {total}, {least}')}")
            return write(f"select i1 {little}, i64 1, i64 {self._threads}")

        self._limit = indices.once((), "limit of shares", write_limit)

    def write(self, work: DimLike, kernel: str, arguments: list[str], fail: Callable[[str], None]) -> None:
        """The call of ``kernel`` with ``arguments``; where a share fails, the entry does with its code."""
        writer = self._writer
        write, label = writer.result, writer.label
        shares = self._shares(work)
        region = write(f"load i32, ptr {self._region}")
        writer.line(f"store i32 {write(f'add i32 {region}, 1')}, ptr {self._region}")
        alone = write(f"icmp ne i32 {write(f'load i32, ptr {self._alone}')}, 0")
        direct = write(f"and i1 {alone}, {write(f'icmp eq i32 {shares}, 1')}")
        take, run, count, over = label("take"), label("run"), label("count"), label("over")
        before = writer.block
        writer.branch_if(direct, run, take)

        writer.start(take)
        numbers = f"ptr {self._block}, ptr {self._alone}, i32 {region}, i32 %tid, i32 {shares}"
        share = write(f"call i32 @netwright.share({numbers})")
        writer.branch_if(write(f"icmp slt i32 {share}, 0"), over, run)

        writer.start(run)
        mine = write(f"phi i32 [ 0, %{before} ], [ {share}, %{take} ]")
        passed = ", ".join([*arguments, f"i32 {mine}", f"i32 {shares}"])
        code = write(f"call i32 {kernel}({passed})")
        writer.branch_if(direct, over, count)

        writer.start(count)
        writer.line(f"call void @netwright.shared(ptr {self._block}, i32 {region}, i32 {shares}, i32 {code})")
        writer.branch(take)

        writer.start(over)
        latched_at = write(f"phi i32 [ {code}, %{run} ], [ 0, %{take} ]")
        self._leave(latched_at, direct, fail)

    def _leave(self, own: str, direct: str, fail: Callable[[str], None]) -> None:
        """Leaves with the code of a share run alone, or with what a region's end latched."""
        writer = self._writer
        write, label = writer.result, writer.label
        at = write(f"getelementptr i8, ptr {self._block}, i32 {_LATCHED}")
        latched = write(f"load atomic i32, ptr {at} monotonic, align 4")
        code = write(f"select i1 {direct}, i32 {own}, i32 {latched}")
        leave, stay = label("leave"), label("stay")
        writer.branch_if(write(f"icmp ne i32 {code}, 0"), leave, stay)
        writer.start(leave)
        fail(code)
        writer.start(stay)

    def _shares(self, work: DimLike) -> str:
        """Into how many shares a call is divided."""
        if work == 0:
            return "1"

        def write_shares() -> str:
            write = self._writer.value
            worth = write(f"sdiv i64 {self.indices.value(work)}, {self._grain}")
            most = self._writer.call("i64", "llvm.smin.i64", ("i64", worth), ("i64", self._limit))
            least = self._writer.call("i64", "llvm.smax.i64", ("i64", most), ("i64", "1"))
            return write(f"trunc i64 {least} to i32")

        return self.indices.once(dim_symbols(work), ("shares", work), write_shares)
