"""How shifts pass through operations that spread cells apart, interleave them, or weight them by a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import lcm

import numpy as np

from netwright.compiler.ops.views.interleave import InterleaveAttributes
from netwright.compiler.ops.views.slice_pad import PadAttributes
from netwright.specs.dims import Shape

from .motion import Broken, Motion, Move, Part, plain

#: The longest period of a weight pattern that is tried.
_LONGEST = 64


def spread(motion: Motion, attrs: PadAttributes, shape: Shape) -> Motion:
    """Cells spread apart, as in the gradient of a strided slice."""
    moves: dict[Part, Move] = {}
    for axis, (low, interior) in enumerate(zip(attrs.low, attrs.interior, strict=True)):
        if not motion.moving(axis):
            continue
        move = motion.collapsed(axis)
        if move is None or not isinstance(low, int):
            raise Broken("positions are taken apart and mixed")
        ratio = move.ratio / (interior + 1)
        moves[axis, 0] = Move(ratio, move.low - ratio * low, move.high - ratio * low)
    period = lcm(motion.period, *(move.ratio.numerator for move in moves.values()), 1)
    return replace(plain(shape), moves=moves, depends=motion.depends, whole=motion.whole, period=period)


def interleaved(operands: Sequence[Motion], attrs: InterleaveAttributes, shape: Shape) -> Motion:
    """Operands whose cells alternate. Those that depend on the input must move alike."""
    phases = list(np.ndindex(*attrs.strides))
    reached = [(phase, motion) for phase, motion in zip(phases, operands, strict=True) if motion.depends]
    result = plain(shape)
    moves: dict[Part, Move] = {}
    uniform = set(result.uniform)
    for axis, stride in enumerate(attrs.strides):
        if stride == 1 and all(motion.is_uniform(axis) for motion in operands):
            uniform.add((axis, 0))
        if not any(motion.moving(axis) for _, motion in reached):
            continue
        for phase, motion in reached:
            move = motion.collapsed(axis)
            if move is None:
                raise Broken("positions are taken apart and mixed")
            ratio = move.ratio / stride
            here = Move(ratio, move.low - ratio * phase[axis], move.high - ratio * phase[axis])
            known = moves.setdefault((axis, 0), here)
            if known.ratio != ratio:
                raise Broken("it joins what moves at different rates")
            moves[axis, 0] = known.joined(here)
    return replace(
        result,
        moves=moves,
        uniform=frozenset(uniform),
        depends=bool(reached),
        whole=any(motion.whole for motion in operands),
        period=lcm(*(motion.period for motion in operands)),
    )


def resampled(operands: Sequence[Motion], shape: Shape) -> Motion:
    """Weighted sums of cells of the middle axis. It moves if cells and weights follow a repeating pattern."""
    x, cells, weights = operands
    kept = {part: move for part, move in x.moves.items() if part[0] != 1}
    result = replace(
        x,
        parts=(x.parts[0], (shape[1],), x.parts[2]),
        moves=kept,
        uniform=frozenset(part for part in x.uniform if part[0] != 1)
        | {p for p in plain(shape).uniform if p[0] == 1},
        depends=any(motion.depends for motion in operands),
        array=None,
    )
    if not x.moving(1):
        return result
    move = x.collapsed(1)
    if move is None or cells.array is None or weights.array is None:
        raise Broken("it picks cells by their position")
    count = len(cells.array)
    positions = np.arange(count // 4, count - count // 4)
    for length in range(1, min(_LONGEST, len(positions) // 2) + 1):
        here, there = positions[:-length], positions[length:]
        steps = cells.array[there] - cells.array[here]
        same = np.allclose(weights.array[there], weights.array[here], rtol=0, atol=1e-6)
        if same and steps.min() == steps.max() > 0:
            break
    else:
        raise Broken("which cells it weighs, and how, follows no pattern that repeats")
    step = int(steps.max())
    rate = Fraction(step, length)
    offsets = [
        int(cell) - rate * int(position)
        for position in positions[:length]
        for cell, weight in zip(cells.array[position], weights.array[position], strict=True)
        if weight
    ]
    moved = Move(
        move.ratio * rate, move.low + move.ratio * min(offsets), move.high + move.ratio * max(offsets)
    )
    period = lcm(x.period, (move.ratio * step).numerator)
    return replace(result, moves={**kept, (1, 0): moved}, period=period)
