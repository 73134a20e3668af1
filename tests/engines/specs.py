"""Strategies of whole specs, by family: small networks of several branches, with a training section on top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from . import objectives
from .harness import losses_of
from .layers import ANY, BY_RANK, GLOBAL, LAYERS, RECURRENT
from .sketch import Draw, Drawn, Signal, Sketch

Grow = Callable[[Sketch], None]
TRAINED = ("dense", "embedding", "conv1d", "conv2d", "conv3d", *RECURRENT)
SHARING = ("dense", "conv1d", "conv2d", "conv3d", "layer_norm", "rnn", "lstm", "gru", "recurrent")


def chain(s: Sketch, x: Signal, length: int, kinds: Callable[[Signal], Sequence[str]]) -> Signal:
    """Layers on top of each other; those that do not fit are left out."""
    for _ in range(length):
        if x.type.dtype not in ("float32", "float64"):
            break
        kind = s.one_of(*kinds(x))
        made = LAYERS[kind](s, x)
        if made is None:
            continue
        if kind in SHARING and s.number(0, 4) == 0:
            share(s, x, made)
        x = made
    return x


def share(s: Sketch, x: Signal, owner: Signal) -> None:
    """A second layer with the parameters of the last, on an input like the last's, and the sum of both."""
    written = s.layers[-1]
    if written["name"] != owner.name:
        return
    options = {key: value for key, value in written.items() if key not in ("name", "type", "inputs")}
    twin = s.layer("tanh", x)
    assert twin is not None
    sources = [twin, *(s.signals[name] for name in written["inputs"][1:])]
    made = s.layer(written["type"], sources, **options, share=owner.name)
    if made is not None:
        s.output(made)


# Families.


def feature_layers(x: Signal) -> Sequence[str]:
    return (*ANY, "dense", "dense", *(GLOBAL if x.rank >= 3 else ()))


def features(s: Sketch) -> None:
    """Dense layers, norms, activations, shapes and joins on vectors and sequences of vectors."""
    width = s.one_of(1, 2, 3, 4, 7, 16)
    x = s.input(width, dtype=s.one_of(None, None, "uint8"))
    if x.type.dtype == "uint8":
        x = s.layer("rescale", x, scale=0.25) or x
    ends = [chain(s, x, s.number(2, 4), feature_layers)]
    shape = [s.one_of("T", 3), width]
    if "T" in shape:
        s.dims["T"] = "time"
    y = s.input(*shape)
    ends.append(chain(s, y, s.number(1, 3), feature_layers))
    if s.flag():
        rows = LAYERS["embedding"](s, y)
        assert rows is not None
        ends.append(chain(s, rows, s.number(0, 2), feature_layers))
    finish(s, ends)


def window_layers(x: Signal) -> Sequence[str]:
    own = BY_RANK.get(x.rank, ())
    return (*own, *own, *own, *(GLOBAL if x.rank >= 3 else ()), *ANY)


def windows(s: Sketch) -> None:
    """Convolutions and pools in one, two and three dimensions."""
    ends: list[Signal] = []
    rank = s.one_of(1, 2, 2, 3)
    for number in range(s.number(1, 2)):
        sizes: list[Any] = [s.number(3, 4 if rank == 3 else 8) for _ in range(rank)]
        if rank == 1 and (number or s.flag()):
            sizes = ["T"]
            s.dims.setdefault("T", {"role": "time", "min": s.number(1, 7)})
        if rank == 2 and s.number(0, 4) == 0:
            sizes[s.number(0, 1)] = "W"
            s.dims.setdefault("W", {"min": s.number(3, 6)})
        x = s.input(*sizes, s.one_of(1, 2, 3, 4, 6))
        own = BY_RANK[rank + 2]
        first = LAYERS[s.one_of(*own)](s, x) or x
        ends.append(chain(s, first, s.number(1, 3), window_layers))
    finish(s, ends)


def recurrent_layers(x: Signal) -> Sequence[str]:
    if x.rank == 3:
        return (
            *RECURRENT,
            *RECURRENT,
            "dense",
            "conv1d",
            "layer_norm",
            "batch_norm",
            "dropout",
            "standardize",
        )
    return feature_layers(x)


def sequence(s: Sketch) -> Signal:
    """An input [N, T, F], perhaps with lengths."""
    steps = s.one_of("T", "T", "T", 3)
    if steps == "T":
        s.dims["T"] = s.one_of("time", {"role": "time", "min": 2})
    lengths = s.input(dtype="int64", stem="len").name if s.number(0, 2) == 0 else None
    return s.input(steps, s.one_of(1, 2, 3, 5), lengths=lengths)


def recurrences(s: Sketch) -> None:
    """Recurrent layers of all kinds, and what stands between them."""
    x = sequence(s)
    ends = []
    for _ in range(s.number(1, 2)):
        first = LAYERS[s.one_of(*RECURRENT)](s, x) or x
        ends.append(chain(s, first, s.number(0, 2), recurrent_layers))
    finish(s, ends)


def frames(s: Sketch) -> None:
    """Images along time: every step through convolutions, then recurrence."""
    s.dims["T"] = "time"
    size, channels = s.one_of(4, 5), s.one_of(1, 2)
    x = s.input("T", size, size, channels)
    y = s.layer("reshape", x, shape=["N*T", size, size, channels])
    assert y is not None
    y = chain(s, y, s.number(1, 3), lambda x: (*BY_RANK[4], *BY_RANK[4], "batch_norm", "relu", "dropout"))
    y = s.layer("flatten", y)
    z = s.layer("reshape", y, shape=["N", "T", y.shape[1]]) if y else None
    assert z is not None
    finish(s, [chain(s, z, s.number(1, 2), lambda x: RECURRENT if x.rank == 3 else ("dense",))])


# The end.


def finish(s: Sketch, ends: Sequence[Signal]) -> None:
    """Outputs, and a loss over one of them or over all joined."""
    for end in ends:
        s.output(end)
    floats = [end for end in ends if end.type.dtype == s.dtype]
    if not floats:
        x = next(iter(float_inputs(s)))
        floats = [s.output(LAYERS["dense"](s, x) or x)]
    if s.number(0, 2) == 0:
        classes(s, floats)
    joined = joined_head(s, floats) if s.number(0, 2) else None
    lost = joined or floats[0]
    written = [*s.layers, *(layer for block in s.blocks.values() for layer in block["layers"])]
    if lost.rank and 0 not in lost.shape and any(kind.get("type") in TRAINED for kind in written):
        loss(s, lost)
        if "NW0410" in s.errors():  # something on the way has no gradient
            scatter_sums(s)
        if s.errors() & {"NW0409", "NW0410"}:  # nor has what no parameter of ours can change
            s.train = None


def scatter_sums(s: Sketch) -> None:
    """Writes sums instead of the products and extremes of scattered updates, which have no gradient."""
    for layers in (s.layers, *(block["layers"] for block in s.blocks.values())):
        for layer in layers:
            if layer.get("reduction") in ("mul", "min", "max"):
                layer["reduction"] = "add"


def float_inputs(s: Sketch) -> list[Signal]:
    return [one for one in s.signals.values() if one.type.dtype == s.dtype]


def classes(s: Sketch, ends: Sequence[Signal]) -> None:
    found = LAYERS["argmax"](s, ends[0])
    if found is not None:
        s.output(found)


def joined_head(s: Sketch, ends: Sequence[Signal]) -> Signal | None:
    """All ends as vectors, side by side, under a dense layer."""
    vectors = [one for end in ends if (one := as_vector(s, end)) is not None]
    if not vectors:
        return None
    joined = vectors[0] if len(vectors) == 1 else s.layer("concat", vectors)
    head = s.layer("dense", joined, units=s.number(2, 4)) if joined else None
    return s.output(head) if head else None


def as_vector(s: Sketch, x: Signal) -> Signal | None:
    if x.rank == 0 or str(x.shape[0]) != str(s.batch):
        return None
    if x.rank == 2:
        return x if x.static else None
    if x.static and s.flag() and (flat := s.layer("flatten", x)) is not None:
        return flat
    return s.layer(s.one_of(*GLOBAL), x) if isinstance(x.shape[-1], int) else None


def loss(s: Sketch, output: Signal) -> None:
    """A training section: any losses that suit the output, any optimizer."""
    s.train = {
        "data": {"train": "none.npz"},
        **objectives.train(s, output),
        "optimizer": optimizer(s),
        **s.options(clip_norm=(None, None, 0.5), seed=(None, 3)),
    }
    last = any(one.get("steps") == "last" for one in losses_of({"train": s.train}))
    if s.dims.get("T") is not None and not last and s.number(0, 2) == 0:
        truncate(s)
    checkpoint(s)
    if s.number(0, 4) == 0:
        freeze(s)
    group = {"parameters": ["*"], "rate_factor": 0.5, "weight_decay": 0.05}
    s.train |= s.options(
        accumulate=(None, None, None, 2),
        ema=(None, None, None, {"decay": 0.9}),
        parameter_groups=(None, None, None, [group]),
    )


def freeze(s: Sketch) -> None:
    """Freezes some parameters, where there are such and others besides."""
    assert s.train is not None
    s.train["freeze"] = [s.one_of("*.bias", "*.kernel", "*.mean", "*.gamma")]
    if s.errors() & {"NW0409", "NW0412"}:
        del s.train["freeze"]


def truncate(s: Sketch) -> None:
    """Cuts what is trained on into windows, where that can be: data sets are of samples."""
    assert s.train is not None
    if any(one["shape"][:1] != [s.batch] for one in s.inputs.values()):
        return
    dim = s.dims["T"] if isinstance(s.dims["T"], dict) else {}
    multiple = dim.get("multiple_of", 1)
    size = -(-dim.get("min", 1) // multiple) * multiple + multiple * s.number(0, 3)
    s.train["bptt"] = {"window": size, **s.options(carry_state=(None, True, False))}
    if "NW0408" in s.errors():  # something on the way stands for a whole sequence
        del s.train["bptt"]


def checkpoint(s: Sketch) -> None:
    """Has recurrences keep some of their states only, where there are recurrences."""
    assert s.train is not None
    if not any(layer.get("type") in RECURRENT for layer in s.layers):
        return
    steps = s.one_of(None, None, 1, 2, 3, "auto")
    if steps is not None:
        s.train["bptt"] = {**s.train.get("bptt", {}), "checkpoint": steps}


def optimizer(s: Sketch) -> dict[str, Any]:
    """Epsilons are large: a gradient that is zero but for rounding makes a step of any direction otherwise."""
    kind = s.one_of("sgd", "adam", "adamw", "rmsprop")
    rates: list[Any] = [0.05, {"type": "step", "initial": 0.1, "every": 1, "factor": 0.5}]
    rates.append({"type": "plateau", "initial": 0.05})
    rates.append(
        {"type": "cosine", "initial": 0.1, "steps": 3, "warm_up": 1, **s.options(final=(None, 0.01))}
    )
    rates.append({"type": "constant", "initial": 0.1, "warm_up": 2})
    found: dict[str, Any] = {"type": kind, "learning_rate": s.one_of(*rates)}
    found |= s.options(weight_decay=(None, 0.1))
    if kind in ("sgd", "rmsprop"):
        found["momentum"] = s.one_of(0.0, 0.8)
    if kind == "sgd" and found["momentum"]:
        found["nesterov"] = s.flag()
    if kind != "sgd":
        found["epsilon"] = 0.01
    if kind in ("adam", "adamw"):
        found |= s.options(beta_1=(None, 0.5, 0.0), beta_2=(None, 0.9))
    if kind == "rmsprop":
        found |= s.options(rho=(None, 0.5))
    return found


@st.composite
def specs(draw: Draw, family: Grow, dtype: str = "float64") -> dict[str, Any]:
    """A spec of a family."""
    s = Sketch(Drawn(draw), dtype=dtype)
    family(s)
    return s.spec()
