"""Generates the language reference, docs/language.md: a hand-written frame, filled from the models and their
docstrings.

`language.md` is the frame, `layers.md` has at least one example for each layer type. Examples leave out the sections in
`pages.FRAME`. `python -m netwright.specs.reference` prints the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from ..diagnostics.pages import framed

_SECTION = re.compile(r"^## (\w+)\n", re.MULTILINE)
_EXAMPLE = re.compile(r"(?:^<!-- file: (.+?) -->\n)?^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Example:
    """A spec that the reference shows: `text` as shown, `spec` completed with the sections it leaves out."""

    title: str
    text: str
    file: str | None = None
    """If this is the text of a file that the previous example includes, the name of that file; None for a spec."""

    @property
    def spec(self) -> str:
        """The complete spec."""
        return self.text if self.file or self.text.startswith("netwright:") else framed(self.text)


def read(name: str) -> str:
    """The text of a file of the reference."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def layer_sections() -> dict[str, str]:
    """The section of `layers.md` about each layer type."""
    _, *parts = _SECTION.split(read("layers.md"))
    return {kind: body.strip() for kind, body in zip(parts[::2], parts[1::2], strict=True)}


@lru_cache(maxsize=1)
def examples() -> tuple[Example, ...]:
    """All examples of the reference. Those of layer types have the type as title."""
    every = list(_examples("language", read("language.md")))
    for kind, body in layer_sections().items():
        every += _examples(kind, body)
    return tuple(every)


def _examples(title: str, text: str) -> list[Example]:
    return [Example(title, match[2], match[1]) for match in _EXAMPLE.finditer(text)]
