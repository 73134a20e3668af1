"""Writes a picture as SVG: one file, without scripts or fonts, readable at any size."""

from __future__ import annotations

from ..markup import escape
from .frames import Frame, frames
from .layout import Layout, Place, arrange
from .picture import Arrow, Box, Picture
from .sizes import LINE, LOOP_REACH, MARGIN, PADDING, TITLE_LINE

#: Fill, edge and accent colour of each family.
_COLORS = {
    "input": ("#f1f5f9", "#94a3b8", "#475569"),
    "window": ("#eaf2fe", "#7fa9ea", "#2158b5"),
    "pool": ("#e6f7f5", "#6cc5b9", "#11776b"),
    "dense": ("#f1edfd", "#ab97ea", "#5b3cc4"),
    "recurrent": ("#fff1e6", "#f2a566", "#b4540a"),
    "activation": ("#fff8e1", "#e6c55c", "#8a6500"),
    "norm": ("#eef8e8", "#98c97c", "#3f7622"),
    "shape": ("#f6f6f7", "#bcbcc4", "#5f5f6b"),
    "join": ("#fdeef4", "#e79ab9", "#a8305f"),
    "output": ("#334155", "#334155", "#cbd5e1"),
    "ghost": ("none", "none", "#64748b"),
}
_INK, _QUIET, _LINE, _STATE = "#1e293b", "#64748b", "#8794a8", "#d9731a"
#: In dark mode the picture is inverted, with the hues unchanged.
_DARK = (
    "@media (prefers-color-scheme: dark) "
    "{ .netwright-picture { filter: invert(0.9) hue-rotate(180deg) saturate(1.3); } }"
)
_SANS = "Inter, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
_MONO = "'JetBrains Mono', 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def to_svg(picture: Picture) -> str:
    """The SVG document."""
    layout = arrange(picture)
    width, height = round(layout.width), round(layout.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{_SANS}" role="img" class="netwright-picture">',
        f"<style>{_DARK}</style>",
        f"<title>{escape(picture.title)}</title>",
        _markers(),
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(MARGIN, MARGIN + 16, picture.title, 20, _INK, weight=650, anchor="start"),
    ]
    if picture.subtitle:
        parts.append(_text(MARGIN, MARGIN + 40, picture.subtitle, 13, _QUIET, anchor="start"))
    parts += [_frame(frame) for frame in frames(picture, layout)]
    parts += [_arrow(arrow, points) for arrow, points in layout.routes]
    parts += [_box(box, layout.places[box.id]) for box in picture.boxes]
    parts += [_label(arrow, points, layout) for arrow, points in layout.routes if arrow.label]
    parts.append("</svg>")
    return "\n".join(part for part in parts if part) + "\n"


def _frame(frame: Frame) -> str:
    size = f'width="{frame.right - frame.left:.1f}" height="{frame.bottom - frame.top:.1f}"'
    return (
        f'<g class="frame" data-block="{escape(frame.name)}"><rect x="{frame.left:.1f}" y="{frame.top:.1f}" {size} '
        f'rx="12" fill="#64748b" fill-opacity="0.07" stroke="{_LINE}" stroke-opacity="0.6" stroke-dasharray="4 4"/>'
        + _text(frame.left + 9, frame.top + 14, frame.name, 11.5, _QUIET, weight=600, anchor="start")
        + "</g>"
    )


def _markers() -> str:
    shapes = "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M1 1.2 L9 5 L1 8.8 z" fill="{color}"/></marker>'
        for name, color in (("tip", _LINE), ("state-tip", _STATE))
    )
    return f"<defs>{shapes}</defs>"


def _text(
    x: float,
    y: float,
    text: str,
    size: float,
    color: str,
    *,
    weight: int = 400,
    anchor: str = "middle",
    mono: bool = False,
    halo: bool = False,
    attributes: str = "",
) -> str:
    if not text:
        return ""
    extra = f' font-family="{_MONO}"' if mono else ""
    extra += f' font-weight="{weight}"' if weight != 400 else ""
    if halo:
        extra += ' stroke="#ffffff" stroke-width="4" stroke-linejoin="round" paint-order="stroke"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}"{extra}{attributes}>'
        f"{escape(text)}</text>"
    )


def _box(box: Box, place: Place) -> str:
    fill, edge, accent = _COLORS[box.family]
    ink = "#f8fafc" if box.family == "output" else _INK
    left, top = place.x - place.width / 2, place.y - place.height / 2
    if box.family == "ghost":
        lines = [_text(place.x, place.y + 4.5, box.title, 13, accent)]
        lines += [_text(place.x, place.y + 4.5 + LINE, line, 11.5, accent) for line in box.lines]
        return "\n".join(line for line in lines if line)
    dashed = ' stroke-dasharray="5 3"' if box.tag else ""
    block = f' data-block="{escape(box.group)}"' if box.group else ""
    parts = [
        f'<g id="{escape(box.id)}"{block}>',
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{place.width:.1f}" height="{place.height:.1f}" rx="9" '
        f'fill="{fill}" stroke="{edge}" stroke-width="1.4"{dashed}/>',
    ]
    y = top + PADDING + 14
    parts.append(_text(place.x, y, box.title, 15, ink, weight=600))
    y += TITLE_LINE - 2
    for line in box.lines:
        parts.append(_text(place.x, y, line, 12.5, accent))
        y += LINE
    if box.shape:
        parts.append(
            _text(place.x, y, box.shape, 12, "#cbd5e1" if box.family == "output" else _QUIET, mono=True)
        )
        y += LINE
    if box.tag:
        parts.append(_text(place.x, y, box.tag, 11.5, accent))
    parts += [_loop(place, label, position) for position, label in enumerate(box.loops[:2])]
    parts.append("</g>")
    return "\n".join(part for part in parts if part)


def _loop(place: Place, label: str, position: int) -> str:
    """A recurrence: an arrow out of the box's side and back in. A second one (the other direction) is on the left."""
    side = 1 if position == 0 else -1
    x, y, reach, half = place.x + side * place.width / 2, place.y, side * 34, min(15.0, place.height / 4)
    path = (
        f"M{x:.1f} {y + half:.1f} C{x + reach:.1f} {y + half + 6:.1f} {x + reach:.1f} {y - half - 6:.1f} "
        f"{x + side * 1.5:.1f} {y - half:.1f}"
    )
    label_x = x + side * (LOOP_REACH - 1)
    return (
        f'<path d="{path}" fill="none" stroke="{_STATE}" stroke-width="1.6" marker-end="url(#state-tip)"/>\n'
        + _text(label_x, y + 4, label, 12, _STATE, anchor="start" if side == 1 else "end")
    )


def _arrow(arrow: Arrow, points: list[tuple[float, float]]) -> str:
    color, tip = (_STATE, "state-tip") if arrow.kind == "state" else (_LINE, "tip")
    (x, y), last = points[0], points[-1]
    path = [f"M{x:.1f} {y:.1f}"]
    if y == last[1]:
        path.append(f"L{last[0]:.1f} {last[1]:.1f}")
    elif arrow.kind == "state":
        middle = (x + last[0]) / 2
        path.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {last[1]:.1f} {last[0]:.1f} {last[1]:.1f}")
    else:
        for position, (to_x, to_y) in enumerate(points[1:]):
            crossing = len(points) > 2 and position % 2 == 1  # straight down through a rank
            middle = (y + to_y) / 2
            step = (
                f"L{to_x:.1f} {to_y:.1f}"
                if crossing or abs(to_x - x) < 0.5
                else (f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
            )
            path.append(step)
            x, y = to_x, to_y
    return (
        f'<path d="{" ".join(path)}" fill="none" stroke="{color}" stroke-width="1.5" marker-end="url(#{tip})"'
        f"{_ends(arrow)}/>"
    )


def _ends(arrow: Arrow) -> str:
    """Attributes that tell a script what an arrow joins."""
    return f' data-from="{escape(arrow.source)}" data-to="{escape(arrow.target)}"'


def _label(arrow: Arrow, points: list[tuple[float, float]], layout: Layout) -> str:
    (x, y), (to_x, to_y) = points[-2], points[-1]
    color = _STATE if arrow.kind == "state" else _QUIET
    if arrow.kind == "state" or y == to_y:
        return _text(
            (x + to_x) / 2, min(y, to_y) - 7, arrow.label, 12, color, halo=True, attributes=_ends(arrow)
        )
    side = -1 if x < to_x else 1  # the side from which the arrow comes
    anchor = "start" if side == 1 else "end"
    return _text(
        to_x + side * 7, to_y - 12, arrow.label, 12, color, anchor=anchor, halo=True, attributes=_ends(arrow)
    )
