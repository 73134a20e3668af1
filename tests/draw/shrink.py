"""Makes a failing network smaller: whatever can be left out, or be a smaller number, while it fails the same way."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..engines.harness import losses_of
from .networks import settle_unread

Spec = dict[str, Any]
SECONDS = 120.0


def shrink(spec: Mapping[str, Any], fails: Callable[[Spec], bool], seconds: float = SECONDS) -> Spec:
    """The smallest spec found in some time that still ``fails``."""
    best, end = copy.deepcopy(dict(spec)), time.monotonic() + seconds
    progress = True
    while progress:
        progress = False
        for smaller in candidates(best):
            if time.monotonic() > end:
                return best
            if smaller != best and fails(smaller):
                best, progress = smaller, True
                break
    return best


def candidates(spec: Spec) -> Iterator[Spec]:
    """Smaller specs, the smallest first; many are not valid, which is not the same failure."""
    yield from (
        tidied({key: one for key, one in spec.items() if key != "train"}) for _ in range("train" in spec)
    )
    if len(losses_of(spec)) > 1:
        yield from (changed(spec, ("train", "loss"), loss) for loss in losses_of(spec))
    for name in spec["outputs"]:
        if len(spec["outputs"]) > 1 and not any(name in str(loss) for loss in losses_of(spec)):
            yield tidied(
                {**spec, "outputs": {key: one for key, one in spec["outputs"].items() if key != name}}
            )
    for position, layer in enumerate(spec["layers"]):
        for source in sources(layer):
            yield tidied(without(spec, position, source))
    for position, layer in enumerate(spec["layers"]):
        for key in layer.keys() - {"name", "type", "inputs"}:
            yield changed(spec, ("layers", position, key), None)
    for key in spec.get("train", {}).keys() - {"data", "loss"}:
        yield changed(spec, ("train", key), None)
    for path, number in numbers(spec):
        for less in (1, 2, number // 2, number - 1):
            if 0 < less < number:
                yield changed(spec, path, less)


def sources(layer: Mapping[str, Any]) -> list[str]:
    read = layer.get("inputs", [])
    return list(read.values()) if isinstance(read, dict) else list(read)


def without(spec: Spec, position: int, source: str) -> Spec:
    """The spec whose layer at ``position`` is gone, and what read it reads ``source``."""
    gone = spec["layers"][position]["name"]

    def moved(name: Any) -> Any:
        return source if isinstance(name, str) and name.split(".")[0] == gone else name

    layers = []
    for layer in spec["layers"][:position] + spec["layers"][position + 1 :]:
        read = layer.get("inputs", [])
        read = {k: moved(v) for k, v in read.items()} if isinstance(read, dict) else [moved(v) for v in read]
        layers.append({**layer, "inputs": read} if read else layer)
    return {**spec, "layers": layers, "outputs": {key: moved(one) for key, one in spec["outputs"].items()}}


def tidied(spec: Spec) -> Spec:
    """Without layers, inputs, cells, blocks and dims that nothing reads."""
    spec = copy.deepcopy(spec)
    while True:
        text = str([spec["outputs"], [{**layer, "name": ""} for layer in spec["layers"]], spec.get("train")])
        read = set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())
        kept = [layer for layer in spec["layers"] if layer["name"] in read]
        if len(kept) == len(spec["layers"]):
            break
        spec["layers"] = kept
    read |= {one["lengths"] for one in spec["inputs"].values() if "lengths" in one}
    first = next(iter(spec["inputs"]))
    spec["inputs"] = {name: one for name, one in spec["inputs"].items() if name in read} or {
        first: spec["inputs"][first]
    }
    for section in ("cells", "blocks"):
        if section in spec:
            spec[section] = {name: one for name, one in spec[section].items() if name in read}
            if not spec[section]:
                del spec[section]
    settle_unread(spec)
    return spec


def changed(spec: Spec, path: tuple[Any, ...], value: Any) -> Spec:
    """The spec with another value at ``path``; None takes the key out."""
    spec = copy.deepcopy(spec)
    at: Any = spec
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return spec


def numbers(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], int]]:
    """All whole numbers above 1, with where they stand."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from numbers(value, (*path, key))
    elif isinstance(node, list):
        for key, value in enumerate(node):
            yield from numbers(value, (*path, key))
    elif isinstance(node, int) and not isinstance(node, bool) and node > 1:
        yield path, node
