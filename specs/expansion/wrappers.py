"""Layers that contain layers: `scan_window` and `time_distributed` become a layer that opens, the layers inside, and a
layer that closes.

The first turns windows or steps into samples, the last puts the results back in their places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..models.base import is_name
from ..models.layers.scan_window import ScanWindow
from ..models.layers.time_distributed import TimeDistributed
from ..source.derived import entry_as, mapping, without
from ..source.tree import Entry, SourceNode
from .placement import NOTHING, Alias, Group, Placement

if TYPE_CHECKING:
    from .expand import Place, SpecExpander


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A layer type that contains layers: the names and types of the layers that open and close it, their common keys,
    and the keys of the closing one alone.
    """

    spec: type[ScanWindow | TimeDistributed]
    opens: tuple[str, str]
    closes: tuple[str, str]
    both: tuple[str, ...] = ()
    last: tuple[str, ...] = ()


WRAPPERS = {
    "scan_window": Wrapper(
        ScanWindow,
        ("windows", "windows"),
        ("combined", "combine_windows"),
        ("window", "stride"),
        ("combine", "expect"),
    ),
    "time_distributed": Wrapper(
        TimeDistributed, ("steps", "steps"), ("joined", "join_steps"), (), ("expect",)
    ),
}
_HELD = ("layers", "layer")


def write_out(
    expander: SpecExpander,
    wrapper: Wrapper,
    node: SourceNode,
    full: str | None,
    place: Place,
    placement: Placement,
) -> None:
    """Adds the layers that a wrapper expands to."""
    result, kind = expander.result, str(node.value["type"])
    failures = expander.substitution.failures
    own = expander.defaults_of(kind, place)
    plain = node
    for key in (*_HELD, "repeat"):
        plain = without(plain, key)
    usual = {key: entry for key, entry in own.items() if key not in _HELD}
    header = expander.substitution.copy(
        mapping(node, {**usual, **plain.entries}), place.variables, place.trail
    )
    computed = expander.substitution.failures == failures
    held = {key: node.entries.get(key) or own.get(key) for key in _HELD}
    whole = mapping(header, {**header.entries, **held})
    spec = expander.validated(whole, wrapper.spec, kind) if computed else None
    if full is None or not is_name(node.value["name"]):
        result.lost = True
        return
    if spec is None:
        result.poisoned.add(full)
        return
    entries, name = header.entries, header.entries["name"].node
    shared, frozen = (entries[key].node.span if key in entries else None for key in ("share", "trainable"))
    frozen = None if spec.trainable else frozen
    if not expander.group(Group(full, kind, name.span, place.scope, spec.share, shared, frozen)):
        return
    if spec.inputs is not None and len(spec.inputs) > 1:
        message = f"{kind} reads 1 input, this one reads {len(spec.inputs)}"
        help = "join them first, with a layer {type: concat, inputs: […]}"
        expander.diagnostics.error("NW0306", message, entries["inputs"].node.span, help=help)
        result.poisoned.add(full)
        return
    inside = f"{full}."
    source = inside + "scanned"
    if placement.first is not None or spec.inputs is None:
        text = placement.first if placement.first is not None else placement.above
        result.aliases[source] = Alias(text, "", name.span)
    else:
        written = entries["inputs"].node.items[0].span
        result.aliases[source] = Alias(next(iter(spec.inputs)), place.scope, written)

    type_node = entries["type"].node
    inner = replace(place, scope=inside, depth=place.depth + 1)
    own_place = replace(inner, trail=())  # the header is a copy that has its trail
    start = len(expander.items)
    first, opening = wrapper.opens
    both = {key: entries.get(key) for key in wrapper.both}
    opened = {"name": entry_as(first, name), "type": entry_as(opening, type_node), **both}
    expander.put(mapping(header, opened), Placement(inside, inside + first, source), own_place)
    result.aliases[inside + "input"] = Alias(first, inside, name.span)
    if spec.use is not None:
        use = {"name": entry_as("net", name), "use": entries["use"], "with": entries.get("with")}
        last = expander.item(mapping(header, use), inside + "input", inner)
    else:
        last = expander.layers(_held(held, name), inside + "input", inner) or NOTHING
    end, closing = wrapper.closes
    closed = {
        "name": entry_as(end, name),
        "type": entry_as(closing, type_node),
        "inputs": entry_as([last.removeprefix(inside), "scanned"], name),
        **both,
        **{key: entries.get(key) for key in wrapper.last},
    }
    expander.put(mapping(header, closed), Placement(inside, inside + end, last), own_place)
    expander.ranges[full] = start, len(expander.items)
    result.aliases[full] = Alias(end, inside, name.span)


def _held(held: Mapping[str, Entry | None], name: SourceNode) -> Sequence[SourceNode]:
    """The layers inside. A single one need not have a name."""
    several, single = held["layers"], held["layer"]
    if several is not None:
        return several.node.items
    assert single is not None
    named: dict[str, Entry | None] = {"name": entry_as("layer", name), **single.node.entries}
    return [mapping(single.node, named)]
