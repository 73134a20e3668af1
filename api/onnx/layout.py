"""Finds the order of axes in which the network itself reads its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .arrange import channels_last

if TYPE_CHECKING:
    from .importing import Imported


def native_inputs(imported: Imported) -> dict[str, tuple[int, ...]]:
    """For each input that the network reads only in one other order of axes, that order."""
    native: dict[str, tuple[int, ...]] = {}
    layers = imported.tree["layers"]
    above = next(iter(imported.tree["inputs"]))
    read: dict[str, set[tuple[int, ...] | None]] = {}
    for layer in layers:
        inputs = layer.get("inputs", [above])
        order = _order(layer, imported.tree["inputs"].get(next(iter(inputs), "")))
        for ref in inputs.values() if isinstance(inputs, dict) else inputs:
            read.setdefault(ref, set()).add(order)
        above = layer["name"]
    for own, here in imported.inputs.items():
        orders = read.get(here, set())
        if len(orders) == 1 and (order := next(iter(orders))) is not None:
            native[own] = order
    return native


def _order(layer: Mapping[str, Any], read: Mapping[str, Any] | None) -> tuple[int, ...] | None:
    """The order of axes in which a layer reads an input; None if it is the same order, or anything but a reordering.
    With one channel it may be a reshape.
    """
    if layer["type"] == "transpose":
        return tuple(layer["permutation"])
    if layer["type"] == "reshape" and read is not None:
        last = channels_last(len(read["shape"]))
        if len(last) > 2 and layer["shape"] == [read["shape"][axis] for axis in last]:
            return last
    return None
