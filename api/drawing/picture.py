"""What a picture shows: boxes and arrows, without places and without a format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Family = Literal[
    "input", "window", "pool", "dense", "recurrent", "activation", "norm", "shape", "join", "output", "ghost"
]


@dataclass(frozen=True, slots=True)
class Box:
    """A thing in the picture. ``lines`` stand below the title; ``shape`` is set in a fixed-width face.

    ``loops`` are the states that a rolled recurrence feeds back to itself. Boxes of one ``row`` stand side by side,
    ordered by ``column`` (a step in time). ``tag`` says whose parameters these are, where they are shared. ``group`` is
    the use of a block that it belongs to, dotted where blocks are nested: a frame is drawn around each.
    """

    id: str
    title: str
    lines: tuple[str, ...] = ()
    shape: str = ""
    family: Family = "shape"
    loops: tuple[str, ...] = ()
    row: str = ""
    column: int = 0
    tag: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a box to one that reads it. ``kind`` "state" is the step from one time to the next, in one row."""

    source: str
    target: str
    label: str = ""
    kind: Literal["data", "state"] = "data"


@dataclass(frozen=True)
class Picture:
    """A title, a line below it, boxes (each after those it reads) and arrows."""

    title: str
    subtitle: str = ""
    boxes: tuple[Box, ...] = ()
    arrows: tuple[Arrow, ...] = field(default=())
