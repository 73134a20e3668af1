"""The language server, asked by a client over pipes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .client import Client

pytest.importorskip("pygls", reason="pygls is not installed (extra: lsp)")

FOLDER = "file:///tmp/netwright-lsp-test"
SPEC = """\
netwright: 1
model: m
dims: {N: batch}
inputs: {image: {shape: [N, 28, 28, 1]}}
layers:
  - {name: conv1, type: conv2d, filters: 8, kernel_size: 5, padding: same}   # 𝔘nicode
  - {name: pool1, type: max_pool2d, pool_size: 2}
  - {name: flat, type: flatten}
  - {name: head, type: dense, units: 10, inputs: [flat]}
outputs: {scores: head}
"""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    found = Client()
    yield found
    found.close()
    assert found.process.returncode == 0


@pytest.fixture
def uri(request: pytest.FixtureRequest) -> str:
    """A document of its own for each test, so that no late answer is taken for another's."""
    return f"{FOLDER}/{request.node.name}.yaml"


@pytest.fixture
def valid(client: Client, uri: str) -> Iterator[Client]:
    assert client.open(uri, SPEC) == []
    yield client
    client.tell("textDocument/didClose", {"textDocument": {"uri": uri}})


def place(text: str, word: str, skip: int = 0) -> tuple[int, int]:
    """Line and character of a word."""
    for line, words in enumerate(text.split("\n")):
        if word in words:
            return line, len(words[: words.index(word)].encode("utf-16-le")) // 2 + skip
    raise AssertionError(word)


def labels(answer) -> list[str]:
    return [item["label"] for item in answer["items"]]


def test_diagnostics_as_one_types(valid: Client, uri: str) -> None:
    line, start = place(SPEC, "pool_size")
    where = {"start": {"line": line, "character": start}, "end": {"line": line, "character": start + 4}}
    valid.change(uri, 2, "pol", where)
    (found,) = valid.diagnostics(uri)
    assert (found["code"], found["severity"]) == ("NW0201", 1)
    assert found["range"]["start"] == {"line": line, "character": start}
    assert "did you mean pool_size?" in found["message"]
    valid.change(uri, 3, SPEC)
    assert valid.diagnostics(uri) == []


def test_a_second_place_is_told_too(valid: Client, uri: str) -> None:
    valid.change(uri, 2, SPEC.replace("pool_size: 2", "pool_size: 40"))
    (found,) = valid.diagnostics(uri)
    assert found["code"] == "NW0304"
    (related,) = found["relatedInformation"]
    assert related["location"]["range"]["start"]["line"] == 3


def test_completion_of_keys_types_words_and_names(valid: Client, uri: str) -> None:
    text = SPEC.replace("pool_size: 2}", "pool_size: 2, }")
    valid.change(uri, 2, text)
    keys = labels(valid.at("completion", uri, *place(text, "2, }", 3)))
    assert {"stride", "padding", "rounding", "inputs"} <= set(keys)
    assert "pool_size" not in keys
    text = SPEC.replace("type: flatten}", "type: ")
    valid.change(uri, 3, text)
    answer = valid.at("completion", uri, *place(text, "name: flat, type: ", 18))
    assert {"lstm", "flatten", "conv3d"} <= set(labels(answer))
    assert all(item["documentation"]["value"] for item in answer["items"])
    text = SPEC.replace("padding: same}", "padding: }")
    valid.change(uri, 4, text)
    assert labels(valid.at("completion", uri, *place(text, "padding: ", 9)))[:2] == ["valid", "same"]
    names = labels(valid.at("completion", uri, *place(SPEC, "[flat]", 1)))
    assert names[:3] == ["flat", "pool1", "conv1"]
    assert "image" in names
    assert "head" not in names


def test_a_completion_is_an_edit(valid: Client, uri: str) -> None:
    text = SPEC.replace("pool_size: 2}", "pool_size: 2, stri}")
    valid.change(uri, 2, text)
    line, start = place(text, "stri}")
    answer = valid.at("completion", uri, line, start + 4)
    stride = next(item for item in answer["items"] if item["label"] == "stride")
    assert stride["textEdit"]["newText"] == "stride: "
    assert stride["textEdit"]["range"]["start"] == {"line": line, "character": start}
    assert stride["textEdit"]["range"]["end"] == {"line": line, "character": start + 4}


def test_hover(valid: Client, uri: str) -> None:
    shown = valid.at("hover", uri, *place(SPEC, "conv1", 2))["contents"]["value"]
    assert "`[N, 28, 28, 8]`" in shown
    assert "208 parameters" in shown
    assert (
        "number of output channels" in valid.at("hover", uri, *place(SPEC, "filters", 2))["contents"]["value"]
    )
    assert (
        "convolution over two axes" in valid.at("hover", uri, *place(SPEC, "conv2d", 2))["contents"]["value"]
    )
    assert "`[N, 1568]`" in valid.at("hover", uri, *place(SPEC, "[flat]", 2))["contents"]["value"]
    assert valid.at("hover", uri, 5, 0) is None


def test_definition(valid: Client, uri: str) -> None:
    found = valid.at("definition", uri, *place(SPEC, "[flat]", 2))
    line, start = place(SPEC, "flat, type")
    assert found["range"]["start"] == {"line": line, "character": start}
    found = valid.at("definition", uri, *place(SPEC, "scores: head", 9))
    assert found["range"]["start"]["line"] == place(SPEC, "name: head")[0]
    assert valid.at("definition", uri, *place(SPEC, "units", 1)) is None


def test_inlay_hints(valid: Client, uri: str) -> None:
    everything = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}
    found = valid.ask("textDocument/inlayHint", {"textDocument": {"uri": uri}, "range": everything})
    assert [hint["label"] for hint in found] == [
        "→ [N, 28, 28, 8]",
        "→ [N, 14, 14, 8]",
        "→ [N, 1568]",
        "→ [N, 10]",
    ]
    line, start = place(SPEC, "padding: same}", 14)
    assert found[0]["position"] == {"line": line, "character": start}


def test_quick_fixes(valid: Client, uri: str) -> None:
    valid.change(uri, 2, SPEC.replace("filters: 8", "out_channels: 8"))
    (wrong,) = valid.diagnostics(uri)
    params = {"textDocument": {"uri": uri}, "range": wrong["range"], "context": {"diagnostics": [wrong]}}
    (action,) = valid.ask("textDocument/codeAction", params)
    assert action["isPreferred"]
    (edit,) = action["edit"]["changes"][uri]
    assert (edit["newText"], edit["range"]) == ("filters", wrong["range"])


def test_outline(valid: Client, uri: str) -> None:
    found = valid.ask("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
    assert [one["name"] for one in found] == ["N", "image", "conv1", "pool1", "flat", "head", "scores"]


@pytest.mark.parametrize(
    ("number", "text"),
    list(enumerate(["", "{", "- ", "a: [", "layers:\n  - {name", "\t", '{"a": "', "x: &a [*a]", "? x"])),
)
def test_any_text_is_answered(client: Client, number: int, text: str) -> None:
    uri = f"{FOLDER}/odd{number}.yaml"
    assert client.open(uri, text) != []
    for method in ("completion", "hover", "definition"):
        client.at(method, uri, text.count("\n"), len(text.rsplit("\n", 1)[-1]))


INNER = """\
netwright: 1
model: m
dims: {N: batch}
inputs: {image: {shape: [N, 18, 18, 1]}}
blocks:
  stage:
    args: {filters: int}
    layers:
      - {name: conv, type: conv2d, filters: $filters, kernel_size: 3}   # no padding
      - name: pool
        type: max_pool2d
        pool_size: 2
layers:
  - {name: s1, use: stage, with: {filters: 4}}
  - {name: s2, use: stage, with: {filters: 8}}
  - {name: flat, type: flatten}
  - {name: deep, type: dense, units: 6, repeat: 2}
  - name: wide
    type: reshape
    shape: [N, 6, 1]
  - name: scan
    type: scan_window
    window: 3
    layers:
      - {name: line, type: flatten}
      - {name: score, type: dense, units: 2}
outputs: {scores: scan}
"""


def test_hints_inside_of_blocks_and_of_layers(client: Client, uri: str) -> None:
    assert client.open(uri, INNER) == []
    everything = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}
    found = client.ask("textDocument/inlayHint", {"textDocument": {"uri": uri}, "range": everything})
    shown = {hint["position"]["line"]: hint["label"] for hint in found}
    lines = INNER.split("\n")
    assert {lines[line].split("name: ")[1].split(",")[0]: label for line, label in sorted(shown.items())} == {
        "conv": "→ [N, 16, 16, 4] · [N, 6, 6, 8]",
        "pool": "→ [N, 8, 8, 4] · [N, 3, 3, 8]",
        "s1": "→ [N, 8, 8, 4]",
        "s2": "→ [N, 3, 3, 8]",
        "flat": "→ [N, 72]",
        "deep": "→ [N, 6]",
        "wide": "→ [N, 6, 1]",
        "scan": "→ [N, 4, 2]",
        "line": "→ [4*N, 3]",
        "score": "→ [4*N, 2]",
    }
    conv = next(hint for hint in found if hint["position"]["line"] == place(INNER, "name: conv")[0])
    assert conv["tooltip"]["value"] == "s1.conv: `[N, 16, 16, 4]`  \ns2.conv: `[N, 6, 6, 8]`"
    # While one types, the shapes known so far stay where their layers are.
    client.change(uri, 2, "# more\n" + INNER.replace("{name: flat, type: flatten}", "{name: flat, type: fla"))
    found = client.ask("textDocument/inlayHint", {"textDocument": {"uri": uri}, "range": everything})
    assert shown[8] in [hint["label"] for hint in found if hint["position"]["line"] == 9]
    assert "strides" not in labels(client.at("completion", uri, *place("# more\n" + INNER, "line, type", 10)))


def test_completion_inside_of_layers(client: Client, uri: str) -> None:
    assert client.open(uri, INNER) == []
    line, start = place(INNER, "units: 2}", 0)
    client.change(uri, 2, INNER.replace("units: 2}", "us}"))
    assert "use_bias" in labels(client.at("completion", uri, line, start + 2))
