"""Frames around the layers of each use of a block."""

from __future__ import annotations

from dataclasses import dataclass

from .layout import Layout, Place
from .picture import Picture
from .sizes import LOOP_REACH

#: The space between a frame and its content: at the sides, below, and above, where its name is.
_SIDE, _BELOW, _ABOVE = 14.0, 10.0, 22.0
_NESTED = 0.5  # what part of that each outer frame adds


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame around a use of a block."""

    name: str
    left: float
    top: float
    right: float
    bottom: float

    def holds(self, place: Place) -> bool:
        """Whether a box overlaps the frame."""
        apart_x = abs(place.x - (self.left + self.right) / 2) - (place.width + self.right - self.left) / 2
        apart_y = abs(place.y - (self.top + self.bottom) / 2) - (place.height + self.bottom - self.top) / 2
        return max(apart_x, apart_y) < 0


def frames(picture: Picture, layout: Layout) -> list[Frame]:
    """The frames, outer ones first. A block has none if the layout placed other boxes among its layers."""
    members: dict[str, list[str]] = {}
    for box in picture.boxes:
        parts = box.group.split(".") if box.group else []
        for depth in range(1, len(parts) + 1):
            members.setdefault(".".join(parts[:depth]), []).append(box.id)
    loops = {box.id: len(box.loops) for box in picture.boxes}
    frames = []
    for name, ids in sorted(members.items(), key=lambda item: item[0].count(".")):
        depth = max(other.count(".") for other in members if other == name or other.startswith(f"{name}."))
        room = 1 + _NESTED * (depth - name.count("."))
        places = [(layout.places[id], loops[id]) for id in ids]
        frame = Frame(
            name,
            min(p.x - p.width / 2 - (LOOP_REACH if n > 1 else 0) for p, n in places) - _SIDE * room,
            min(p.y - p.height / 2 for p, _ in places) - _ABOVE * room,
            max(p.x + p.width / 2 + (2 * LOOP_REACH if n else 0) for p, n in places) + _SIDE * room,
            max(p.y + p.height / 2 for p, _ in places) + _BELOW * room,
        )
        inside = set(ids)
        if not any(frame.holds(place) for id, place in layout.places.items() if id not in inside):
            frames.append(frame)
    return frames
