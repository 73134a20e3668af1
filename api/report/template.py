"""Pages made from templates: a text with the names of values between pairs of ``@@``, in the frame of every page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

_SECTION = re.compile(r'<section[^>]* id="([^"]+)"><h2>([^<]+)</h2>')


def whole_page(body: str, values: Mapping[str, str], *, policy: str) -> str:
    """A whole page around the template ``body``. ``values`` are HTML, among them ``title`` and ``style``; ``policy``
    says what the browser may do besides showing styles.
    """
    return _filled("frame.html", {**values, "body": _filled(body, values).rstrip("\n"), "policy": policy})


def file_text(name: str) -> str:
    """A file of the report."""
    return (files("netwright.report") / name).read_text(encoding="utf-8")


def with_contents(page: str) -> str:
    """A page with links to its sections, in the place of ``<nav></nav>``."""
    links = "".join(f'<a href="#{id}">{title}</a>' for id, title in _SECTION.findall(page))
    return page.replace("<nav></nav>", f'<nav aria-label="sections">{links}</nav>', 1)


def _filled(name: str, values: Mapping[str, str]) -> str:
    parts = file_text(name).split("@@")
    return "".join(values[part] if position % 2 else part for position, part in enumerate(parts))
