"""The content of a picture: boxes and arrows, without positions or a file format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..describe import Family


@dataclass(frozen=True, slots=True)
class Box:
    """A box.

    ``lines`` are below the title; ``shape`` is set in a fixed-width font. ``loops`` are the states that a rolled
    recurrence feeds back to itself. Boxes of one ``row`` are side by side, ordered by ``column`` (a step in time):
    boxes of rows with the same column are one below the other. Rows of different ``timeline`` have no column in common.
    ``tag`` names the owner of shared parameters. ``group`` is the use of a block around it, dotted if blocks are
    nested; each gets a frame.
    """

    id: str
    title: str
    lines: tuple[str, ...] = ()
    shape: str = ""
    family: Family = "shape"
    loops: tuple[str, ...] = ()
    row: str = ""
    column: int = 0
    timeline: int = 0
    tag: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from a box to one that reads it. An arrow of ``kind`` "state" goes from one time step to the next,
    within a row, or from the end of a timeline to the beginning of another.
    """

    source: str
    target: str
    label: str = ""
    kind: Literal["data", "state"] = "data"


@dataclass(frozen=True)
class Picture:
    """A title, a subtitle, boxes (each after those it reads) and arrows."""

    title: str
    subtitle: str = ""
    boxes: tuple[Box, ...] = ()
    arrows: tuple[Arrow, ...] = field(default=())
