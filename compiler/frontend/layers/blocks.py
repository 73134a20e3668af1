"""Channels as space and space as channels: depth_to_space and space_to_depth."""

from __future__ import annotations

from netwright.specs.dims import DimLike, exact_div
from netwright.specs.models.layers import DepthToSpace, SpaceToDepth

from ..scope import Scope, Signal


def expand_depth_to_space(scope: Scope) -> Signal:
    """[N, *S, bⁿ·C] as [N, *b·S, C], for n spatial axes."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, DepthToSpace)
    scope.check_rank(signal, "[N, …, C]", signal.rank >= 3)
    block, spatial = spec.block_size, signal.rank - 2
    channels = scope.static(signal)
    rest, left_over = divmod(channels, block**spatial)
    if left_over:
        message = f"{channels} channels do not divide into blocks of {block**spatial}"
        raise scope.problem("NW0308", message, "block_size", labels=scope.blame(signal))
    batch, *sizes, _ = signal.shape
    blocks = (block,) * spatial
    first = 1 + spatial  # of the axes of a block
    if spec.mode == "dcr":
        split, channel = (*blocks, rest), 1 + 2 * spatial
    else:
        split, channel, first = (rest, *blocks), 1 + spatial, 2 + spatial
    order = [axis for i in range(spatial) for axis in (1 + i, first + i)]
    x = signal.tensor.reshape((batch, *sizes, *split)).transpose(0, *order, channel)
    return scope.give(x.reshape((batch, *(size * block for size in sizes), rest)))


def expand_space_to_depth(scope: Scope) -> Signal:
    """[N, *b·S, C] as [N, *S, bⁿ·C], for n spatial axes."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, SpaceToDepth)
    scope.check_rank(signal, "[N, …, C]", signal.rank >= 3)
    block, spatial = spec.block_size, signal.rank - 2
    channels = scope.static(signal)
    batch, *sizes, _ = signal.shape
    cells: list[DimLike] = []
    for axis, size in enumerate(sizes, 1):
        part = exact_div(size, block)
        if part is None:
            message = f"{size} cells do not divide into blocks of {block}"
            raise scope.problem("NW0308", message, "block_size", labels=scope.trace((signal, axis)))
        cells.append(part)
    split = [axis for part in cells for axis in (part, block)]
    order = [*range(1, 1 + 2 * spatial, 2), *range(2, 2 + 2 * spatial, 2)]
    x = signal.tensor.reshape((batch, *split, channels)).transpose(0, *order, 1 + 2 * spatial)
    return scope.give(x.reshape((batch, *cells, channels * block**spatial)))
