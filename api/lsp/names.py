"""The names a spec defines, with their places: for completion, definitions and hints."""

from __future__ import annotations

from dataclasses import dataclass

from netwright.specs.source.tree import Path, SourceNode, SourceTree

from .cursor import written_at


@dataclass(frozen=True, slots=True)
class Definition:
    """A name: what it is, its place, and the path of what it names."""

    name: str
    kind: str
    start: int
    end: int
    path: Path
    detail: str = ""


def definitions(tree: SourceTree, kind: str, path: Path = ()) -> list[Definition]:
    """The names of a kind (`signals` are inputs and layers) that can be meant at a path."""
    if kind == "signals":
        return definitions(tree, "inputs", path) + definitions(tree, "layers", path)
    root = tree.root
    inside = path[:2] if path[:1] == ("blocks",) and len(path) > 1 else ()
    block = tree.node(inside) if inside else None
    if kind == "layers":
        return _layers((block or root).child("layers"), (*inside, "layers"))
    if kind == "inputs" and block:
        node = block.child("inputs")
        return [
            Definition(str(item.value), "input", *written_at(item), inside)
            for item in (node.items if node else ())
        ]
    if kind == "targets":
        declared = _keys(tree.node(("train", "targets")), ("train", "targets"), "target")
        return declared + definitions(tree, "inputs")
    return _keys(root.child(kind), (kind,), kind.removesuffix("s"))


def find(tree: SourceTree, word: str, kinds: tuple[str, ...], path: Path = ()) -> Definition | None:
    """The definition of a name, or of what stands before its dot."""
    for name in (word, word.partition(".")[0]):
        for kind in kinds:
            for definition in definitions(tree, kind, path):
                if definition.name == name:
                    return definition
    return None


def layers(tree: SourceTree) -> list[Definition]:
    """The layers outside of blocks."""
    return definitions(tree, "layers")


Key = tuple[str, ...]
"""Where a layer inside something is written, by names: `blocks`, `stage`, `a`."""


def inner_layers(tree: SourceTree) -> dict[Key, Definition]:
    """The layers inside of blocks, and inside of other layers."""
    by_key: dict[Key, Definition] = {}
    blocks = tree.root.child("blocks")
    waiting: list[tuple[Key, SourceNode | None, Path]] = [
        (("blocks", name), entry.node, ("blocks", name))
        for name, entry in (blocks.entries.items() if blocks else ())
    ]
    listed = tree.root.child("layers")
    for position, item in enumerate(listed.items if listed else ()):
        waiting.append((("layers", _word(item, "name") or ""), item, ("layers", position)))
    while waiting:
        key, node, path = waiting.pop()
        inner = node.child("layers") if node else None
        for layer in _layers(inner, (*path, "layers")):
            by_key[*key, layer.name] = layer
            position = layer.path[-1]
            assert inner is not None
            assert isinstance(position, int)
            waiting.append(((*key, layer.name), inner.items[position], layer.path))
    return by_key


def _layers(node: SourceNode | None, path: Path) -> list[Definition]:
    named = []
    for position, item in enumerate(node.items if node else ()):
        name = item.child("name")
        if name and isinstance(name.value, str) and name.value:
            kind = _word(item, "type") or _word(item, "use") or "layer"
            named.append(Definition(name.value, "layer", *written_at(name), (*path, position), kind))
    return named


def _word(node: SourceNode, key: str) -> str | None:
    """The text at a key."""
    value = node.child(key)
    return value.value if value and isinstance(value.value, str) else None


def _keys(node: SourceNode | None, path: Path, kind: str) -> list[Definition]:
    entries = node.entries.items() if node else ()
    return [Definition(key, kind, entry.start, entry.end, (*path, key)) for key, entry in entries]
