"""Draws networks over the whole language: small, of few layers, and of sizes that like to coincide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ..engines.blocks import as_block, repeated, used_again
from ..engines.given import cast_from, given_weights, port, with_names
from ..engines.layers import BY_RANK, GLOBAL, LAYERS, RECURRENT
from ..engines.sketch import POINTWISE, Signal, Sketch, Thrown
from ..engines.specs import SHARING, features, finish, frames, recurrences, share, windows
from ..engines.truncated import truncated
from ..machines import MACHINES

#: What a network's channels, axes and batch are drawn from: all the same, ones and twos, odd ones, anything.
PALETTES = (
    *((1,), (2,), (4,), (8,), (1, 2), (1, 4), (1, 2, 3), (3, 5, 7)),
    *((1, 2, 3, 4, 5, 8, 17), (2, 3, 4, 6, 9, 16)),
)
RANKED = {kind for kinds in BY_RANK.values() for kind in kinds} | {*RECURRENT, *GLOBAL, "embedding"}
#: Layers that read floats of any rank.
FREE = tuple(sorted(LAYERS.keys() - RANKED))
#: Layers by the ranks they can read, where `BY_RANK` does not say.
OWN: dict[int, tuple[str, ...]] = {
    3: (
        *("conv_transpose1d", "lp_pool1d", "scan_window", "time_distributed", "steps", "windows", "matmul"),
        *("spectrogram", "mel_spectrogram", "log_mel", "mfcc"),
    ),
    4: ("conv_transpose2d", "lp_pool2d", "scan_window", "time_distributed", "windows"),
    5: ("conv_transpose3d", "lp_pool3d"),
}
SPATIAL = (
    *GLOBAL,
    "global_lp_pool",
    "resize",
    "depth_to_space",
    "space_to_depth",
    "group_norm",
    "instance_norm",
)
#: What reads a single number.
NUMBERS = (
    *(*POINTWISE, "celu", "hard_sigmoid", "hard_swish", "mish", "scaled_tanh", "selu", "shrink", "softsign"),
    *("swish", "thresholded_relu", "affine", "prelu", "rescale", "dropout", "expression", "add", "multiply"),
)
#: What moves integers, too.
MOVING = ("reshape", "flatten", "transpose", "slice", "pad", "tile", "gather", "split", "concat")


@dataclass(frozen=True)
class Case:
    """A drawn network and how it is run."""

    spec: Mapping[str, Any]
    seed: int
    machine: str = "avx512"
    bindings: Sequence[Mapping[str, int]] = field(default_factory=lambda: [{}])

    def with_spec(self, spec: Mapping[str, Any]) -> Case:
        return Case(spec, self.seed, self.machine, self.bindings)


def draw(number: int, seed: int) -> Case:
    """The network of a number: the same for the same seed, whatever came before."""
    random = Random(f"{seed}/{number}")
    s = Sketch(Thrown(random), dtype=random.choice(("float64", "float64", "float64", "float32")))
    s.sizes = random.choice(PALETTES)
    grow = random.choices(tuple(FAMILIES), tuple(FAMILIES.values()))[0]
    if grow is anything and random.random() < 0.5:
        s.batch = random.choice(s.sizes)
        s.dims = {}
    grow(s)
    if not s.layers:  # none of those drawn fits
        finish(s, [grown(s, s.layer("relu", s.input(s.units())) or s.input(s.units()))])
    spec = s.spec()
    if random.random() < 0.25:
        spec.pop("train", None)
    settle_unread(spec)
    with_names(spec, random)
    return Case(spec, random.randrange(100), random.choice(tuple(MACHINES)), bindings(spec, random))


def bindings(spec: Mapping[str, Any], random: Random) -> list[dict[str, int]]:
    """Two choices of the open sizes: small ones, starting with the least."""
    found = []
    for _ in range(2):
        binding = {}
        for name, dim in spec.get("dims", {}).items():
            binding[name] = random.choice((1, 2, 3, 5)) if name == "N" else open_size(dim, random)
        found.append(binding)
    return found if found[0] != found[1] else found[:1]


def open_size(dim: Any, random: Random) -> int:
    written = dim if isinstance(dim, dict) else {}
    multiple = written.get("multiple_of", 1)
    least = -(-written.get("min", 1) // multiple) * multiple
    return min(
        least + multiple * random.choice((0, 0, 1, 2, 5)), written.get("max", 100) // multiple * multiple
    )


def settle_unread(spec: dict[str, Any]) -> None:
    """Drops dims that nothing has, such as the time axis of a sketch whose sequences came to nothing."""
    text = str({**spec, "dims": {}})
    spec["dims"] = {
        name: one for name, one in spec.get("dims", {}).items() if f"'{name}'" in text or name == "N"
    }
    if "N" in spec["dims"] and not any("N" in map(str, one["shape"]) for one in spec["inputs"].values()):
        del spec["dims"]["N"]
    if not spec["dims"]:
        del spec["dims"]


# -- growing ---------------------------------------------------------------------------------------------------------


def anything(s: Sketch) -> None:
    """Any layers in any order on one or two inputs; ends join in a loss where that is possible."""
    ends = [grown(s, source(s)) for _ in range(s.one_of(1, 1, 1, 2))]
    finish(s, ends)


def source(s: Sketch) -> Signal:
    """An input of two to five axes, sometimes of one, seldom a single number."""
    rank = s.one_of(2, 2, 3, 3, 3, 4, 4, 5, 1)
    if rank == 1:
        return s.scalar() if s.number(0, 3) == 0 else s.input()
    sizes: list[Any] = [s.one_of(*s.sizes, 1, 2, 4, 6) for _ in range(rank - 2)]
    lengths = None
    if sizes and s.number(0, 2) == 0:
        sizes[0] = "T"
        role = s.one_of("time", "size")
        limits = s.options(multiple_of=(None, None, None, 2, 4), max=(None, None, None, 11))
        s.dims.setdefault("T", {"role": role, "min": s.one_of(1, 1, 2, 5), **limits})
        if role == "time" and rank == 3 and s.number(0, 2) == 0 and s.dims["T"]["role"] == "time":
            lengths = s.input(dtype="int64", stem="len").name
    x = s.input(*sizes, s.units(), lengths=lengths)
    return cast_from(s, x) if lengths is None and s.number(0, 9) == 0 else x


def grown(s: Sketch, x: Signal) -> Signal:
    """Some layers on top of each other, of which some come several times or are a block."""
    first = len(s.layers)
    for _ in range(s.number(1, 4)):
        if x.type.dtype not in ("float32", "float64"):
            if not x.rank:
                break
            x = LAYERS[s.one_of(*MOVING)](s, x) or x
            continue
        kind = s.one_of(*kinds(s, x))
        made = LAYERS[kind](s, x)
        if made is None:
            continue
        if s.number(0, 5) == 0:
            port(s, made)
        if s.number(0, 7) == 0:
            made = repeated(s, made) or made
        elif s.number(0, 7) == 0:
            given_weights(s, made)
        if kind in SHARING and s.number(0, 5) == 0:
            share(s, x, made)
        x = made
    return enclosed(s, first, x) if s.number(0, 4) == 0 else x


def enclosed(s: Sketch, first: int, x: Signal) -> Signal:
    """The layers from the ``first`` on as a block, used once or several times."""
    use = as_block(s, s.number(first, max(first, len(s.layers) - 1)), x)
    if use is None:
        return x
    if s.flag():
        use = used_again(s, use) or use
    return repeated(s, use) or use if s.number(0, 2) == 0 else use


def kinds(s: Sketch, x: Signal) -> Sequence[str]:
    """Layers that may read a signal; those of its own rank half of the time."""
    if x.rank == 0:
        return NUMBERS
    own = (*BY_RANK.get(x.rank, ()), *OWN.get(x.rank, ()), *(SPATIAL if x.rank >= 3 else ()))
    own += RECURRENT if x.rank == 3 else ("dense", "dense", "embedding") if x.rank == 2 else ()
    return own if own and s.flag() else FREE


#: Families by how often one is drawn: recurrences take longest to compile.
FAMILIES: dict[Callable[[Sketch], None], float] = {
    anything: 8,
    features: 1,
    windows: 1,
    recurrences: 0.7,
    frames: 0.3,
    truncated: 0.5,
}
