"""What any layer can have: parameters that others compute, ports as outputs, variables and defaults for its keys."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from netwright.compiler.frontend.build import build_network
from netwright.compiler.graph.types import TensorType
from netwright.specs.load import load_spec_text

from .sketch import Signal, Sketch, as_text

#: Ports beside the output, by layer type.
PORTS = {
    "layer_norm": ("mean", "inv_stddev"),
    "attention": ("weights",),
    "multi_head_attention": ("weights",),
    **{f"max_pool{rank}d": ("indices",) for rank in (1, 2, 3)},
}


def given_weights(s: Sketch, made: Signal) -> None:
    """One parameter of the last layer becomes an input, or another layer's array that is learned."""
    last = s.layers[-1]
    if last["name"] != made.name or "share" in last:
        return
    network, _ = build_network(load_spec_text(as_text(s.spec({"probe": made.name}, None)), "spec.json"))
    assert network is not None
    found = [one for one in network.parameters.values() if one.layer == made.name and one.kind == "parameter"]
    if not found:
        return
    parameter = s.one_of(*found)
    shape = [int(size) for size in parameter.type.shape if isinstance(size, int)]
    before = (len(s.layers), dict(s.inputs))
    if s.flag():
        name = s.fresh("w")
        s.inputs[name] = {"shape": shape, "dtype": s.dtype}
    else:
        name = s.fresh("con")
        init = "glorot_uniform" if len(shape) > 1 else "ones"
        table = {"name": name, "type": "constant", "shape": shape, "dtype": s.dtype, "init": init}
        s.layers.insert(-1, {**table, "trainable": True})
    last["weights"] = {parameter.name.removeprefix(f"{made.name}."): name}
    if s.fitting(made.name, GIVEN) is None:
        del last["weights"], s.layers[before[0] - 1 : -1]
        s.inputs = before[1]


#: What a layer may refuse computed parameters for.
GIVEN = {"NW0311", "NW0312", "NW0319", "NW0320"}


def port(s: Sketch, made: Signal) -> None:
    """Makes another result of the last layer an output."""
    last = s.layers[-1]
    if last["name"] == made.name and last.get("type") in PORTS:
        name = s.one_of(*PORTS[last["type"]])
        s.outputs[f"{name}_{made.name}"] = f"{made.name}.{name}"


def cast_from(s: Sketch, x: Signal) -> Signal:
    """The input ``x`` in the other float type, and cast before anything reads it."""
    other = "float32" if s.dtype == "float64" else "float64"
    s.inputs[x.name]["dtype"] = other
    s.signals[x.name] = Signal(x.name, TensorType(other, x.shape))
    s.explicit = True
    made = s.layer("expression", x, {"a": x.name}, value=f"cast(a, {s.dtype})")
    assert made is not None
    return made


def with_names(spec: dict[str, Any], random: Random) -> None:
    """A number becomes a variable, a key that all layers of a type have alike a default."""
    layers = [one for one in spec["layers"] if "type" in one]
    numbers = [(one, key) for one in layers for key, value in one.items() if type(value) is int]
    if numbers and random.random() < 0.2:
        layer, key = random.choice(numbers)
        spec["vars"] = {"size": layer[key]}
        layer[key] = "$size"
    if "blocks" in spec or random.random() > 0.2 or any("layers" in one or "layer" in one for one in layers):
        return
    counts = Counter(one["type"] for one in layers)
    kind = random.choice(sorted(counts))
    own = [one for one in layers if one["type"] == kind]
    plain = own[0].keys() - {
        "name",
        "type",
        "inputs",
        "share",
        "weights",
        "repeat",
        "initial_state",
        "lengths",
    }
    same = sorted(key for key in plain if all(one.get(key) == own[0][key] for one in own))
    if same:
        key = random.choice(same)
        spec["defaults"] = {kind: {key: own[0][key]}}
        for one in own:
            del one[key]
