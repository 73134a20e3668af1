"""The contents and the index of docs/language.md, made of its own headings and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEADING = re.compile(r"^(#{2,3}) (.+)$")
_ROW = re.compile(r"^\| `([^`]+)` \|")
#: A key in the last column of a table of types.
_KEY = re.compile(r"`([a-z]\w*)`(?: \(`[^`]*`\))?: ")
_FENCE = re.compile(r"^```")
#: A key of more sections than this is listed with the first ones.
_MOST = 6


def contents(page: str) -> str:
    """A list of the sections, each with its subsections."""
    lines: list[str] = []
    for level, title in _headings(page):
        link = f"[{title}](#{anchor(title)})"
        if level == 2:
            lines.append(f"- {link}")
        else:
            lines[-1] += f"{' · ' if '](#' in lines[-1].partition(': ')[2] else ': '}{link}"
    return "\n".join(lines)


def index(page: str) -> str:
    """Every word that has a meaning, with links to the sections that tell it: keys, types, functions, values."""
    places: dict[str, dict[str, None]] = {}
    title = ""
    for line in _outside_examples(page):
        if heading := _HEADING.match(line):
            title = heading[2]
            if re.fullmatch(r"[a-z][a-z0-9_]*", title):  # a type of layer is a word of the language
                places.setdefault(title, {})[title] = None
        elif row := _ROW.match(line):
            for word in (row[1], *_KEY.findall(line)):
                places.setdefault(word, {})[title] = None
    lines: list[str] = []
    letter = ""
    for word in sorted(places, key=lambda word: (_sorted_as(word), word)):
        if (initial := _sorted_as(word)[:1].upper()) != letter:
            letter = initial
            lines += ["", f"**{letter}**", ""]
        titles = list(places[word])
        links = [f"[{title}](#{anchor(title)})" for title in titles[:_MOST]]
        more = f" and {len(titles) - _MOST} more" if len(titles) > _MOST else ""
        lines.append(f"- `{word}`: {', '.join(links)}{more}")
    return "\n".join(lines[1:])


def anchor(title: str) -> str:
    """The anchor of a heading, as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _sorted_as(word: str) -> str:
    return re.sub(r"[^a-z0-9_]", "", word.lower()) or word


def _headings(page: str) -> Iterator[tuple[int, str]]:
    for line in _outside_examples(page):
        if heading := _HEADING.match(line):
            yield len(heading[1]), heading[2]


def _outside_examples(page: str) -> Iterator[str]:
    """The lines that are not in a fenced block."""
    fenced = False
    for line in page.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield line
