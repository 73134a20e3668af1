"""Writes a picture as PNG, with the package resvg_py of the extra `png`."""

from __future__ import annotations

from importlib import import_module

from ..errors import RequestError
from .layout import arrange
from .picture import Picture
from .svg import to_svg

#: Pixels per unit of the picture, and the most pixels: more would need gigabytes of memory.
_ZOOM, _LEAST_ZOOM, _MOST_PIXELS = 2.0, 0.25, 60_000_000


def to_png(picture: Picture) -> bytes:
    """The picture in the fonts of this computer, two pixels per unit, or fewer if it is very large. Raises RequestError
    without the extra, and for a picture that nobody could read at that size.
    """
    try:
        resvg = import_module("resvg_py")
    except ImportError:
        raise RequestError(
            "PNG needs the extra png: pip install 'netwright[png]'; .svg needs nothing"
        ) from None
    layout = arrange(picture)
    zoom = min(_ZOOM, (_MOST_PIXELS / (layout.width * layout.height)) ** 0.5)
    if zoom < _LEAST_ZOOM:
        size = f"{layout.width:,.0f} × {layout.height:,.0f}"
        raise RequestError(f"{picture.title}: a picture of {size} is too large for PNG: write it as .svg")
    return bytes(resvg.svg_to_bytes(svg_string=to_svg(picture), zoom=zoom))
