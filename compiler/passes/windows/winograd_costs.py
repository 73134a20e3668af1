"""Estimates what a 3×3 convolution costs directly and by tiles, to choose the faster.

The unit is the time in which a core multiplies and adds one vector. The model counts arithmetic, the bytes of what is
kept between the stages, and the weights, which come from beyond the core's caches where they do not fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from netwright.specs.dims import DimLike, dim_symbols, evaluate

from ...machine import Machine
from ...ops.windows.winograd import DATA_WORK, POINTS, RESULT_WORK, TAPS

#: With fewer channels, transforms cost more than products save.
FEWEST_CHANNELS = 16
#: Fewer rows than this leave a tile's accumulators unused, so that products take as long as if there were so many.
FULL_ROWS = 8
#: What an estimate has to save to be believed.
LEAST_GAIN = 1.15
#: Images are assumed to have so many rows and columns where these are open.
USUAL_SIZE = 56
#: How long moving one vector takes: to or from the core's own L2 cache, to or from beyond it, and of weights, which
#: nothing has read since the call before.
NEAR, FAR, WEIGHTS = 4.0, 10.0, 20.0
#: Additions of a transform take longer than products: each loads or stores something, and they wait for each other.
TRANSFORM = 2.0
#: What it takes to call two kernels more.
CALLS = 10_000.0
#: The tiles of training: their errors are hardly larger than those of direct convolutions.
TRAINED = 2


@dataclass(frozen=True, slots=True)
class Images:
    """A convolution's work: ``samples`` of ``rows`` × ``columns`` results, from ``c_in`` to ``c_out`` channels.
    ``together``: whether the tiles of all samples are the rows of one product.
    """

    samples: int
    rows: int
    columns: int
    c_in: int
    c_out: int
    together: bool = True

    @classmethod
    def of(cls, samples: DimLike, rows: DimLike, columns: DimLike, c_in: int, c_out: int) -> Images:
        """Sizes that may be open: one sample, and images of usual size."""
        open_rows = {name: USUAL_SIZE for size in (rows, columns) for name in dim_symbols(size)}
        names = {**dict.fromkeys(dim_symbols(samples), 1), **open_rows}
        n, height, width = (evaluate(size, names) for size in (samples, rows, columns))
        return cls(max(1, n), height, width, c_in, c_out, isinstance(samples, int))


def best_tile(images: Images, machine: Machine, *, training: bool = False) -> tuple[int | None, str]:
    """The size of the tiles to compute the convolution by, None for directly; and why. In training, errors add up from
    layer to layer and back, and memory is short: there tiles are small, and are computed block by block."""
    reason = obstacle(images, machine)
    if reason is not None:
        return None, reason
    if min(images.c_in, images.c_out) < FEWEST_CHANNELS:
        few = min(images.c_in, images.c_out)
        return None, f"{few} channel{'s are' if few > 1 else ' is'} too few to pay for transforms"
    if training and not _in_blocks(images, TRAINED, machine):
        return None, "what is between its kernels would take memory beside all that a training keeps"
    direct = direct_cost(images, machine)
    costs = {tile: tiled_cost(images, tile, machine) for tile in ((TRAINED,) if training else POINTS)}
    tile = min(costs, key=lambda size: costs[size])
    gain = direct / costs[tile]
    if gain < LEAST_GAIN:
        return None, f"F({tile}, 3) would take {1 / gain:.0%} of a direct convolution's time"
    return tile, f"some {gain:.1f} times as fast as directly"


def obstacle(images: Images, machine: Machine) -> str | None:
    """Why the convolution cannot be computed by tiles; None if it can."""
    if machine.lanes("float32") < 4:
        return "the machine has no vectors"
    if images.rows < 1 or images.columns < 1:
        return "its images may be empty"
    return None


def direct_cost(images: Images, machine: Machine) -> float:
    """The cost of the direct convolution."""
    cells = images.samples * images.rows * images.columns
    products = TAPS**2 * cells * images.c_in * _vectors(images.c_out, machine)
    return products + _weights(TAPS**2, images, machine)


def tiled_cost(images: Images, tile: int, machine: Machine) -> float:
    """The cost of the convolution by tiles of ``tile`` × ``tile`` results."""
    cells = tile + TAPS - 1
    per_image = -(-images.rows // tile) * -(-images.columns // tile)
    tiles = images.samples * per_image
    into, out = _vectors(images.c_in, machine), _vectors(images.c_out, machine)
    rows = tiles if images.together else per_image
    full = max(rows, FULL_ROWS) / rows
    products = cells**2 * tiles * images.c_in * out * full
    arithmetic = DATA_WORK[tile] * 2 * cells * into + RESULT_WORK[tile] * (cells + tile) * out
    per_tile = cells**2 * (into + out)
    moved = tiles * per_tile * 2 * (NEAR if _stays(images, tile, machine) else FAR)
    weights = _weights(cells**2, images, machine)
    return products + weights + TRANSFORM * tiles * arithmetic + moved + CALLS


def _stays(images: Images, tile: int, machine: Machine) -> bool:
    """Whether what is between the kernels stays in the core's own caches: all of it, or block by block (see
    ``lowering.blocks``)."""
    whole = images.samples * _between(images, tile, machine)
    return whole <= machine.l2_bytes or _in_blocks(images, tile, machine)


def _in_blocks(images: Images, tile: int, machine: Machine) -> bool:
    """Whether lowering runs the kernels block by block, and a block's weights stay in the core's own caches."""
    out = _vectors(images.c_out, machine)
    weights = 4 * machine.lanes("float32") * (tile + TAPS - 1) ** 2 * images.c_in * out
    return max(weights, machine.block_bytes) <= min(_between(images, tile, machine), machine.l2_bytes)


def _between(images: Images, tile: int, machine: Machine) -> int:
    """The bytes between the kernels for one image."""
    vectors = _vectors(images.c_in, machine) + _vectors(images.c_out, machine)
    cells = (tile + TAPS - 1) ** 2 * -(-images.rows // tile) * -(-images.columns // tile)
    return 4 * machine.lanes("float32") * cells * vectors


def _weights(taps: int, images: Images, machine: Machine) -> float:
    """The cost of reading the weights from beyond the caches, if they do not fit."""
    count = taps * images.c_in * _vectors(images.c_out, machine)
    return 0.0 if 4 * count * machine.lanes("float32") <= machine.l2_bytes else WEIGHTS * count


def _vectors(channels: int, machine: Machine) -> int:
    return -(-channels // machine.lanes("float32"))
