"""What is left of blocks and repetition once they are plain layers: who stood where, and what names stand for."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..source.tree import SourceTree, Span

NOTHING = ""
"""The reference of a layer whose predecessor has no name: nothing can be said about it."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How a plain layer stands in the whole; names are full ones."""

    scope: str = ""
    """What stands before the names inside its block, with a dot at the end."""
    name: str | None = None
    above: str | None = None
    """What it reads when it says nothing; None for the input of the model."""
    first: str | None = None
    """What it reads in place of its first input: the repetition before it."""
    index: int | None = None
    """Which repetition it is."""
    share: str | None = None
    """The layer whose parameters it uses because its block shares."""
    broken: bool = False
    """Whether a value in it can't be computed, which has been reported."""


@dataclass(frozen=True, slots=True)
class Alias:
    """What a name stands for: `text` as written at `place`, read in `scope`; None for the input of the model."""

    text: str | None
    scope: str
    place: Span


@dataclass(frozen=True, slots=True)
class Group:
    """A use of a block, or a repeated layer: a name that stands for several layers."""

    name: str
    block: str | None
    place: Span
    scope: str = ""
    share: str | None = None
    share_place: Span | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """An output shape that a use has to have."""

    name: str
    shape: tuple[int | str, ...]
    place: Span


@dataclass(slots=True)
class ExpandedSpec:
    """A spec without blocks and variables, and how its layers came about."""

    tree: SourceTree
    complete: bool = True
    """Whether all files that are included could be read."""
    placements: list[Placement] = field(default_factory=list)
    aliases: dict[str, Alias] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    expected: list[Expected] = field(default_factory=list)
    poisoned: set[str] = field(default_factory=set)
    """Names about which nothing is known."""
    lost: bool = False
    """Whether there are names that can't be known."""
    used_blocks: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    """Sections in which a value can't be computed; `layers` where not all could be made."""
