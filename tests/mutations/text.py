"""One thing of a spec broken: a text and the lines where a diagnostic of it may stand.

Each mutator takes the text (and the tree read from it) and gives the new text with the *site*: the stretch of the new
text that was changed. Where names are concerned the site is also every line that says the name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from random import Random

from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.reading.documents import read_text
from netwright.specs.source.tree import Path, SourceNode, SourceTree

from .values import CHARACTERS

WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Mutation:
    """What was done, the text that came of it, and the lines (first, last) that were changed. `words` are names that
    the change is about; an error that stands on a line with one of them is at the right place.
    """

    kind: str
    text: str
    first: int
    last: int
    words: frozenset[str] = field(default_factory=frozenset)
    syntax: bool = False
    """Whether what stands after the change may be read differently."""


class TextMutator:
    """Breaks characters and lines of one text, in the way that the random numbers say."""

    def __init__(self, text: str, file: str, random: Random) -> None:
        self.text, self.random = text, random
        tree = read_text(text, file, Diagnostics())
        assert tree is not None
        self.tree: SourceTree = tree
        self.nodes = [(path, node) for path, node in tree.root.walk() if path]
        self.entries = [
            (path, key, entry, node)
            for path, node in tree.root.walk()
            for key, entry in node.entries.items()
            if node.start <= entry.node.start
        ]

    # Putting texts together.

    def change(
        self,
        kind: str,
        start: int,
        end: int,
        new: str,
        around: Path | None = None,
        words: frozenset[str] = frozenset(),
        syntax: bool = False,
    ) -> Mutation:
        """`new` in place of a stretch. `around` is the mapping or list whose lines are the site, too."""
        text = self.text[:start] + new + self.text[end:]
        node = self.tree.node(around) if around is not None else None
        key = self.tree.key_span(around) if node and around else None
        opened = (
            self.tree.source.offset(key.line, key.column)
            if key and around and isinstance(around[-1], str)
            else start
        )
        low, high = (min(start, node.start, opened), max(end, node.end)) if node else (start, end)
        shift = len(text) - len(self.text)
        first = text.count("\n", 0, low) + 1
        last = text.count("\n", 0, max(high + shift, start + len(new), low)) + 1
        return Mutation(kind, text, first, last, words, syntax)

    def owner(self, path: Path) -> Path:
        """The layer, input, cell, … that a path is in."""
        nested = [i for i, step in enumerate(path) if isinstance(step, int) and i and path[i - 1] == "layers"]
        return path[: nested[-1] + 1] if nested else path[:2]

    def names(self, text: str) -> frozenset[str]:
        return frozenset(WORD.findall(text))

    # Characters and lines.

    def one_character(self) -> Mutation:
        at = self.random.randrange(len(self.text))
        new = self.random.choice(
            ["", self.random.choice(CHARACTERS), self.text[at] * 2, self.text[at].swapcase()]
        )
        return self.characters("character", at, at + 1, new)

    def characters(self, kind: str, start: int, end: int, new: str) -> Mutation:
        line = self.text.count("\n", 0, start) + 1
        words = self.names(self.tree.source.line(line)) | self.around(start)
        return self.change(kind, start, end, new, words=words, syntax=True)

    def around(self, offset: int) -> frozenset[str]:
        """The keys and names of everything that a place is in."""
        steps: set[str] = set()
        for path, node in self.nodes:
            if node.start <= offset <= self.line_end(node):
                steps.update(step for step in path if isinstance(step, str))
        return frozenset(steps)

    def line_end(self, node: SourceNode) -> int:
        """Where the last line of a node ends: its comment belongs to it."""
        end = self.text.find("\n", node.end)
        return len(self.text) if end < 0 else end

    def swapped_characters(self) -> Mutation:
        at = self.random.randrange(len(self.text) - 1)
        return self.characters("swapped characters", at, at + 2, self.text[at + 1] + self.text[at])

    def bracket(self) -> Mutation | None:
        places = [i for i, one in enumerate(self.text) if one in "[]{}(),:"]
        if not places:
            return None
        at = self.random.choice(places)
        return self.characters(
            "bracket", at, at + 1, self.random.choice(["", "[", "]", "{", "}", ",", ":", "::"])
        )

    def cut_short(self) -> Mutation:
        """What is lost may be missed at the beginning of the layer (input, cell, …) that the cut is in."""
        at = self.random.randrange(len(self.text))
        inside = [path for path, node in self.nodes if node.start <= at <= self.line_end(node)]
        cut = self.characters("cut short", at, len(self.text), "")
        around = self.tree.node(self.owner(max(inside, key=len))) if inside else None
        opened = cut.first if around is None else self.text.count("\n", 0, around.start) + 1
        return replace(cut, first=min(cut.first, opened))

    def indentation(self) -> Mutation:
        line = self.random.randrange(1, self.tree.source.line_count)
        start = self.tree.source.offset(line, 1)
        text = self.tree.source.line(line)
        if self.random.random() < 0.5 and text.startswith(" "):
            return self.characters("indentation", start, start + self.random.choice([1, 2]), "")
        return self.characters("indentation", start, start, self.random.choice([" ", "  ", "\t"]))

    def lines(self) -> Mutation:
        line = self.random.randrange(1, self.tree.source.line_count)
        start, end = self.tree.source.offset(line, 1), self.tree.source.offset(line + 1, 1)
        new = self.random.choice(["", self.text[start:end] * 2])
        return self.characters("line removed" if not new else "line repeated", start, end, new)
