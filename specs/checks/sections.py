"""Checks that need no shapes of everything besides the layers: lengths, training, and definitions that nothing uses."""

from __future__ import annotations

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import replaced, respelled, without_key
from ..diagnostics.suggest import closest, did_you_mean
from ..expansion.placement import ExpandedSpec
from ..source.tree import SourceTree
from .data import arrays_compared
from .structure import Structure


def check_float_type(structure: Structure, tree: SourceTree, diagnostics: Diagnostics) -> set[str]:
    """Checks that all float inputs have one element type, unless the model itself has a `dtype`. Returns the names of
    those that differ.
    """
    wrong: set[str] = set()
    if structure.sections.get("dtype") is not None:
        return wrong
    floats = {
        name: spec.dtype
        for name, spec in (structure.sections.get("inputs") or {}).items()
        if spec.dtype.startswith("float")
    }
    first = next(iter(floats), None)
    for name, dtype in floats.items():
        if first is not None and dtype != floats[first]:
            labels = [(tree.key_span(("inputs", first)), f"this one is {floats[first]}")]
            place = tree.value_span(("inputs", name, "dtype"))
            written = tree.node(("inputs", name, "dtype")) is not None
            place = place if written else tree.key_span(("inputs", name))
            message = f"{name} is {dtype}, a model has one float type"
            help = f"with dtype: {floats[first]} as a key of the spec, {name} can be cast(…, {floats[first]})"
            fixes = replaced(tree.node(("inputs", name, "dtype")), floats[first])
            diagnostics.error("NW0319", message, place, labels=labels, help=help, fixes=fixes)
            wrong.add(name)
    return wrong


def check_lengths(structure: Structure, tree: SourceTree, diagnostics: Diagnostics) -> set[str]:
    """Checks that each input's `lengths` names an int64 `[N]` input. Returns the inputs that fail."""
    wrong: set[str] = set()
    inputs, broken = structure.sections.get("inputs") or {}, structure.broken.get("inputs", set())
    for name, spec in inputs.items():
        if spec.lengths is None:
            continue
        place = tree.value_span(("inputs", name, "lengths"))
        other = inputs.get(spec.lengths)
        if other is None:
            wrong.add(name)
            if not broken & {spec.lengths, "*"}:
                meant = closest(spec.lengths, [known for known in inputs if known != name])
                batch = spec.shape[0] if spec.shape else "N"
                declare = f"declare it: inputs: {{{spec.lengths}: {{shape: [{batch}], dtype: int64}}}}"
                message = f"there is no input named {spec.lengths}"
                fixes = respelled(spec.lengths, meant, place)
                help = did_you_mean(meant) or declare
                diagnostics.error("NW0405", message, place, help=help, fixes=fixes)
        elif spec.shape and (other.dtype != "int64" or other.shape != spec.shape[:1]):
            wrong.add(name)
            wanted = f"int64 [{spec.shape[0]}]"
            actual = f"{other.dtype} [{', '.join(map(str, other.shape))}]"
            labels = [(tree.key_span(("inputs", spec.lengths)), "declared here")]
            message = f"lengths have to be {wanted}, {spec.lengths} is {actual}"
            diagnostics.error("NW0311", message, place, labels=labels)
    return wrong


def warn_unused(
    structure: Structure, expansion: ExpandedSpec, read: set[str], tree: SourceTree, diagnostics: Diagnostics
) -> None:
    """Warns of layers and inputs that nothing reads, and of blocks that nothing uses (their layers are not checked).

    `read` names the layers and inputs that layers and outputs read. A layer of a block is unread if it is so in every
    use of the block and is no output of it. A use is unread if nothing outside of it reads any of its layers; the
    warning then points at its last layer.
    """
    inputs = structure.sections.get("inputs") or {}
    read = read | {spec.lengths for spec in inputs.values() if spec.lengths}
    train = structure.sections.get("train")
    if train:
        read |= set(arrays_compared(structure, train))
    ends = {alias.scope + (alias.text or ""): name for name, alias in expansion.aliases.items()}
    places = {entry.name: tree.value_span((*entry.path, "name")) for entry in structure.entries}
    used = {places[name] for name in places if name in read or name in ends}
    for name, place in places.items():
        if name is not None and name not in read and place not in used:
            diagnostics.warning("NW0601", f"nothing reads the layer {name}", place)
    for name in expansion.groups:
        target = name
        while target in expansion.aliases and expansion.aliases[target].text is not None:
            target = expansion.aliases[target].scope + str(expansion.aliases[target].text)
        if target in places and target not in read and "." not in name:
            diagnostics.warning("NW0601", f"nothing reads {name}", expansion.groups[name].place)
    for name in inputs:
        if name not in read:
            place = tree.key_span(("inputs", name))
            fixes = without_key(tree.node(("inputs",)), name)
            diagnostics.warning("NW0602", f"nothing reads the input {name}", place, fixes=fixes)
    blocks = tree.node(("blocks",))
    for name, entry in blocks.entries.items() if blocks else ():
        # Included files may define more than this spec needs.
        if name not in expansion.used_blocks and entry.text is tree.root.text:
            message = f"nothing uses the block {name}, so its layers are not checked"
            diagnostics.warning("NW0610", message, entry.key_span)
