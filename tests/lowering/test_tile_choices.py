"""Tiles of products that were measured: which are possible, which are worth measuring, and what becomes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.loop.marks import watched
from netwright.compiler.loop.text.printing import program_text
from netwright.compiler.lowering.tiles.choices import TileRoom
from netwright.compiler.lowering.tiles.plans import Planned
from netwright.compiler.ops.products.dot import DotAttributes
from netwright.compiler.plans.costs import predicted
from netwright.compiler.plans.cuts import Left
from netwright.compiler.plans.shapes import BROADCAST, BUSY, FURTHER_CODE, LOADED_VECTOR, step_cost, traffic
from netwright.compiler.tuning import TileChoice, Tuning, TuningError
from netwright.specs.dims import dim

from ..machines import AVX2, AVX512, SMALL_CACHES
from .engines import lowered

N = dim("N")
#: Ten rows by three vectors, in sums of twelve terms inside of two loops.
ROOM = TileRoom(10, 3, 4, 1, 1, 2, 12, AVX512)
NAME = "dot float32[3,40,32] float32[32,32] → 3,40,32"


@pytest.mark.parametrize(
    ("room", "choice", "reason"),
    [
        (ROOM, TileChoice(10, 2), ""),
        (ROOM, TileChoice(1, 1), ""),
        (ROOM, TileChoice(0, 1), "it has 1 to 10 rows"),
        (ROOM, TileChoice(11, 1), "it has 1 to 10 rows"),
        (replace(ROOM, rows=100), TileChoice(14, 1), ""),
        (replace(ROOM, rows=100), TileChoice(15, 1), "it has 1 to 14 rows"),
        (replace(ROOM, rows=N), TileChoice(15, 1), "it has 1 to 14 rows"),
        (ROOM, TileChoice(2, 0), "it has 1 to 3 vectors"),
        (ROOM, TileChoice(2, 3), ""),
        (ROOM, TileChoice(2, 4), "it has 1 to 3 vectors"),
        (replace(ROOM, vectors=N), TileChoice(2, 4), ""),
        (replace(ROOM, vectors=N), TileChoice(2, 5), "it has 1 to 4 vectors"),
        (replace(ROOM, vectors=0), TileChoice(2, 1), ""),
        (ROOM, TileChoice(10, 3), "10 × 3 accumulators do not fit the machine's registers"),
        (replace(ROOM, cells=100), TileChoice(1, 1), ""),
        (replace(ROOM, cells=100), TileChoice(2, 1), "2 × 1 accumulators do not fit"),
        (replace(ROOM, cells=100), TileChoice(1, 2), "1 × 2 accumulators do not fit"),
        (ROOM, TileChoice(2, 2, depth=0), ""),
        (ROOM, TileChoice(2, 2, depth=1), ""),
        (ROOM, TileChoice(2, 2, depth=2), "there are 2 loops over whole axes"),
        (ROOM, TileChoice(2, 2, depth=-1), "there are 2 loops over whole axes"),
        (ROOM, TileChoice(2, 2, steps=4), ""),
        (ROOM, TileChoice(2, 2, steps=8), "its sum is unrolled by 1, 2, 4"),
        (replace(ROOM, inner=2), TileChoice(2, 2, steps=4), "its sum is unrolled by 1, 2"),
        (replace(ROOM, inner=8), TileChoice(2, 2, steps=8), ""),
        (replace(ROOM, inner=7), TileChoice(2, 2, steps=7), ""),
        (replace(ROOM, inner=7), TileChoice(2, 2, steps=3), "its sum is unrolled by 1, 7"),
        (replace(ROOM, inner=9), TileChoice(2, 2, steps=9), "its sum is unrolled by 1"),
        (replace(ROOM, inner=N), TileChoice(2, 2, steps=2), "its sum is unrolled by 1"),
    ],
    ids=str,
)
def test_tiles_have_to_fit(room: TileRoom, choice: TileChoice, reason: str) -> None:
    if not reason:
        room.check(choice, "dot")
        return
    with pytest.raises(TuningError) as caught:
        room.check(choice, "dot")
    assert f"dot: the tile {choice} is not possible: {reason}" in str(caught.value)


@pytest.mark.parametrize(
    ("room", "choice", "fetches", "others"),
    [
        (
            ROOM,
            TileChoice(5, 3, steps=2, prefetch=False),
            False,
            "6 × 3, no prefetch | 7 × 3, no prefetch | 9 × 3, no prefetch | 10 × 2, no prefetch | "
            "5 × 3, sum by 1, no prefetch | 5 × 3, sum by 4, no prefetch",
        ),
        (
            replace(ROOM, vectors=N, inner=N),
            TileChoice(5, 3, depth=0, steps=1),
            True,
            "5 × 4, columns outermost | 10 × 2, columns outermost | 6 × 4, columns outermost | "
            "5 × 2, columns outermost | 5 × 3, sum by 1 | 5 × 3, columns outermost, sum by 1, no prefetch",
        ),
        (
            replace(ROOM, rows=1, outer=0),
            TileChoice(1, 1, prefetch=False),
            True,
            "1 × 3, no prefetch | 1 × 2, no prefetch | 1 × 1",
        ),
    ],
)
def test_what_is_worth_measuring(room: TileRoom, choice: TileChoice, fetches: bool, others: str) -> None:
    assert " | ".join(map(str, room.others(choice, fetches))) == others


def images() -> Graph:
    """The products of three images."""
    graph = Graph()
    x = graph.input("x", TensorType("float32", (3, 40, 32)), "input")
    w = graph.input("w", TensorType("float32", (32, 32)), "parameter")
    graph.set_output("y", graph.add("dot", [x, w], DotAttributes((2,), (0,))).values[0])
    return graph


def planned(choice: TileChoice | None, name: str = NAME) -> Planned:
    """The plan of three images' products, with a tile that was measured for the product called ``name``."""
    tiles = () if choice is None else ((name, choice),)
    program, _ = lowered(images(), replace(SMALL_CACHES, tuning=Tuning(tiles)))
    (call,) = (call for call in watched(program.entries["main"]).moments if call is not None)
    assert isinstance(call.info.planned, Planned)
    assert call.info.planned.signature == NAME
    return call.info.planned


@pytest.mark.parametrize(
    ("choice", "plan"),
    [
        (
            None,
            "loops over axis 0 3, columns 32 by 16, rows 40 by 5; tile 5 rows × 2 vectors of 8; sum 32 by 2",
        ),
        (
            TileChoice(6, 1, steps=8),
            "loops over axis 0 3, columns 32 by 8, rows 40 by 6; tile 6 rows × 1 vector of 8; sum 32 by 8; tuned",
        ),
        (
            TileChoice(3, 2, depth=0),
            "loops over columns 32 by 16, axis 0 3, rows 40 by 3; tile 3 rows × 2 vectors of 8; sum 32 by 4; tuned",
        ),
    ],
)
def test_measured_tiles_are_preferred(choice: TileChoice | None, plan: str) -> None:
    assert str(planned(choice).plan) == f"dot: {plan}"


@pytest.mark.parametrize("steps", [2, 8])
def test_kernels_have_as_many_steps_at_once_as_were_measured(steps: int) -> None:
    tuning = Tuning(((NAME, TileChoice(6, 2, steps=steps)),))
    program, _ = lowered(images(), replace(SMALL_CACHES, tuning=tuning))
    assert f"for k in 0 .. 32 step {steps}:" in program_text(program)


def test_tiles_of_other_products_are_none_of_this_one() -> None:
    assert planned(TileChoice(99, 1), "dot float32[1,1] float32[1,1] → 1,1").plan == planned(None).plan


def test_times_are_predicted_of_the_work_and_the_tile() -> None:
    """Or of other work, such as that of other sizes, and of other tiles."""
    own, other = planned(None), TileChoice(1, 1)
    assert own.work is not None
    more = replace(own.work, rows=80)
    assert own.units() == predicted(own.work, own.choice, SMALL_CACHES)
    assert own.units(other) == predicted(own.work, other, SMALL_CACHES)
    assert own.units(work=more) == predicted(more, own.choice, SMALL_CACHES)
    assert len({own.units(), own.units(other), own.units(work=more)}) == 3
    assert replace(own, tiling=None).units() is None


def test_measured_tiles_that_do_not_fit_are_errors() -> None:
    with pytest.raises(TuningError, match="it has 1 to 2 vectors"):
        planned(TileChoice(4, 3))


@pytest.mark.parametrize(
    ("left", "tiles"),
    [
        (None, {6: 1, 5: 1}),
        ("halves", {6: 1, 2: 2, 1: 1}),
        ("ones", {6: 1, 1: 5}),
        ("once", {6: 1, 5: 1}),
    ],
)
def test_rows_that_are_left_cost_what_their_tiles_cost(left: Left | None, tiles: dict[int, int]) -> None:
    """Each kind of tiles beside the first has code of its own. Sums of tiles at once have the parts of a whole one."""
    cost = step_cost(11, 8, 6, 2, 1, 1, AVX512, left)
    each = sum(count * step_cost(rows, 8, rows, 2, 1, 1, AVX512) for rows, count in tiles.items())
    assert cost == pytest.approx(each + FURTHER_CODE * (len(tiles) - 1) * 11 * 8)


@pytest.mark.parametrize(
    ("rows", "left", "arithmetic"),
    [
        (1, "halves", 2),  # in six parts, so that it waits for its two loads
        (1, "once", BUSY / 3),  # in three, as a tile of two rows
        (1, "once or alone", 2),
        (3, "once or alone", 3 + BUSY / 3 + FURTHER_CODE * 3),
    ],
)
def test_a_row_that_is_left_waits_for_sums_in_as_many_parts_as_a_whole_tile(
    rows: int, left: Left, arithmetic: float
) -> None:
    loads = -(-rows // 2) * LOADED_VECTOR + rows * BROADCAST
    assert AVX2.partial_sums == 6
    assert step_cost(rows, 1, 2, 1, 1, 1, AVX2, left) == pytest.approx(arithmetic + loads)


def test_what_is_read_again_for_each_block_of_columns() -> None:
    """All but what stays in the second cache: up to a half of it."""
    half = SMALL_CACHES.l2_bytes // 2
    assert traffic(100, 3 * half, [3, 2], 1, 5, SMALL_CACHES) == 100 * 3 + 3 * half
    assert traffic(100, 3 * half + 3, [3, 2], 1, 5, SMALL_CACHES) == 100 * 3 + (3 * half + 3) * 5
