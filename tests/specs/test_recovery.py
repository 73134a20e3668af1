"""What is read of texts with mistakes in their syntax: all that can be, by the reader that reads good texts."""

from collections.abc import Iterator

import pytest

from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.reading import recovery
from netwright.specs.reading.documents import read_text, recover_text
from netwright.specs.reading.mending import MendingParser
from netwright.specs.source.tree import SourceNode, SourceText

from ..mutations.__main__ import draw
from ..mutations.zoo import subjects
from .test_parsers import varied

HEAD = "netwright: 1\nlayers:\n"


def laid_out(root: SourceNode) -> list[tuple]:
    """All that is written in a tree, in the order of the text."""
    found = []
    for path, node in root.walk():
        if node.start < node.end:
            pairs = [*node.entries.items(), *node.repeated]
            keys = sorted((entry.start, entry.end, key) for key, entry in pairs)
            found.append((node.start, node.end, str(path), keys, None if node.is_collection else node.value))
    return sorted(found, key=lambda one: one[:3])


def test_good_texts_read_as_ever() -> None:
    for subject in subjects():
        found = Diagnostics()
        tree = read_text(subject.text, subject.file, found)
        assert tree is not None
        recovered = recover_text(subject.text, subject.file)
        assert recovered.value == tree.value
        assert laid_out(recovered.root) == laid_out(tree.root)


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("  - {name: a, type: \n  - {name: b}\n", [{"name": "a", "type": None}, {"name": "b"}]),
        ("  - {name: a, fil\n  - {name: b}\n", [{"name": "a", "fil": None}, {"name": "b"}]),
        ("  - {name: a,\n     fil\n  - {name: b}\n", [{"name": "a", "fil": None}, {"name": "b"}]),
        ("  - name: a\n    pad\n  - name: b\n", [{"name": "a", "pad": None}, {"name": "b"}]),
        ("  - name: 'a\n    type: relu\n  - name: b\n", [{"name": "a", "type": "relu"}, {"name": "b"}]),
        ('  - {name: "a, type: b}\n  - {name: b}\n', [{"name": "a, type: b"}, {"name": "b"}]),
        ("  - {name: a, inputs: [x, }\n  - {name: b}\n", [{"name": "a", "inputs": ["x"]}, {"name": "b"}]),
        ("  - {name: a]\n  - {name: b}\n", [{"name": "a"}, {"name": "b"}]),
        ("  - {name: a, {type: b}\n  - *x\n", [{"name": "a", "": {"type": "b"}}, "*x"]),
        ("  - {name: a inputs: [x] type: @b}\n", [{"name": None, "a inputs": ["x"], "type": "@b"}]),
        ("  - &a {name: a\n  - *a\n", [{"name": "a"}, {"name": "a"}]),
        (
            "  - name: a\n    words: |\n      - {b: [\n    fil\n",
            [{"name": "a", "words": "- {b: [\n", "fil": None}],
        ),
        ("  - {name: a}  # {\n  - {name: b\n", [{"name": "a"}, {"name": "b"}]),
        ("  - name\n      type: relu\n", ["name", {"type": "relu"}]),
        ("  - \n  -\n  - {\n", [None, None, {}]),
    ],
)
def test_what_is_left_open_ends(text: str, layers: list) -> None:
    text = f"{HEAD}{text}outputs: {{y: a}}\n"
    assert read_text(text, "spec.yaml", Diagnostics()) is None or layers[0] is None or "&a" in text
    tree = recover_text(text, "spec.yaml")
    assert tree.value == {"netwright": 1, "layers": layers, "outputs": {"y": "a"}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("netw", {"netw": None}),
        ("netwright: 1\ninputs\n  x: {shape: [N]}\n", {"netwright": 1, "inputs": {"x": {"shape": ["N"]}}}),
        ("a: 1\n---\n%b\n...\nc: 2\n", {"a": 1, "---": None, "%b": None, "...": None, "c": 2}),
        ("a: b: c\nd: e\n", {"a": "b", "": "c", "d": "e"}),
        ("  a: 1\nb: 2\n", {"a": 1, "b": 2}),
        ("a: 1\n\tb: 2\nc: 3\n", {"a": 1, "": {"b": 2}, "c": 3}),
        ("{a: 1, b: {c: [2", {"a": 1, "b": {"c": [2]}}),
    ],
)
def test_yaml(text: str, value: object) -> None:
    assert recover_text(text, "spec.yaml").value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ('{"a": 1, "b": [1, {"c": ', {"a": 1, "b": [1, {"c": None}]}),
        (
            '{"a": [\n  {"b": 1, "c": \n  {"b": 2}\n ],\n "d": 3\n}',
            {"a": [{"b": 1, "c": None}, {"b": 2}], "d": 3},
        ),
        ('{"a": [\n  {"b": "x\n  {"b": 2}\n ]}', {"a": [{"b": "x"}, {"b": 2}]}),
        ('{"a": "x}', {"a": "x"}),
        ('{"a":\n "b": 2}', {"a": None, "b": 2}),
        ('{"a": 1 "b" 2 c: 3, }', {"a": 1, "b": None, "2": None, "c": 3}),
        ('{"a": tru, "b": [1,, 2], "c": "\\q", "d": }', {"a": "tru", "b": [1, 2], "c": "\\q", "d": None}),
        ('{"a": [1, {"b": 2], "c": 3}', {"a": [1, {"b": 2}], "c": 3}),
    ],
)
def test_json(text: str, value: object) -> None:
    assert read_text(text, "spec.json", Diagnostics()) is None
    assert recover_text(text, "spec.json").value == value


def test_keys_that_are_there_already_are_kept() -> None:
    for text in ("{a: 1, b: 2, a: 3}", '{"a": 1, "b": 2, "a": 3}'):
        root = recover_text(text, "spec.json" if '"' in text else "spec.yaml").root
        assert root.value == {"a": 1, "b": 2}
        ((key, entry),) = root.repeated
        assert (key, entry.node.value) == ("a", 3)


def damaged(text: str, step: int) -> Iterator[str]:
    """Beginnings of a text, and texts with a character less or more."""
    for number, at in enumerate(range(len(text) % step, len(text) + 1, step)):
        yield text[:at]
        yield text[:at] + text[at + 1 :]
        yield text[:at] + "{}[]:,-#\"'\n &*!|>%@\t?a\0\\\u2028"[(number + len(text)) % 24] + text[at:]


@pytest.mark.parametrize("number", range(4))
def test_every_text_has_a_tree(number: int, deep: bool) -> None:
    for subject in subjects()[number::4]:
        for text in damaged(subject.text, 127 if deep else 508):
            found = Diagnostics()
            assert read_text(text, subject.file, found) is not None or found.has_errors
            for path, node in recover_text(text, subject.file).root.walk():
                assert 0 <= node.start <= node.end <= len(text), path


def test_parts_are_mended_as_the_whole(monkeypatch: pytest.MonkeyPatch, deep: bool) -> None:
    parts, drawn = [], 300 if deep else 150
    recover_part = recovery._recover_part

    def recorded(*arguments):
        parts.append(recover_part(*arguments))
        return parts[-1]

    monkeypatch.setattr(recovery, "_recover_part", recorded)
    same = count = 0
    for number in range(drawn):
        _, mutation, random = draw(number, 2)
        source = SourceText("spec.yaml", varied(mutation.text, random))
        tree = recovery.recover_yaml(source)
        if parts and parts.pop() is tree:
            whole = recovery._Keeping(source)
            whole.take_all(MendingParser(source.text))
            count += 1
            same += laid_out(tree) == laid_out(whole.finished())
    assert count > drawn // 6
    assert same > 0.97 * count
