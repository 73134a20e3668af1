"""Text of other people where it is shown: the page, pictures, terminals. It is seen, and does nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import Result

import netwright
from netwright.drawing.picture import Arrow, Box, Picture
from netwright.drawing.svg import to_svg
from netwright.drawing.text import to_dot, to_text
from netwright.markup import escape, script_json
from netwright.report.page import report
from netwright.specs.diagnostics.visible import visible

Cli = Callable[..., Result]
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script",
    "--><img src=x onerror=alert(1)>",
    "]]>&amp;&#x3c;b>",
    "\"' onmouseover='alert(1)' \"",
    '`${alert(1)}` \\ \\" \\n \\l %n',
    "@@data@@ @@script@@",
    "[bold]loud[/bold] [link=http://x]here[/link] :smile:",
    "\x1b[31mred\x1b]0;title\x07\x00\x08\x0b\x0c\x0d\x7f\x9b2J",
    "line\nbreak\u2028and\u2029more\u0085",
    "\u202egnp.exe\u2066\u200f",
    "a\ufffeb\uffffc",
]
SPEC = """\
netwright: 1
model: tiny
dims: {n: batch}
inputs:
  x: {shape: [n, 4]}
layers:
  - {name: head, type: dense, units: COUNT}
  - {name: which, type: argmax}
outputs:
  y: head
  k: {from: which, labels: LABELS}
"""


def spec_text() -> str:
    labels = [text.replace("\x00", "") for text in HOSTILE]
    text = SPEC.replace("COUNT", str(len(labels))).replace("LABELS", json.dumps(labels))
    comments = [re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]", "", one) for one in HOSTILE]
    return text + "".join(f"# {comment}\n" for comment in comments)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "a<!--<script \"'&\x1b[31m\u202e.yaml"
    path.write_text(spec_text(), encoding="utf-8")
    return path


class Elements(HTMLParser):
    """Counts elements and takes what stands in scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.scripts: list[str] = []
        self.text: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.attributes |= {name for name, _ in attrs}
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data
        else:
            self.text.append(data)


def parsed(page: str) -> Elements:
    elements = Elements()
    elements.feed(page)
    elements.close()
    return elements


def test_the_page_is_what_it_is_without_hostile_text(spec: Path, tmp_path: Path) -> None:
    model = netwright.load(spec)
    assert model.is_valid, model.diagnostics.to_text()
    page = report(model)
    found = parsed(page)
    plain = tmp_path / "plain.yaml"
    labels = json.dumps([f"label {i}" for i in range(len(HOSTILE))])
    comments = "# comment\n" * len(HOSTILE)
    plain.write_text(SPEC.replace("COUNT", str(len(HOSTILE))).replace("LABELS", labels) + comments)
    wanted = parsed(report(netwright.load(plain)))
    assert found.counts == wanted.counts
    assert found.attributes == wanted.attributes
    data, script = found.scripts
    assert "<" not in data
    assert script == wanted.scripts[1]
    facts = dict(json.loads(data)["output:k"]["facts"])
    assert all(visible(text.replace("\x00", "")) in facts["labels"] for text in HOSTILE)
    shown = "".join(found.text)
    assert "# </script><script>alert(1)</script>" in shown
    assert "# <!--<script" in shown
    assert not set(page) & {*map(chr, range(9)), "\x0b", "\x1b", "\u202e", "\u2028"}


def test_json_in_a_script_reads_the_same() -> None:
    for text in HOSTILE:
        inside = script_json({text: [text]})
        assert json.loads(inside) == {text: [text]}
        assert not set(inside) & set("<>&\u2028\u2029")


@pytest.mark.parametrize("text", HOSTILE)
def test_pictures_hold_any_text(text: str) -> None:
    boxes = (
        Box("a", text, (text, text), text, "input", tag=text, loops=(text,)),
        Box(text, "b", ("plain",), text, "output"),
    )
    picture = Picture(text, text, boxes, (Arrow("a", text, text),))
    svg = to_svg(picture)
    tree = ElementTree.fromstring(svg)
    names = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert names <= {"svg", "style", "title", "defs", "marker", "path", "rect", "text", "g"}
    assert {name for element in tree.iter() for name in element.attrib if name.startswith("on")} == set()
    assert escape(text) in svg
    dot = to_dot(picture)
    left = re.sub(r'"(?:[^"\\]|\\.)*"', "", dot)
    assert re.fullmatch(r"[\w\s={};,\[\]>-]*", left), left
    for drawn in (dot, to_text(picture)):
        assert drawn.replace("\n", "").isprintable()


@pytest.mark.parametrize("suffix", [".svg", ".dot", ".txt"])
def test_a_hostile_spec_is_drawn(spec: Path, suffix: str) -> None:
    content = netwright.draw(netwright.load(spec)).content(suffix).decode()
    assert content.replace("\n", "").isprintable()


def test_terminals_show_brackets_and_pictures(cli: Cli, spec: Path) -> None:
    for command in (
        ["summary"],
        ["summary", "--quick"],
        ["resources", "--entry", "predict"],
        ["validate"],
        ["shift"],
    ):
        done = cli(*command, spec)
        assert done.exit_code == 0, done.output
        assert done.output.replace("\n", "").isprintable(), command
    assert "[n, 12]" in cli("summary", spec, "--quick").output  # no markup, though it looks like some
    done = cli("summary", spec, "--set", "outputs.y=\x1b[31m[bold]\u202e")
    assert done.exit_code in (1, 2)
    assert done.output.replace("\n", "").isprintable()
    done = cli("evaluate", spec, "--weights", "none\x1b[31m\u202e\nhere")
    assert done.exit_code == 2
    assert done.output.replace("\n", "").isprintable()
    done = cli("graph", spec, "-o", "\x1b[31m\u202e.svg")
    assert done.exit_code == 0
    assert done.output.replace("\n", "").isprintable()
