"""YAML's two parsers, in C and in Python, read the same: values, and where each key and value stands."""

from random import Random

import pytest

from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.reading import yaml as yaml_reader
from netwright.specs.reading.yaml import read_yaml
from netwright.specs.source.tree import SourceNode, SourceText

from ..mutations.__main__ import draw
from ..mutations.zoo import subjects

pytestmark = pytest.mark.skipif(yaml_reader.CParser is None, reason="PyYAML was built without libyaml")

INSERTED = (
    *"{}[]:,#&*|>'\"@`- \n\\$0aé^~<=",
    "\r\n",
    "- ",
    ": ",
    "|\n",
    ">-\n  ",
    "&a ",
    "*a ",
    "---\n",
    "...\n",
)
INSERTED += (
    "\\u00e9",
    "\U0001f600",
    "''",
    '""',
    "a: &x [1]\n",
    "a:  b \n",
    "# c\n",
    "  ",
    "[[",
    "}}",
    "\r",
    "\x85",
)


def laid_out(node: SourceNode) -> list[tuple]:
    return [
        (path, one.start, one.end, repr(one.value), [(key, e.start, e.end) for key, e in one.entries.items()])
        for path, one in node.walk()
    ]


def both(text: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Compares what the parsers make of a text; whether the one in C read it."""
    quick = yaml_reader._read_plain(SourceText("spec.yaml", text))
    with monkeypatch.context() as context:
        context.setattr(yaml_reader, "CParser", None)
        found = Diagnostics()
        slow = read_yaml(SourceText("spec.yaml", text), found)
    if quick is None or yaml_reader._CORNERS.search(text):
        return False
    assert slow is not None, f"{text}\n{found.to_text()}"
    assert found.items == []
    assert laid_out(quick) == laid_out(slow)
    return True


def test_specs(monkeypatch: pytest.MonkeyPatch) -> None:
    read = [both(subject.text, monkeypatch) for subject in subjects() if not subject.name.endswith(".json")]
    assert sum(read) > 0.9 * len(read)


def test_broken_specs(monkeypatch: pytest.MonkeyPatch, deep: bool) -> None:
    read, drawn = 0, 600 if deep else 300
    for number in range(drawn):
        _, mutation, random = draw(number, 1)
        read += both(varied(mutation.text, random), monkeypatch)
    assert read > drawn // 4


def varied(text: str, random: Random) -> str:
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(INSERTED) + text[at:]
    return text.replace("\n", "\r\n") if random.random() < 0.1 else text


@pytest.mark.parametrize(
    "text", ["[" * 10**6, "- " * 10**6, "{a: " * 10**6, "? " * 10**6, "a: |\n" + " b\n" * 10**5]
)
def test_large_texts_end_soon(text: str) -> None:
    found = Diagnostics()
    root = read_yaml(SourceText("spec.yaml", text), found)
    assert (root is None) == found.has_errors
