"""A page for each diagnostic code: what it means, and an example that causes it together with the correction.

The pages of a family are in one Markdown file, one section per code. An example is a block `diff`: without the lines
that begin with `+` it is a spec that causes exactly that code, without those that begin with `-` it is valid. The
sections that an example leaves out come from `FRAME`, unless the block says `json` or `whole`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from ..codes import CODES

FRAME = {
    "netwright": "netwright: 1",
    "model": "model: example",
    "dims": "dims: {N: batch}",
    "inputs": "inputs: {x: {shape: [N, 8]}}",
    "layers": "layers: [{name: head, type: dense, units: 10}]",
    "outputs": "outputs: {y: head}",
}
"""The usual sections, for examples that leave them out."""

_SECTION = re.compile(r"^## (NW\d{4})\n", re.MULTILINE)
_EXAMPLE = re.compile(r"^```diff *(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """A code's page: `title` is its title in the registry, `text` the Markdown without the example."""

    code: str
    title: str
    text: str
    example: str | None
    kind: str = ""
    """`json` for an example in JSON, `whole` for a YAML example that is not completed from `FRAME`."""

    @property
    def file(self) -> str:
        """The file name under which the example is loaded."""
        return "example.json" if self.kind == "json" else "example.yaml"

    @property
    def wrong(self) -> str | None:
        """The spec that causes the code; None if no spec's text can cause it."""
        return self._spec("+")

    @property
    def right(self) -> str | None:
        """The corrected spec."""
        return self._spec("-")

    def _spec(self, without: str) -> str | None:
        if self.example is None:
            return None
        lines = self.example.splitlines(keepends=True)
        text = "".join(line[2:] for line in lines if not line.startswith(without))
        return text if self.kind else framed(text)

    def to_markdown(self) -> str:
        """The whole page as Markdown."""
        example = f"\n\n```diff\n{self.example}```" if self.example else ""
        return f"# {self.code}: {self.title}\n\n{self.text}{example}\n"


@lru_cache(maxsize=1)
def pages() -> dict[str, Page]:
    """All pages by code, in the registry's order."""
    pages: dict[str, Page] = {}
    for file in sorted(files("netwright.specs.diagnostics.pages").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".md"):
            _, *parts = _SECTION.split(file.read_text(encoding="utf-8"))
            for code, body in zip(parts[::2], parts[1::2], strict=True):
                example = _EXAMPLE.search(body)
                text = _EXAMPLE.sub("", body).strip()
                shown, kind = (example[2], example[1]) if example else (None, "")
                pages[code] = Page(code, CODES[code], text, shown, kind)
    return {code: pages[code] for code in CODES if code in pages}


def framed(text: str) -> str:
    """An example completed with the sections it leaves out."""
    written = set(re.findall(r"^([a-z$]+):", text, re.MULTILINE))
    before = [line for key, line in FRAME.items() if key not in written and key not in ("layers", "outputs")]
    after = [FRAME[key] for key in ("layers", "outputs") if key not in written]
    return "\n".join([*before, text.rstrip("\n"), *after]) + "\n"
