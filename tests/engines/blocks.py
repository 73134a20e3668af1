"""Drawn layers that become blocks and repetitions: what expansion has to write out as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .sketch import FITTING, Signal, Sketch

#: The keys of a layer under which names of layers, ports and inputs stand.
READING = ("inputs", "initial_state", "lengths", "weights", "share")
MOST_REPEATED = 3
#: Layers at positions for the size of their input: what they give has others.
POSITIONED = {"embedding", "gather_elements", "gather_nd", "scatter_nd"}
#: What layers that read several values may be refused for when they come again on what they gave: shapes that don't
#: go together, parameters of other shapes, one value per axis of a rank, positions past what is left.
AGAIN = FITTING | {"NW0204", "NW0208", "NW0302", "NW0303", "NW0306", "NW0312", "NW0316", "NW0511"}


def repeated(s: Sketch, made: Signal) -> Signal | None:
    """The last layer or use several times on top of itself; None, and once, where it does not fit."""
    last = s.layers[-1]
    ports = any(source.startswith(f"{made.name}.") for source in s.outputs.values())
    if last["name"] != made.name or ports or not repeats(s, last):
        return None
    last["repeat"] = s.number(1, MOST_REPEATED)
    type = s.fitting(made.name, AGAIN)
    if type is None:
        del last["repeat"]
        return None
    if s.flag():
        s.outputs[f"first_{made.name}"] = f"{made.name}.0"
    return s.known(made.name, type)


def repeats(s: Sketch, layer: dict[str, Any]) -> bool:
    """Whether a layer or use may read what it gave."""
    inner = s.blocks[layer["use"]]["layers"] if layer.get("use") in s.blocks else []
    names = {one["name"] for one in inner}
    given = any(one.get("type") == "scatter_elements" and one["inputs"][1] not in names for one in inner)
    return layer.get("type") != "constant" and not (
        given or any(one.get("type") in POSITIONED for one in [layer, *inner])
    )


def as_block(s: Sketch, first: int, made: Signal) -> Signal | None:
    """The layers from the ``first`` on as a block, used in their place; None where that can't be."""
    inner, outer = s.layers[first:], s.layers[:first]
    names = {layer["name"] for layer in inner}
    if made.name not in names or any(layer.get("share") in outside(s, outer) for layer in inner):
        return None
    block = f"block{len(s.blocks)}"
    read = list(dict.fromkeys(outer_names(inner, outside(s, outer))))
    if not read:
        return None
    renamed = {name: f"in{position}" for position, name in enumerate(read)}
    if len(read) == 1 and s.flag():
        renamed = {read[0]: "input"}
    layers = [reading(layer, lambda name: renamed.get(name, name)) for layer in inner]
    declared: dict[str, Any] = {}
    given = arguments(s, layers, declared)
    written: dict[str, Any] = {"layers": layers}
    if declared:
        written = {"args": declared, **written}
    if list(renamed.values()) != ["input"]:
        written["inputs"] = list(renamed.values())
    ports = {name: source for name, source in s.outputs.items() if source.split(".")[0] in names}
    if ports or layers[-1]["name"] != made.name or s.flag():
        written["outputs"] = {"made": made.name} | {f"port_{name}": source for name, source in ports.items()}
    use: dict[str, Any] = {"name": s.fresh("use"), "use": block, "inputs": read}
    if given:
        use["with"] = given
    s.blocks[block] = written
    s.layers = [*outer, use]
    for name in names:
        s.signals.pop(name, None)
    for name in [name for name in s.signals if name.split(".")[0] in names]:
        del s.signals[name]
    s.outputs |= {name: f"{use['name']}.port_{name}" for name in ports}
    type = s.fitting(use["name"])
    assert type == made.type, (type, made.type, use, written)
    return s.known(use["name"], made.type)


def used_again(s: Sketch, use: Signal) -> Signal | None:
    """The last use once more, on what it gave, with its parameters or with ones of its own."""
    last = s.layers[-1]
    if last["name"] != use.name or "repeat" in last or not repeats(s, last):
        return None
    again = {**last, "name": s.fresh("use"), "inputs": [use.name, *last["inputs"][1:]]}
    if s.flag():
        again["share"] = use.name
    s.layers.append(again)
    type = s.fitting(again["name"], AGAIN)
    if type is None:
        s.layers.pop()
        return None
    return s.known(again["name"], type)


def outside(s: Sketch, layers: Iterable[dict[str, Any]]) -> set[str]:
    return {*s.inputs, *(layer["name"] for layer in layers)}


def outer_names(layers: Iterable[dict[str, Any]], known: set[str]) -> list[str]:
    """What layers read from outside, in the order in which they read it."""
    found: list[str] = []

    def note(name: str) -> str:
        if name.split(".")[0] in known:
            found.append(name)
        return name

    for layer in layers:
        reading(layer, note)
    return found


def reading(layer: dict[str, Any], renamed: Callable[[str], str]) -> dict[str, Any]:
    """The layer with all that it reads renamed."""

    def other(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: other(one) for key, one in value.items()}
        if isinstance(value, list):
            return [other(one) for one in value]
        return renamed(value) if isinstance(value, str) else value

    return {key: other(value) if key in READING else value for key, value in layer.items()}


def arguments(s: Sketch, layers: list[dict[str, Any]], declared: dict[str, Any]) -> dict[str, Any]:
    """Puts arguments in the place of some numbers, and declares them; gives those without a default."""
    given: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or s.number(0, 2):
                continue
            name, type = f"arg{len(declared)}", "int" if isinstance(value, int) else "float"
            layer[key] = f"${name}"
            if s.flag():
                declared[name] = {"type": type, "default": value}
            else:
                declared[name], given[name] = type, value
    return given
