"""The tolerant reading agrees with the loader on good texts, and reads every other one."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.lsp.completion import complete
from netwright.lsp.loose import Loose, LooseText
from netwright.lsp.reading import definition, hover
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.reading.documents import read_text

from ..specs.specs import LENET, PENDULUM

PROJECT = Path(__file__).parents[2]
FILES = [*(PROJECT / "examples").rglob("*.yaml"), *(PROJECT / "api").rglob("*.yaml")]
TEXTS = [LENET, PENDULUM, *(path.read_text(encoding="utf-8") for path in sorted(FILES))]


def plain(node: Loose | None) -> Any:
    if node is None:
        return None
    if node.kind == "map":
        return {entry.key: plain(entry.value) for entry in node.entries}
    return [plain(item) for item in node.items] if node.kind == "list" else node.text


def same(loose: Any, strict: Any) -> bool:
    if isinstance(strict, dict):
        return list(loose) == list(strict) and all(same(loose[key], strict[key]) for key in strict)
    if isinstance(strict, list):
        return len(loose) == len(strict) and all(map(same, loose, strict))
    return not isinstance(strict, str) or loose == strict


@pytest.mark.parametrize("text", TEXTS)
def test_good_texts(text: str) -> None:
    tree = read_text(text, "spec.yaml", Diagnostics())
    assert tree is not None
    assert same(plain(LooseText(text).root), tree.value)


HEAD = "netwright: 1\nmodel: m\ninputs:\n  x: {shape: [N, 3]}\nlayers:\n"


@pytest.mark.parametrize(
    ("text", "path", "key", "word"),
    [
        ("  - {name: a, type: |\n  - {name: b, type: relu}\n", ("layers", 0), "type", ""),
        ("  - {name: a, type: conv2d, |}\n  - {name: b}\n", ("layers", 0), None, ""),
        ("  - {name: a, type: conv2d, fil|\n  - {name: b}\n", ("layers", 0), None, "fil"),
        ("  - name: a\n    type: conv2d\n    |\noutputs: {y: a}\n", ("layers", 0), None, ""),
        ("  - name: a\n    type: |\n    units: 3\n", ("layers", 0), "type", ""),
        ("  - name: a\n    pad|\n  - name: b\n", ("layers", 0), None, "pad"),
        ("  - {name: b, inputs: [x, |]}\n", ("layers", 0, "inputs"), None, ""),
        ("  - |\noutputs: {y: a}\n", ("layers",), None, ""),
        ("  - {name: a, activation: {type: |}}\n", ("layers", 0, "activation"), "type", ""),
        ("  - {name: a}\n|\n", (), None, ""),
        ("  - {name: a}\noutputs: {y: |}\n", ("outputs",), "y", ""),
        ("  - {name: a}\ntrain:\n  loss: {type: mse, |\n  epochs: 3\n", ("train", "loss"), None, ""),
    ],
)
def test_what_stands_at_the_cursor(text: str, path: tuple, key: str | None, word: str) -> None:
    whole = HEAD + text
    cursor = LooseText(whole.replace("|", "", 1)).at(whole.index("|"))
    assert (cursor.path, cursor.key, cursor.word) == (path, key, word)


def test_json() -> None:
    text = '{"netwright": 1, "layers": [{"name": "a", "type": "co|"}]}'
    loose = LooseText(text.replace("|", ""))
    proposals = {one.label: one for one in complete(loose, text.index("|"), None)}
    assert proposals["conv2d"].text == '"conv2d"'


@given(
    st.sampled_from(TEXTS), st.integers(0, 3000), st.integers(0, 40), st.text("{}[]:,-# \n\"'a$", max_size=6)
)
def test_broken_texts(text: str, start: int, length: int, put: str) -> None:
    start %= len(text)
    broken = text[:start] + put + text[start + length :]
    loose = LooseText(broken)
    for offset in (0, start, min(start + len(put), len(broken)), len(broken)):
        complete(loose, offset, None)
        hover(loose, offset, None)
        definition(loose, offset)
