"""What stands at the cursor, in texts that are whole and in texts that are being typed."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from netwright.lsp.completion import complete
from netwright.lsp.cursor import cursor_at
from netwright.lsp.names import layers
from netwright.lsp.reading import definition, hover
from netwright.specs.reading.documents import recover_text

from ..specs.specs import LENET, PENDULUM

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
    cursor = cursor_at(recover_text(whole.replace("|", "", 1), "spec.yaml"), whole.index("|"))
    assert cursor is not None
    assert (cursor.path, cursor.key, cursor.word) == (path, key, word)


@pytest.mark.parametrize(
    ("text", "path", "key", "word"),
    [
        ("  - {name: a,\n     type: conv2d,\n     fil|\n  - {name: b}\n", ("layers", 0), None, "fil"),
        ("  - {name: a,  # the first: {\n     type: |}\n  - {name: b}\n", ("layers", 0), "type", ""),
        ("  - {name: a, inputs: [x] type: |}\n", ("layers", 0), "type", ""),
        ('  - {name: a, type: "co|}\n  - {name: b, type: "relu"}\n', ("layers", 0), "type", "co"),
        ("  - &first {name: a, type: de|}\n", ("layers", 0), "type", "de"),
        ("  - {name: a, type: &kind de|}\n", ("layers", 0), "type", "de"),
        ("  - &first\n    name: a\n    ty|\n", ("layers", 0), None, "ty"),
        ("  - {name: a}\ntrain:\n  lo|\n", (), "train", "lo"),
        ("  - {name: a}\ntrain:\n  |\n", (), "train", ""),
        ("  - {name: a}\ninclude: [part|\noutputs: {y: a}\n", ("include",), None, "part"),
    ],
)
def test_brackets_anchors_and_values_below_their_keys(
    text: str, path: tuple, key: str | None, word: str
) -> None:
    test_what_stands_at_the_cursor(text, path, key, word)


@pytest.mark.parametrize(
    "text", ["  - {name: a, type: relu}  # type: |\n", "# {|\n", "description: |-\n  layers: [{type: ?\n"]
)
def test_nothing_stands_in_comments_and_in_texts_of_lines(text: str) -> None:
    mark = "?" if "?" in text else "|"
    whole = HEAD + text
    tree = recover_text(whole.replace(mark, "", 1), "spec.yaml")
    assert cursor_at(tree, whole.index(mark)) is None
    assert complete(tree, whole.index(mark), None) == []


def test_keys_and_items_below_their_key() -> None:
    for text, expected in (
        ("netwright: 1\ntrain:\n  |\n", "loss: "),
        ("netwright: 1\ntrain:\n  lo|\n", "loss: "),
        ("netwright: 1\nlayers:\n  |\n", "- {name: , type: }"),
    ):
        tree = recover_text(text.replace("|", ""), "spec.yaml")
        assert expected in [one.text for one in complete(tree, text.index("|"), None)]


JSON_LINES = """\
{"netwright": 1,
 "layers": [
  {"name": "a",
   %s
  {"name": "b"}
 ]
}
"""


@pytest.mark.parametrize(
    ("text", "path", "key", "word"),
    [
        ('"type": |', ("layers", 0), "type", ""),
        ('"type": "co|', ("layers", 0), "type", "co"),
        ('"ty|\n   "units": 3},', ("layers", 0), None, "ty"),
        ('"activation": {"type": "re|', ("layers", 0, "activation"), "type", "re"),
        ('"inputs": ["x", |', ("layers", 0, "inputs"), None, ""),
        ('"units": 3, |},', ("layers", 0), None, ""),
    ],
)
def test_what_stands_at_the_cursor_in_json(text: str, path: tuple, key: str | None, word: str) -> None:
    whole = JSON_LINES % text
    tree = recover_text(whole.replace("|", ""), "spec.json")
    cursor = cursor_at(tree, whole.index("|"))
    assert cursor is not None
    assert (cursor.path, cursor.key, cursor.word) == (path, key, word)
    assert [one.name for one in layers(tree)] == ["a", "b"]


def test_json() -> None:
    text = '{"netwright": 1, "layers": [{"name": "a", "type": "co|"}]}'
    tree = recover_text(text.replace("|", ""), "spec.json")
    proposals = {one.label: one for one in complete(tree, text.index("|"), None)}
    assert proposals["conv2d"].text == '"conv2d"'
    text = '{"netwright": 1, "layers": [{"name": "a", "type": "conv2d", |}]}'
    tree = recover_text(text.replace("|", ""), "spec.json")
    assert '"filters": ' in [one.text for one in complete(tree, text.index("|"), None)]


TEXTS = [
    ("spec.yaml", LENET),
    ("spec.yaml", PENDULUM),
    ("spec.json", json.dumps(yaml.safe_load(LENET), indent=1)),
]


@given(
    st.sampled_from(TEXTS),
    st.integers(0, 3000),
    st.integers(0, 40),
    st.text("{}[]:,-# \n\"'a$", max_size=6),
)
def test_broken_texts(subject: tuple[str, str], start: int, length: int, put: str) -> None:
    file, text = subject
    start %= len(text)
    broken = text[:start] + put + text[start + length :]
    tree = recover_text(broken, file)
    for offset in (0, start, min(start + len(put), len(broken)), len(broken)):
        complete(tree, offset, None)
        hover(tree, offset, None)
        definition(tree, offset)
