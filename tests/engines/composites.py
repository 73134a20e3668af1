"""How layers are drawn that hold other layers, or come in pairs: windows and steps taken apart and put together."""

from __future__ import annotations

from typing import Any

from .sketch import POINTWISE, Add, Signal, Sketch, per_axis


def inner(s: Sketch, x: Signal) -> list[dict[str, Any]]:
    """A sub-network that gives a vector, for windows or steps of two or more axes."""
    layers: list[dict[str, Any]] = []
    if x.rank == 3 and s.flag():
        layers.append({"name": "conv", "type": "conv1d", "filters": s.one_of(1, 2, 3), "kernel_size": 1})
    if s.flag():
        layers.append({"name": "act", "type": s.one_of(*POINTWISE)})
    layers.append({"name": "flat", "type": s.one_of("flatten", "global_mean_pool", "global_max_pool")})
    layers.append({"name": "score", "type": "dense", "units": s.units()})
    return layers


def held(s: Sketch, layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Layers written in place, or as a block that is used."""
    if s.flag():
        return {"layers": layers}
    name = f"block{len(s.blocks)}"
    dense = layers[-1]
    arguments = {"width": dense["units"]}
    s.blocks[name] = {"args": {"width": "int"}, "layers": [*layers[:-1], {**dense, "units": "$width"}]}
    return {"use": name, "with": arguments}


def scanned(s: Sketch, x: Signal) -> dict[str, Any] | None:
    """Window and stride for the spatial axes."""
    if x.rank not in (3, 4):
        return None
    window = per_axis(s, x.rank - 2, 1, 2, 3)
    return {"window": window, "stride": s.one_of(None, per_axis(s, x.rank - 2, 1, 2))}


def combined(s: Sketch) -> str | None:
    return s.one_of(None, "max", "mean", "softmax", "logistic", "none")


def scan_window(s: Sketch, x: Signal) -> Signal | None:
    options = scanned(s, x)
    if options is None:
        return None
    blocks = dict(s.blocks)
    made = s.layer("scan_window", x, **options, combine=combined(s), **held(s, inner(s, x)))
    if made is None:
        s.blocks = blocks
    return made


def windows(s: Sketch, x: Signal) -> Signal | None:
    """Cut apart, a layer on top, and put together; or the windows alone."""
    options = scanned(s, x)
    cut = s.layer("windows", x, **options) if options else None
    if cut is None or s.number(0, 3) == 0:
        return cut
    score = s.layer(s.one_of("global_max_pool", "global_mean_pool", "flatten"), cut)
    assert options is not None
    return s.layer("combine_windows", [score, x], **options, combine=combined(s)) if score else None


def steps(s: Sketch, x: Signal) -> Signal | None:
    """Taken apart, a layer on top, and joined; or the steps alone."""
    if x.rank < 3:
        return None
    each = s.layer("steps", x)
    if each is None or s.number(0, 3) == 0:
        return each
    score = s.layer("dense", each, units=s.units()) if each.static else None
    return s.layer("join_steps", [score or each, x])


def time_distributed(s: Sketch, x: Signal) -> Signal | None:
    if x.rank < 3:
        return None
    blocks = dict(s.blocks)
    if x.rank == 3:
        options = {
            "layer": s.one_of({"type": "dense", "units": s.units()}, {"type": "tanh"}, {"type": "softmax"})
        }
    elif x.rank == 4 and s.flag():
        convolution = {"type": "conv1d", "filters": s.one_of(1, 2), "kernel_size": s.one_of(1, 2)}
        last = {"type": s.one_of("rnn", "lstm", "gru"), "units": s.units(), "return_sequences": False}
        options = {"layer": s.one_of(convolution, last, {**last, "return_sequences": True})}
    else:
        options = held(s, inner(s, Signal(x.name, x.type.with_shape(x.shape[1:]))))
    made = s.layer("time_distributed", x, **options)
    if made is None:
        s.blocks = blocks
    return made


def nll_loss(s: Sketch, x: Signal) -> Signal | None:
    """Of the log-probabilities of ``x``, with the classes that another layer likes best."""
    scores = s.layer("log_softmax", x)
    classes = s.layer(s.one_of("argmin", "argmax"), x)
    if scores is None or classes is None:
        return None
    options = s.options(reduction=(None, "none", "sum", "mean"), ignore_index=(None, None, 0))
    return s.layer("nll_loss", [scores, classes], **options)


def constant(s: Sketch, x: Signal) -> Signal | None:
    """Numbers for the last axis, added to ``x``."""
    last = x.shape[-1]
    if not isinstance(last, int):
        return None
    made = s.constant([last], trainable=s.flag())
    return s.layer("expression", x, value="a + 0.5 * b", names={"a": x.name, "b": made.name})


COMPOSITES: dict[str, Add] = {
    "scan_window": scan_window,
    "windows": windows,
    "steps": steps,
    "time_distributed": time_distributed,
    "nll_loss": nll_loss,
    "constant": constant,
}
