"""Keys, values, names, equations and items broken, and the choice among all mutators."""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic.fields import FieldInfo

from netwright.specs.models.layers import LAYERS
from netwright.specs.source.tree import Path, SourceNode

from .text import WORD, Mutation, TextMutator
from .values import OPTIONS, TOKENS, VALUES


class Mutator(TextMutator):
    """Breaks any one thing of a text."""

    def mutate(self) -> Mutation | None:
        """One mutation, None where the one drawn does not apply."""
        made = self.random.choice(MUTATORS)(self)
        return made if made and made.text != self.text else None

    # Entries and values.

    def entry_removed(self) -> Mutation:
        path, key, entry, _ = self.random.choice(self.entries)
        start, end = self.stretch(entry.start, max(entry.end, entry.node.end))
        words = self.names(self.text[start:end])
        if path[:1] == ("defaults",):
            words |= set(map(str, path[1:2]))
        return self.change("entry removed", start, end, "", self.owner((*path, key))[: len(path)], words)

    def stretch(self, start: int, end: int) -> tuple[int, int]:
        """An entry or item with the comma or line break that goes with it."""
        after = re.compile(r"[ \t]*(?:#[^\n]*)?").match(self.text, end)
        stop = after.end() if after else end
        begin = self.text.rfind("\n", 0, start) + 1
        if (
            not self.text[begin:start].strip(" -")
            and "-" not in self.text[begin:start]
            and self.text[stop : stop + 1] == "\n"
        ):
            return begin, stop + 1
        if self.text[end : end + 1] == ",":
            return start, end + 1 + (self.text[end + 1 : end + 2] == " ")
        comma = len(self.text[:start].rstrip()) - 1
        return (comma, end) if self.text[comma] == "," else (start, end)

    def key_renamed(self) -> Mutation:
        path, key, entry, _ = self.random.choice(self.entries)
        others = [other for _, other, _, _ in self.entries]
        slip = (
            key[:-1] or "zz",
            f"{key}s",
            key.upper(),
            f"{key[1:]}{key[:1]}",
            "strides",
            "out_channels",
            "unknown",
        )
        new = self.random.choice([*slip, self.random.choice(others)])
        words = frozenset((key, new))
        return self.change("key renamed", entry.start, entry.end, self.quoted(entry.start, new), path, words)

    def quoted(self, start: int, word: str) -> str:
        return f'"{word}"' if self.text[start] == '"' else word

    def key_repeated(self) -> Mutation:
        path, _, entry, _ = self.random.choice(self.entries)
        end = max(entry.end, entry.node.end)
        begin = self.text.rfind("\n", 0, entry.start) + 1
        shown = self.text[entry.start : end]
        if self.text[begin : entry.start].strip(" "):
            return self.change("key repeated", end, end, f", {shown}", path)
        indent = self.text[begin : entry.start]
        return self.change("key repeated", end, end, f"\n{indent}{shown}", path)

    def value_replaced(self) -> Mutation:
        path, node = self.random.choice(self.nodes)
        new = self.random.choice(VALUES)
        if isinstance(node.value, int) and not isinstance(node.value, bool) and self.random.random() < 0.5:
            new = str(node.value + self.random.choice([-3, -2, -1, 1, 2, 5, 100]))
        return self.replaced("value replaced", path, node, new)

    def replaced(self, kind: str, path: Path, node: SourceNode, new: str) -> Mutation:
        if node.start < self.text.rfind("\n", 0, node.end) and self.text[node.start] not in "[{":
            new = f"{new}\n" if self.text[node.end - 1 : node.end] == "\n" else new
        old = self.text[node.start : node.end]
        key = {step for step in path[-1:] if isinstance(step, str)}
        words = self.names(old) | self.names(new) | key
        return self.change(kind, node.start, node.end, new, self.owner(path), words)

    def scalars(self, *types: type) -> list[tuple[Path, SourceNode]]:
        return [(path, node) for path, node in self.nodes if type(node.value) in types]

    def value_elsewhere(self) -> Mutation | None:
        """A scalar that stands elsewhere in the spec: another layer's name, type, size."""
        places = self.scalars(str, int, float, bool)
        (path, node), (_, other) = self.random.choice(places), self.random.choice(places)
        return self.replaced("value of another", path, node, self.text[other.start : other.end])

    def name_misspelt(self) -> Mutation | None:
        places = [(path, node) for path, node in self.scalars(str) if WORD.fullmatch(node.value)]
        if not places:
            return None
        path, node = self.random.choice(places)
        word = node.value
        slip = [word[:-1] or "q", word + word[-1], word[::-1], word.upper(), f"{word}.out", f"_{word}"]
        new = self.quoted(node.start, self.random.choice(slip))
        return self.replaced("name misspelt", path, node, new)

    def key_added(self) -> Mutation | None:
        """A key that the layer can have, with a value that may be good."""
        places = [
            (path, node) for path, node in self.scalars(str) if node.value in LAYERS and path[-1] == "type"
        ]
        if not places:
            return None
        path, node = self.random.choice(places)
        fields = LAYERS[node.value].model_fields
        key = self.random.choice([info.alias or name for name, info in fields.items()])
        shown = self.random.choice([*_likely(fields, key), self.random.choice(VALUES)])
        parent = self.tree.node(path[:-1])
        assert parent is not None
        if key in parent.entries:
            return self.replaced("option replaced", (*path[:-1], key), parent.entries[key].node, shown)
        if self.text[parent.start] != "{":
            return None
        new = f", {self.quoted(node.start, key)}: {shown}"
        words = frozenset((key,)) | self.names(shown)
        return self.change("key added", node.end, node.end, new, self.owner(path), words)

    def type_replaced(self) -> Mutation | None:
        places = [(path, node) for path, node in self.scalars(str) if path[-1] == "type" and "layers" in path]
        if not places:
            return None
        path, node = self.random.choice(places)
        return self.replaced("type replaced", path, node, self.random.choice(list(LAYERS)))

    def equation(self) -> Mutation | None:
        places = [
            (path, node)
            for path, node in self.scalars(str)
            if (path[0] == "cells" and ("update" in path or "output" in path))
            or path[-1] == "value"
            or "$" in node.value
        ]
        if not places:
            return None
        path, node = self.random.choice(places)
        tokens = list(re.finditer(r"\w+|\S", self.text[node.start : node.end]))
        one = self.random.choice(tokens)
        new = self.random.choice(["", self.random.choice(TOKENS), one[0] * 2, f"{one[0]} {one[0]}"])
        start, end = node.start + one.start(), node.start + one.end()
        words = self.names(self.text[node.start : node.end]) | self.names(new)
        return self.change("equation", start, end, new, path[:2], words, syntax=True)

    # Items.

    def item_removed(self) -> Mutation | None:
        lists = [(path, node) for path, node in self.tree.root.walk() if node.items]
        path, node = self.random.choice(lists)
        item = self.random.choice(node.items)
        block = self.text[node.start] == "-"
        if block:
            start = self.text.rfind("\n", 0, self.text.rfind("-", 0, item.start)) + 1
            end = self.text.find("\n", item.end) + 1 or len(self.text)
        else:
            start, end = self.stretch(item.start, item.end)
        words = self.names(self.text[start:end])
        return self.change("item removed", start, end, "", path if path != ("layers",) else None, words)

    def items_swapped(self) -> Mutation | None:
        lists = [(path, node) for path, node in self.tree.root.walk() if len(node.items) > 1]
        if not lists:
            return None
        path, node = self.random.choice(lists)
        one, two = sorted(self.random.sample(node.items, 2), key=lambda item: item.start)
        first, second = self.text[one.start : one.end], self.text[two.start : two.end]
        new = second + self.text[one.end : two.start] + first
        words = self.names(first) | self.names(second)
        return self.change(
            "items swapped", one.start, two.end, new, path if path != ("layers",) else None, words
        )


def _likely(fields: dict[str, FieldInfo], key: str) -> list[str]:
    """Values that a layer's key may take."""
    named = {info.alias or name: info for name, info in fields.items()}
    words = re.findall(r"'(\w+)'", str(named[key].annotation))
    return [*words, *OPTIONS.get(key, ()), *("true", "false", "0", "1", "2", "3", "[1, 2]", "0.5", "-1")]


MUTATORS: tuple[Callable[[Mutator], Mutation | None], ...] = (
    Mutator.one_character,
    Mutator.swapped_characters,
    Mutator.bracket,
    Mutator.cut_short,
    Mutator.indentation,
    Mutator.lines,
    Mutator.entry_removed,
    Mutator.key_renamed,
    Mutator.key_repeated,
    *[Mutator.value_replaced] * 5,
    *[Mutator.value_elsewhere] * 3,
    *[Mutator.name_misspelt] * 2,
    *[Mutator.type_replaced] * 2,
    *[Mutator.key_added] * 4,
    *[Mutator.equation] * 2,
    Mutator.item_removed,
    Mutator.items_swapped,
)
