"""Texts in requests, for networks whose weights have a vocabulary."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import netwright
from netwright.prediction.inputs import texts_of
from netwright.runtime.data.inputs import Place
from netwright.runtime.data.vocabulary import Vocabulary

pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from netwright.serving.application import Application
from netwright.serving.limits import Limits

from .asking import Asked

INFER = "/v2/models/topic/infer"
ENTRIES = ("<pad>", "<unk>", "the", "cat", "runs", "ÿ")
SPEC: dict[str, Any] = {
    "netwright": 1,
    "model": "topic",
    "dims": {"N": "batch", "T": "time"},
    "inputs": {
        "text": {"shape": ["N", "T"], "dtype": "int64", "lengths": "count"},
        "count": {"shape": ["N"], "dtype": "int64"},
    },
    "layers": [
        {"name": "embed", "type": "embedding", "input_dim": 6, "output_dim": 3, "inputs": ["text"]},
        {"name": "mean", "type": "global_mean_pool"},
    ],
    "outputs": {"mean": "mean"},
    "train": {
        "data": {"train": {"type": "text", "path": "t.txt", "label": "first", "vocabulary": {"lower": True}}},
        "loss": {"type": "softmax_cross_entropy", "output": "mean", "target": "topic"},
        "optimizer": {"type": "sgd", "learning_rate": 0.1},
        "epochs": 1,
    },
}
TWO = ["The cat runs", "dog ÿ"]
TOKENS = {"text": np.array([[2, 3, 4], [1, 5, 0]]), "count": np.array([3, 2])}


@pytest.fixture(scope="module")
def served() -> netwright.Program:
    program = netwright.load(SPEC).compile(entries=["predict"], engine="reference", seed=1)
    program.vocabularies["text"] = Vocabulary("words", True, "<pad>", "<unk>", ENTRIES)
    return program


@pytest.fixture(scope="module")
def asked(served: netwright.Program) -> Iterator[Asked]:
    application = Application(served, Limits(body=1 << 20, sequences=0))
    asked = Asked(application)
    yield asked
    asked.runner.close()
    application.close()


def packed(texts: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def tensor(data: Any, shape: list[int]) -> dict[str, Any]:
    return {"name": "text", "datatype": "BYTES", "shape": shape, "data": data}


def ask(asked: Asked, *tensors: dict[str, Any], behind: bytes = b"", **more: Any) -> tuple[int, Any]:
    text = json.dumps({"inputs": tensors, **more}).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))} if behind else {}
    status, _, body = asked.request(INFER, text + behind, headers)
    return status, json.loads(body)


def test_an_input_that_may_get_texts_says_so(asked: Asked) -> None:
    _, _, body = asked.request("/v2/models/topic")
    text, count = json.loads(body)["inputs"]
    assert text == {
        "name": "text",
        "datatype": "INT64",
        "shape": [-1, -1],
        "parameters": {"content_type": "str"},
    }
    assert "parameters" not in count


@pytest.mark.parametrize(
    "tensors",
    [
        (tensor(TWO, [2]),),
        (tensor([[text] for text in TWO], [2, 1]),),
        (tensor(TWO, [2, 1]),),
        tuple(
            {"name": name, "datatype": "INT64", "shape": list(array.shape), "data": array.tolist()}
            for name, array in TOKENS.items()
        ),
    ],
)
def test_texts_are_answered_as_their_tokens_are(
    asked: Asked, served: netwright.Program, tensors: tuple[dict[str, Any], ...]
) -> None:
    status, answer = ask(asked, *tensors)
    assert status == 200
    (output,) = answer["outputs"]
    np.testing.assert_array_equal(
        np.float32(output["data"]).reshape(output["shape"]), served.predict(**TOKENS)["mean"]
    )


def test_texts_behind_the_json(asked: Asked, served: netwright.Program) -> None:
    behind = packed([text.encode() for text in TWO])
    given = {
        "name": "text",
        "datatype": "BYTES",
        "shape": [2],
        "parameters": {"binary_data_size": len(behind)},
    }
    for _ in range(2):  # the second time, the JSON is known
        status, answer = ask(asked, given, behind=behind)
        assert status == 200
        np.testing.assert_array_equal(
            np.float32(answer["outputs"][0]["data"]), served.predict(**TOKENS)["mean"].ravel()
        )


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        (packed([b"cat"])[:-1], "the bytes end within text 1"),
        (packed([b"cat"]) + b"\1\0", "the bytes end within text 2"),
        (b"\xff\xff\xff\xffcat", "the bytes end within text 1"),
        (packed([b"c\xffat"]), "text 1 is not UTF-8"),
        (packed([b"the", b"cat"]), "of shape [1] needs 1 texts, the request has 2"),
    ],
)
def test_bytes_that_are_no_texts(asked: Asked, behind: bytes, said: str) -> None:
    given = {
        "name": "text",
        "datatype": "BYTES",
        "shape": [1],
        "parameters": {"binary_data_size": len(behind)},
    }
    status, answer = ask(asked, given, behind=behind)
    assert (status, said in answer["error"]) == (400, True), answer


@pytest.mark.parametrize(
    ("tensors", "more", "said"),
    [
        ([tensor([3], [1])], {}, "data has to be a list of texts"),
        ([tensor("cat", [1])], {}, "data has to be a list of texts"),
        ([tensor(["cat"], [2])], {}, "of shape [2] needs 2 texts, its data has 1"),
        ([tensor(["cat", "the"], [1, 2])], {}, "the shape of N texts is [N] or [N, 1], not [1, 2]"),
        ([tensor([], [0])], {}, "the shape of N texts is [N] or [N, 1], not [0]"),
        ([tensor(["cat"], [])], {}, "the shape of N texts is [N] or [N, 1], not []"),
        ([tensor(["cat"], [1]), tensor(["cat"], [1])], {}, "input 'text' is given twice"),
        (
            [
                tensor(["cat"], [1]),
                {"name": "count", "datatype": "INT64", "shape": [1], "data": [1]},
            ],
            {},
            "input 'count' follows from the texts of the request: leave it out",
        ),
        (
            [{"name": "count", "datatype": "BYTES", "shape": [1], "data": ["1"]}],
            {},
            "input 'count' takes INT64, and no text (BYTES): the weights have no vocabulary of it",
        ),
        (
            [tensor(["cat"], [1])],
            {"parameters": {"sequence_id": 3}},
            "the steps of a sequence have to be numbers",
        ),
    ],
)
def test_texts_that_do_not_fit(
    asked: Asked, tensors: list[dict[str, Any]], more: dict[str, Any], said: str
) -> None:
    status, answer = ask(asked, *tensors, **more)
    assert (status, said in answer["error"]) == (400, True), answer


def test_the_columns_of_a_table_that_are_text(served: netwright.Program) -> None:
    table = {"type": "csv", "path": "t.csv", "text": {"text": {"vocabulary": {"lower": True}}}}
    model = netwright.load({**SPEC, "train": {**SPEC["train"], "data": {"train": table}}})
    inputs = texts_of(model.load, model.network, served.vocabularies)
    made = inputs["text"].arrays(TWO, [Place("", "text", 1), Place("", "text", 2)])
    assert {name: array.tolist() for name, array in made.items()} == {
        name: array.tolist() for name, array in TOKENS.items()
    }
    assert texts_of(model.load, model.network, {}) == {}


def test_a_piece_without_a_number_is_named(served: netwright.Program) -> None:
    strict = {
        "vocabulary": {"lower": True, "unknown": None},
        "type": "text",
        "path": "t.txt",
        "label": "first",
    }
    spec = {**SPEC, "train": {**SPEC["train"], "data": {"train": strict}}}
    program = netwright.load(spec).compile(entries=["predict"], engine="reference", seed=1)
    program.vocabularies["text"] = Vocabulary("words", True, "<pad>", None, ("<pad>", "the", "cat"))
    application = Application(program, Limits(body=1 << 20, sequences=0))
    asked = Asked(application)
    status, answer = ask(asked, tensor(["the cat", "the dog"], [2]))
    asked.runner.close()
    application.close()
    assert status == 400
    assert answer["error"].startswith("input 'text', text 2: 'dog' is no entry of the vocabulary of text")
