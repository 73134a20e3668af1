"""Files that are no specs, and texts made to break a reader: always a diagnostic, never an exception."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.specs import load_spec, load_spec_text
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.reading.documents import SIZE_LIMIT, read_bytes, read_text
from netwright.specs.source.tree import SourceTree

from .specs import LENET, PENDULUM


def only(result) -> tuple[str, int, int]:
    (item,) = result.diagnostics
    assert result.model is None
    assert result.diagnostics.to_text().startswith(f"error[{item.code}]")
    return item.code, item.span.line, item.span.column


@pytest.mark.parametrize("name", ["spec.yaml", "spec.json"])
def test_files_that_are_no_specs(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert only(load_spec(path)) == ("NW0109", 1, 1)
    path.write_bytes(b"")
    assert only(load_spec(path)) == ("NW0108", 1, 1)
    path.write_bytes(b"\xef\xbb\xbf \n")
    assert only(load_spec(path))[0] == "NW0108"
    path.write_bytes(b"a: 1\nb: \xff\n")
    assert only(load_spec(path)) == ("NW0111", 2, 4)
    path.write_bytes(b"a: 1\nb: \x00\n")
    assert only(load_spec(path)) == ("NW0111", 2, 4)
    path.write_bytes("a: 1".encode("utf-16"))
    assert only(load_spec(path)) == ("NW0111", 1, 1)
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    assert only(load_spec(path)) == ("NW0110", 1, 1)
    with path.open("wb") as file:
        file.truncate(SIZE_LIMIT + 1)
    assert only(load_spec(path)) == ("NW0110", 1, 1)


def test_directories_devices_and_bad_paths(tmp_path: Path) -> None:
    assert only(load_spec(tmp_path)) == ("NW0109", 1, 1)
    assert only(load_spec("/dev/null")) == ("NW0109", 1, 1)
    assert only(load_spec("a\0b")) == ("NW0109", 1, 1)


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("[" * 100_000, "a.yaml"),
        ("{a: " * 100_000, "a.yaml"),
        ("- " * 100_000, "a.yaml"),
        ("\n".join(" " * i + "a:" for i in range(2000)), "a.yaml"),
        ("? " * 10_000, "a.yaml"),
        ("[" * 1_000_000, "a.json"),
        ('{"a":' * 1_000_000, "a.json"),
    ],
)
def test_deep_nesting(text: str, file: str) -> None:
    assert only(load_spec_text(text, file))[0] in ("NW0105", "NW0113", "NW0101")


def test_depth_limit_is_exact() -> None:
    for reader, name in ((lambda d: "[" * d + "]" * d, "a.json"), (lambda d: "[" * d + "]" * d, "a.yaml")):
        fine, deep = Diagnostics(), Diagnostics()
        assert read_text(reader(100), name, fine) is not None
        assert read_text(reader(101), name, deep) is None
        assert [item.code for item in deep] == ["NW0105"]


def test_long_numbers_and_keys() -> None:
    for file in ("a.yaml", "a.json"):
        text = '{"netwright": ' + "9" * 100_000 + "}"
        assert only(load_spec_text(text, file))[0] == "NW0112"
    result = load_spec_text("k" * 100_000 + ": 1", "a.yaml")
    assert result.model is None


def in_bounds(tree: SourceTree) -> None:
    for path, node in tree.root.walk():
        assert 0 <= node.start <= node.end <= len(tree.source.text)
        for span in (tree.value_span(path), tree.key_span(path), tree.entry_span(path)):
            assert (span.line, span.column) <= (span.end_line, span.end_column)
            assert 1 <= span.line <= span.end_line <= tree.source.line_count
            assert span.end_column <= len(tree.source.line(span.end_line)) + 2  # the line break counts


def check(data: bytes, file: str) -> None:
    diagnostics = Diagnostics()
    tree = read_bytes(data, file, diagnostics)
    assert tree is not None or diagnostics.has_errors
    if tree is not None:
        in_bounds(tree)
    diagnostics.to_text(color=True)
    json.loads(diagnostics.to_json_text())


@given(st.binary(max_size=300), st.sampled_from(["a.yaml", "a.json"]))
def test_random_bytes(data: bytes, file: str) -> None:
    check(data, file)


YAML_PIECES = st.sampled_from(
    [
        *"[]{}:,-?&*!|>'\"%@`#~\\\n\t ",
        "a",
        "1",
        "&a ",
        "*a",
        "!!str ",
        "---",
        "...",
        "<<",
        "\\u00",
        "\n  ",
        ": ",
        "- ",
        "é",
    ]
)


@given(st.lists(YAML_PIECES, max_size=60).map("".join), st.sampled_from(["a.yaml", "a.json"]))
def test_random_syntax(text: str, file: str) -> None:
    check(text.encode(), file)
    load_spec_text(text, file).diagnostics.to_text()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(string.printable, max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_json_round_trip(value: object, ascii_only: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    diagnostics = Diagnostics()
    tree = read_text(text, "a.json", diagnostics)
    assert tree is not None, diagnostics.to_text()
    assert tree.value == value
    in_bounds(tree)
    for _, node in tree.root.walk():
        if not isinstance(node.value, list | dict):
            assert json.loads(text[node.start : node.end]) == node.value


@given(st.sampled_from([LENET, PENDULUM]), st.data())
def test_mutated_specs_never_raise(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 8)))
        text = text[:start] + data.draw(st.lists(YAML_PIECES, max_size=3).map("".join)) + text[end:]
    result = load_spec_text(text, "a.yaml")
    assert (result.model is None) == result.diagnostics.has_errors
    result.diagnostics.to_text(color=True)
    for item in result.diagnostics:
        assert item.span.line >= 1
        assert item.span.column >= 1


KEYS = st.sampled_from(
    [
        "netwright",
        "model",
        "dims",
        "inputs",
        "layers",
        "outputs",
        "cells",
        "train",
        "name",
        "type",
        "shape",
        "units",
        "defaults",
        "conv2d",
        "update",
        "input",
        "loss",
        "from",
        "share",
        "initial_state",
        "padding",
        "init",
        "with",
    ]
)


@given(
    st.recursive(
        st.sampled_from(
            [None, True, 1, 0, -1, 2.5, "a", "N", "conv2d", "lstm", "recurrent", "x", "h = x", "mse"]
        ),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
        max_leaves=40,
    )
)
def test_random_trees_of_our_words_never_raise(value: object) -> None:
    result = load_spec_text(json.dumps(value), "a.json")
    assert (result.model is None) == result.diagnostics.has_errors
    result.diagnostics.to_text()


@given(st.data())
def test_a_good_spec_with_one_subtree_replaced_never_raises(data: st.DataObject) -> None:
    tree = load_spec_text(data.draw(st.sampled_from([LENET, PENDULUM])), "a.yaml").source
    assert tree is not None
    paths = [path for path, _ in tree.root.walk() if path]
    path = data.draw(st.sampled_from(paths))
    value = json.loads(json.dumps(tree.value))
    target = value
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = data.draw(VALUES)
    result = load_spec_text(json.dumps(value), "a.json")
    result.diagnostics.to_text()
    assert (result.model is None) == result.diagnostics.has_errors
