"""The names a spec defines, with their places: for completion, definitions and hints."""

from __future__ import annotations

from dataclasses import dataclass

from .loose import Loose, LooseText, Step


@dataclass(frozen=True, slots=True)
class Definition:
    """A name: what it is, its place, and the path of what it names."""

    name: str
    kind: str
    start: int
    end: int
    path: tuple[Step, ...]
    detail: str = ""


def definitions(text: LooseText, kind: str, path: tuple[Step, ...] = ()) -> list[Definition]:
    """The names of a kind (`signals` are inputs and layers) that can be meant at a path."""
    if kind == "signals":
        return definitions(text, "inputs", path) + definitions(text, "layers", path)
    root = text.root
    inside = path[:2] if path[:1] == ("blocks",) and len(path) > 1 else ()
    block = text.value_at(inside) if inside else None
    if kind == "layers":
        return _layers((block or root).get("layers"), (*inside, "layers"))
    if kind == "inputs" and block:
        node = block.get("inputs")
        items = node.items if node else []
        return [Definition(one.text, "input", one.start, one.end, inside) for one in items]
    if kind == "targets":
        train = root.get("train")
        declared = _keys(train.get("targets") if train else None, ("train", "targets"), "target")
        return declared + definitions(text, "inputs")
    return _keys(root.get(kind), (kind,), kind.removesuffix("s"))


def find(
    text: LooseText, word: str, kinds: tuple[str, ...], path: tuple[Step, ...] = ()
) -> Definition | None:
    """The definition of a name, or of what stands before its dot."""
    for name in (word, word.partition(".")[0]):
        for kind in kinds:
            for one in definitions(text, kind, path):
                if one.name == name:
                    return one
    return None


def layers(text: LooseText) -> list[Definition]:
    """The layers outside of blocks."""
    return definitions(text, "layers")


Key = tuple[str, ...]
"""Where a layer inside something is written, by names: `blocks`, `stage`, `a`."""


def inner_layers(text: LooseText) -> dict[Key, Definition]:
    """The layers inside of blocks, and inside of other layers."""
    found: dict[Key, Definition] = {}
    blocks = text.root.get("blocks")
    waiting: list[tuple[Key, Loose | None, tuple[Step, ...]]] = [
        (("blocks", entry.key), entry.value, ("blocks", entry.key))
        for entry in (blocks.entries if blocks else ())
    ]
    listed = text.root.get("layers")
    for position, item in enumerate(listed.items if listed else ()):
        waiting.append((("layers", item.word("name") or ""), item, ("layers", position)))
    while waiting:
        key, node, path = waiting.pop()
        inner = node.get("layers") if node else None
        for one in _layers(inner, (*path, "layers")):
            found[*key, one.name] = one
            position = one.path[-1]
            assert inner is not None
            assert isinstance(position, int)
            waiting.append(((*key, one.name), inner.items[position], one.path))
    return found


def _layers(node: Loose | None, path: tuple[Step, ...]) -> list[Definition]:
    found = []
    for position, item in enumerate(node.items if node else ()):
        name = item.get("name")
        if name and name.text:
            kind = item.word("type") or item.word("use") or "layer"
            found.append(Definition(name.text, "layer", name.start, name.end, (*path, position), kind))
    return found


def _keys(node: Loose | None, path: tuple[Step, ...], kind: str) -> list[Definition]:
    entries = node.entries if node else []
    return [Definition(one.key, kind, one.start, one.end, (*path, one.key)) for one in entries]
