"""Networks that give an answer at each step, trained over windows of their sequences, from one of which states go on to
the next."""

from __future__ import annotations

from .harness import losses_of
from .layers import LAYERS, RECURRENT
from .sketch import Signal, Sketch
from .specs import checkpoint, loss, sequence, truncate

#: What stands between recurrent layers, step by step or looking around.
BETWEEN = (
    "dense",
    "conv1d",
    "layer_norm",
    "batch_norm",
    "dropout",
    "tanh",
    "time_distributed",
    "cumulative_sum",
)


def truncated(s: Sketch) -> None:
    """Recurrent layers under a dense layer at each step."""
    x = sequence(s)
    while not isinstance(s.dims.get("T"), str | dict):  # a sequence of so many steps has no windows
        x = sequence(s)
    for _ in range(s.number(1, 2)):
        x = steps_of(s, LAYERS[s.one_of(*RECURRENT)](s, x), x)
        if s.flag():
            x = steps_of(s, LAYERS[s.one_of(*BETWEEN)](s, x), x)
    head = s.layer("dense", x, units=s.number(1, 4))
    assert head is not None
    loss(s, s.output(head))
    if s.train is None or "NW0410" in s.errors():
        s.train = None
        return
    for one in losses_of({"train": s.train}):
        one.pop("steps", None)
    s.train.pop("bptt", None)
    truncate(s)
    checkpoint(s)


def steps_of(s: Sketch, made: Signal | None, x: Signal) -> Signal:
    """What a layer made of ``x`` where it has the same steps, else ``x``."""
    if made is not None and made.rank == 2 and s.layers[-1].get("return_sequences") is False:
        del s.layers[-1]["return_sequences"]
        type = s.fitting(made.name)
        made = s.known(made.name, type) if type else None
    return made if made is not None and made.rank == 3 and made.shape[:2] == x.shape[:2] else x
