"""Networks that hold every layer type once: each reads the input, and all are outputs."""

from __future__ import annotations

from collections.abc import Sequence

from .layers import ANY, BY_RANK, GLOBAL, LAYERS, RECURRENT
from .sketch import Signal, Sketch
from .specs import finish, sequence


def each(s: Sketch, x: Signal, kinds: Sequence[str]) -> list[Signal]:
    """A layer of each type on ``x``; drawn again where its options do not fit."""
    found: list[Signal] = []
    for kind in kinds:
        made = next((one for _ in range(20) if (one := LAYERS[kind](s, x)) is not None), None)
        assert made is not None, f"no {kind} fits {x.shape}"
        found.append(made)
    return found


def feature_catalog(s: Sketch) -> None:
    """What reads floats of any rank, on vectors or sequences of them, and what reads or gives integers."""
    x = s.input(*s.one_of((6,), (3, 4)))
    finish(s, each(s, x, [*dict.fromkeys(ANY), "embedding"]))
    s.output(each(s, x, ["argmax"])[0])


def window_catalog(s: Sketch) -> None:
    """Convolutions and pools of all ranks."""
    s.dims["T"] = {"role": "time", "min": 5}
    ends: list[Signal] = []
    for sizes in (("T",), (6, 5), (5, 5, 4)):
        x = s.input(*sizes, s.one_of(2, 3))
        ends += each(s, x, [*BY_RANK[x.rank], s.one_of(*GLOBAL)])
    finish(s, ends)


def recurrent_catalog(s: Sketch) -> None:
    """All recurrent layers and global pools, on one sequence."""
    finish(s, each(s, sequence(s), [*RECURRENT, *GLOBAL]))
