"""The result of expansion besides the plain layers: which block each layer came from, and what names stand for."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..source.tree import SourceTree, Span

NOTHING = ""
"""The reference to a layer above that has no name, so that it can't be resolved."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How a plain layer fits into the whole. Names are full ones."""

    scope: str = ""
    """The prefix of the names inside its block, with a dot at the end."""
    name: str | None = None
    above: str | None = None
    """What it reads if it has no `inputs`; None for the model's input."""
    first: str | None = None
    """What it reads instead of its first input: the repetition before it."""
    index: int | None = None
    """The number of the repetition."""
    share: str | None = None
    """The layer whose parameters it uses because its block does."""
    frozen: Span | None = None
    """Where a block around it says that its parameters are not trained."""
    broken: bool = False
    """Whether one of its values can't be computed, which has been reported."""


@dataclass(frozen=True, slots=True)
class Alias:
    """What a name stands for: the reference `text` as written at `place`, read in `scope`. A `text` of None means the
    model's input.
    """

    text: str | None
    scope: str
    place: Span


@dataclass(frozen=True, slots=True)
class Group:
    """A name that stands for several layers: a use of a block, or a repeated layer."""

    name: str
    block: str | None
    place: Span
    scope: str = ""
    share: str | None = None
    share_place: Span | None = None
    frozen: Span | None = None
    """Where it says that the parameters inside are not trained."""


@dataclass(frozen=True, slots=True)
class Expected:
    """An output shape that a use declares."""

    name: str
    shape: tuple[int | str, ...]
    place: Span


@dataclass(slots=True)
class ExpandedSpec:
    """A spec without blocks and variables, and the origin of its layers."""

    tree: SourceTree
    complete: bool = True
    """Whether all included files could be read."""
    placements: list[Placement] = field(default_factory=list)
    aliases: dict[str, Alias] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    expected: list[Expected] = field(default_factory=list)
    poisoned: set[str] = field(default_factory=set)
    """Names that exist, but have errors."""
    lost: bool = False
    """Whether unknown names may exist, because some part could not be expanded."""
    used_blocks: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    """Sections with a value that can't be computed; `layers` if some layers could not be made."""
