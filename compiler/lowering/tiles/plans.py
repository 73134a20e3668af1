"""Makes the plans of products and reductions, from which ``fused`` writes their kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from netwright.specs.dims import Shape, product

from ...machine import Machine
from ...plans.costs import Work, predicted
from ...plans.plan import Loop, Plan
from ...tuning import TileChoice
from ..grouping.groups import Group
from ..grouping.roles import ContractionPart, Roles, TransformPart
from .ahead import ahead
from .choices import TileRoom, signature
from .loop_order import operands_of
from .rows_ahead import rows_ahead
from .sliding import fits_sliding, sliding_steps, sliding_taps
from .sum_steps import partial_sums, sum_steps
from .tiling import Tiling, tile_room


@dataclass(frozen=True)
class Planned:
    """A kernel's plan, with what it was chosen among. ``group`` is over ``space``."""

    plan: Plan
    group: Group
    space: Shape
    tiling: Tiling | None
    machine: Machine
    fetches: bool = False
    """Whether there are weights to be fetched ahead."""

    @property
    def is_tunable(self) -> bool:
        """Whether tiles of other sizes could be chosen."""
        return self._room is not None

    @cached_property
    def signature(self) -> str:
        """What a tuned choice is found by."""
        return signature(self.group, self.space, self.group.contractions())

    @cached_property
    def choice(self) -> TileChoice:
        """What of the plan was free."""
        assert self.tiling is not None
        own = self.tiling
        return TileChoice(own.rows, own.vectors, own.column_depth, self.plan.steps, own.prefetch)

    @cached_property
    def others(self) -> tuple[TileChoice, ...]:
        """What else may be chosen, and is worth measuring."""
        return () if self._room is None else tuple(self._room.others(self.choice, self.fetches))

    @cached_property
    def work(self) -> Work | None:
        """The work, for predictions; None for kernels without tiles of rows by vectors."""
        own, contractions = self.tiling, self.group.contractions()
        if own is None or not contractions or not self.space:
            return None
        columns = self.space[-1]
        rows = 1 if own.row_axis is None else self.space[own.row_axis]
        own_axes = (own.row_axis, own.band_axis)
        outer = tuple(size for axis, size in enumerate(self.space[:-1]) if axis not in own_axes)
        if own.band_axis is not None:
            rows = rows * self.space[own.band_axis]
        if own.lane_axis is not None:  # lanes and rows have changed places
            rows, columns = columns, self.space[own.lane_axis]
            own_axes = (own.lane_axis, own.band_axis)
            outer = tuple(size for axis, size in enumerate(self.space[:-1]) if axis not in own_axes)
            if own.band_axis is not None:
                rows = rows * self.space[own.band_axis]
        extents = contractions[0].extents
        operands = operands_of(self.space, contractions)
        is_cut = own.lane_axis is None and not isinstance(rows, int)
        return Work(
            outer,
            rows,
            columns,
            product(extents),
            extents[-1] if extents else 1,
            len(contractions),
            own.cells,
            operands.shared,
            operands.others,
            own.lanes,
            own.left if is_cut else None,
        )

    def units(self, choice: TileChoice | None = None, work: Work | None = None) -> float | None:
        """The predicted time with ``choice``, by default the plan's own, in units of ``plans.costs``."""
        work = work or self.work
        if work is None:
            return None
        if choice is None:
            assert self.tiling is not None
            choice = replace(self.choice, rows=self.choice.rows * self.tiling.bands)
        return predicted(work, choice, self.machine)

    @cached_property
    def _room(self) -> TileRoom | None:
        own = self.tiling
        if own is None or own.inner or own.lane_axis is not None or own.row_axis is None or own.lanes == 1:
            return None
        return tile_room(self.space, own, self.group.contractions(), self.machine)


def planned(roles: Roles, group: Group, space: Shape, tiling: Tiling, machine: Machine) -> Planned | None:
    """The plan of a group with products or reductions; None for others."""
    contractions = group.contractions()
    if not contractions:
        return None
    last = len(space) - 1
    loops = [_loop(space, axis, tiling) for axis in loop_axes(space, tiling)]
    first = contractions[0]
    families = {(part.combine, part.extents, part.order) for part in contractions}
    steps, sums, slides = tiling.steps, 1, False
    whole = tiling.accumulators
    if whole and len(families) == 1 and not tiling.inner and tiling.lane_axis is None:
        sliding = 0 if steps else _sliding_steps(contractions, tiling, machine)
        slides = sliding > 0
        steps = steps or sliding or sum_steps(first.extents, whole, first.role, machine)
        sums = 1 if slides else partial_sums(steps, whole, first.order, machine)
    fetches = False
    if last >= 0:
        index = dict.fromkeys(range(len(space)), 0)
        fetches = ahead(tiling, space, [loop.axis for loop in loops], index, machine) is not None
    rows = _fetches_rows(roles, group, space, tiling, machine)
    panels = any(_is_packed(roles, part, tiling.lanes) for part in contractions)
    plan = Plan(
        _algorithm(roles, contractions),
        str(tiling.tile),
        tuple(loops),
        first.extents,
        steps,
        sums,
        slides,
        panels,
        tiling.prefetch and fetches,
        rows,
        tiling.tuned,
    )
    return Planned(plan, group, space, tiling, machine, panels and fetches)


def _fetches_rows(roles: Roles, group: Group, space: Shape, tiling: Tiling, machine: Machine) -> bool:
    """Whether tiles fetch the rows of the next one: only if these are in memory, not computed by the kernel."""
    contractions = group.contractions()
    fetched = rows_ahead(tiling, space, contractions, 0, machine)
    if fetched is None:
        return False
    members = {member.node.id for member in group.members}
    position, _ = contractions[0].general_factors()[fetched.factor]
    return all(base.node not in members for base, _ in roles.bases(contractions[0].operands[position]))


def _sliding_steps(contractions: Sequence[ContractionPart], tiling: Tiling, machine: Machine) -> int:
    """How many steps of its sums a tile has with all taps of a filter's row; 0 if they do not slide."""
    taps, products = sliding_taps(contractions, tiling.row_axis, machine), len(contractions)
    rows = tiling.bands * tiling.rows
    if taps == 1 or not fits_sliding(rows, tiling.vectors, products, tiling.cells, taps, machine):
        return 0
    return sliding_steps(contractions[0].extents[-1], tiling.accumulators, taps, machine)


def described(roles: Roles, group: Group, algorithm: str, tiles: str, machine: Machine) -> Planned:
    """The plan of a kernel that is made elsewhere, of which its tiles are known in words."""
    contractions = group.contractions()
    extents = contractions[0].extents if contractions else ()
    return Planned(Plan(algorithm, tiles, terms=extents), group, group.space, None, machine)


def loop_axes(space: Shape, tiling: Tiling) -> list[int]:
    """The axes in the order of the loops over them, outermost first: of those that are not tiled, of columns, of
    rows."""
    last = len(space) - 1
    if last < 0:
        return []
    order = [axis for axis in range(last) if axis != tiling.row_axis]
    depth = len(order) if tiling.column_depth is None else tiling.column_depth
    rows = [] if tiling.row_axis is None else [tiling.row_axis]
    if tiling.rows_outermost:
        return [*order, *rows, last]
    return [*order[:depth], last, *order[depth:], *rows]


def _loop(space: Shape, axis: int, tiling: Tiling) -> Loop:
    if axis == len(space) - 1:
        return Loop("columns", axis, space[axis], tiling.columns_per_vector * tiling.vectors)
    if axis == tiling.row_axis:
        return Loop("rows", axis, space[axis], tiling.rows)
    return Loop("axis", axis, space[axis], tiling.bands if axis == tiling.band_axis else 1)


def _algorithm(roles: Roles, contractions: Sequence[ContractionPart]) -> str:
    part = contractions[0]
    if part.role != "product":
        return "reduction"
    source = roles.part(roles.unreshaped(part.operands[0]))
    if isinstance(source, TransformPart):
        return f"{source.op.algorithm(source.node.attrs)}, {part.node.op}"
    if len(part.extents) < 2:
        return part.node.op
    return f"{'1×1' if all(extent == 1 for extent in part.extents[:-1]) else 'direct'} {part.node.op}"


def _is_packed(roles: Roles, part: ContractionPart, lanes: int) -> bool:
    """Whether an operand lies in panels as wide as a vector: in memory it has an axis more than the product reads."""
    for operand, own in zip(part.operands[:2], part.types, strict=False):
        types = [roles.type(base) for base, _ in roles.bases(operand)]
        if any(type.rank > own.rank and type.shape[-1] == lanes for type in types):
            return True
    return False
