"""What the protocol's messages say, asked of the application itself, without a network."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import netwright

pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from netwright.serving.application import Application
from netwright.serving.limits import Limits
from netwright.serving.refusals import Refusal
from netwright.serving.tensors import from_bytes, from_json

from .asking import Asked
from .clients import PATH, infer_body, outputs_of
from .serving import program


@pytest.fixture(scope="module")
def served() -> netwright.Program:
    return program()


@pytest.fixture(scope="module")
def asked(served: netwright.Program) -> Iterator[Asked]:
    application = Application(served, Limits(body=1 << 20, sequences=2, sequence_timeout=0.2))
    asked = Asked(application)
    yield asked
    asked.runner.close()
    application.close()


ARRAYS = {"x": np.ones((1, 2, 6), np.float32), "word": np.array([[1, 2]])}
X = {"name": "x", "shape": [1, 1, 6], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6.5]}
WORD = {"name": "word", "shape": [1, 1], "datatype": "INT64", "data": [[3]]}


def test_what_the_server_tells(asked: Asked) -> None:
    def told(path: str) -> tuple[int, Any]:
        status, headers, body = asked.request(path)
        assert headers["content-type"] == "application/json"
        return status, json.loads(body)

    status, server = told("/v2")
    assert (status, server["name"], server["version"]) == (200, "netwright", netwright.__version__)
    assert server["extensions"] == ["binary_tensor_data", "sequence"]
    assert told("/v2/health/live") == (200, {"live": True})
    assert told("/v2/health/ready") == (200, {"ready": True})
    for path in ("/v2/models/gestures", "/v2/models/gestures/versions/1"):
        assert told(path) == (
            200,
            {
                "name": "gestures",
                "versions": ["1"],
                "platform": "netwright",
                "inputs": [
                    {"name": "x", "datatype": "FP32", "shape": [-1, -1, 6]},
                    {"name": "word", "datatype": "INT64", "shape": [-1, -1]},
                ],
                "outputs": [
                    {"name": "y", "datatype": "FP32", "shape": [-1, -1, 3]},
                    {"name": "kept", "datatype": "FP32", "shape": [-1, -1, 16]},
                ],
            },
        )
        assert told(f"{path}/ready") == (200, {"name": "gestures", "ready": True})
    asked.application.ready = False
    assert told("/v2/health/ready") == (503, {"ready": False})
    assert told("/v2/models/gestures/ready")[0] == 503
    assert told("/v2/health/live")[0] == 200
    asked.application.ready = True
    for path, said in (
        ("/v2/models/other", "no model 'other': this server has 'gestures'"),
        ("/v2/models/gestures/versions/2", "no version '2' of 'gestures': there is '1'"),
        ("/v1/models", "there is no /v1/models"),
        ("/v2/models/gestures/config", "there is no config"),
    ):
        status, answer = told(path)
        assert status == 404
        assert said in answer["error"]
    for path, method, allowed in (("/v2", "POST", "GET, HEAD"), (PATH, "GET", "POST")):
        status, headers, _ = asked.request(path, method=method)
        assert (status, headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("binary", [True, False])
def test_answers_are_those_of_predict(asked: Asked, served: netwright.Program, binary: bool) -> None:
    body, headers = infer_body(ARRAYS, binary)
    status, answered, answer = asked.request(PATH, body, headers)
    assert status == 200
    for name, array in served.predict(**ARRAYS).items():
        np.testing.assert_array_equal(outputs_of(answered, answer)[name], array)
    head = json.loads(answer[: int(answered.get("inference-header-content-length", len(answer)))])
    assert (head["model_name"], head["model_version"], "id" in head) == ("gestures", "1", False)


def test_outputs_are_chosen_one_by_one(asked: Asked, served: netwright.Program) -> None:
    wanted = [{"name": "kept", "parameters": {"binary_data": True}}]
    body = json.dumps({"id": "a7", "inputs": [X, WORD], "outputs": wanted}).encode()
    status, headers, answer = asked.request("/v2/models/gestures/versions/1/infer", body)
    length = int(headers["inference-header-content-length"])
    head = json.loads(answer[:length])
    assert (status, head["id"]) == (200, "a7")
    assert head["outputs"] == [
        {
            "name": "kept",
            "datatype": "FP32",
            "shape": [1, 1, 16],
            "parameters": {"binary_data_size": 64},
        }
    ]
    kept = served.predict(x=np.float32([[[1, 2, 3, 4, 5, 6.5]]]), word=[[3]])["kept"]
    assert answer[length:] == kept.tobytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"datatype": "FP64"}, "input 'x' takes FP32, the request has datatype 'FP64'"),
        (
            {"datatype": "BYTES"},
            "input 'x' takes FP32, and no text (BYTES): the weights have no vocabulary of it",
        ),
        ({"shape": [1, 6]}, "input 'x': must have 3 axes"),
        ({"shape": [1, 1, 7], "data": [0] * 7}, "axis 2"),
        ({"shape": [1, 2, 6], "data": [0] * 12}, "T"),
        ({"shape": [1, 1, -6]}, "shape has to be a list of sizes"),
        ({"shape": [1, 1, 6.0]}, "shape has to be a list of sizes"),
        ({"shape": [2**40, 2**40, 6]}, "needs 72535549"),
        ({"shape": [1] * 40}, "too long"),
        ({"data": [1, 2, 3]}, "needs 6 numbers, its data has 3 numbers"),
        ({"data": [[1, 2, 3], [4, 5, 6]]}, "its data has shape [2, 3]"),
        ({"data": [[1, 2], [3, 4, 5, 6]]}, "nested unevenly"),
        ({"data": ["1", 2, 3, 4, 5, 6]}, "has to be numbers of FP32"),
        ({"data": [1e300, 2, 3, 4, 5, 6]}, "too large for FP32"),
        ({"data": None}, "data has to be a list"),
        ({"data": {}}, "data has to be a list"),
        ({"name": "z"}, "there is no input 'z'"),
        ({"name": "Word"}, "did you mean 'word'?"),
        ({"name": None}, "needs a name"),
        ({"parameters": {"binary_data_size": 24}}, "both data and a parameter binary_data_size"),
    ],
)
def test_tensors_that_do_not_fit(asked: Asked, change: dict[str, Any], said: str) -> None:
    status, answer = asked.infer([{**X, **change}, WORD])
    assert status == 400
    assert said in answer["error"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([3.5], "has to be numbers of INT64"),
        ([True], "has to be numbers of INT64"),
        ([2**70], "has to be numbers of INT64"),
        ([2**63], "out of the range of INT64"),
        ([10], "sample 0"),
        ([-1], "sample 0"),
    ],
)
def test_integers_are_checked(asked: Asked, data: list[Any], said: str) -> None:
    status, answer = asked.infer([X, {**WORD, "data": data}])
    assert status == 400
    assert said in answer["error"]


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (b"", {}, "not JSON"),
        (b"[]", {}, "a request has to be an object"),
        (b"\xff\xfe{", {}, "not JSON"),
        (b"[" * 100_000, {}, "not JSON: depth limit exceeded"),
        (b"9" * 5000, {}, "not JSON"),
        (b'{"inputs": [NaN]}', {}, "not JSON"),
        (b"{}", {}, "inputs has to be a list"),
        (b'{"inputs": [1]}', {}, "inputs has to be an object"),
        (b'{"inputs": [], "id": 5}', {}, "id has to be a text"),
        (b'{"inputs": [], "outputs": [{"name": "Y"}]}', {}, "did you mean 'y'?"),
        (b'{"inputs": [], "parameters": {"binary_data_output": 1}}', {}, "has to be true or false"),
        (b'{"inputs": [], "parameters": {"sequence_id": 1.5}}', {}, "whole number or a text"),
        (b'{"inputs": [], "parameters": {"sequence_start": true}}', {}, "need a sequence_id"),
        (b'{"inputs": []}', {}, "missing input 'x'"),
        (b'{"inputs": []} ', {"Inference-Header-Content-Length": "14"}, "1 bytes follow"),
        (b"{}", {"Inference-Header-Content-Length": "3"}, "the body has 2 bytes"),
        (b"{}", {"Inference-Header-Content-Length": "-1"}, "a number of bytes"),
        (b"{}", {"Inference-Header-Content-Length": "9" * 30}, "a number of bytes"),
    ],
)
def test_requests_that_are_none(asked: Asked, body: bytes, headers: dict[str, str], said: str) -> None:
    status, _, answer = asked.request(PATH, body, headers)
    assert status == 400
    assert said in json.loads(answer)["error"]


def test_bytes_have_to_be_all_there(asked: Asked) -> None:
    body, headers = infer_body(ARRAYS, True)
    length = int(headers["Inference-Header-Content-Length"])
    for changed, said in (
        (body[:-1], "bytes follow"),
        (body[:length], "bytes follow"),
        (body + b"1", "1 bytes follow the last tensor"),
        (body.replace(b"[1, 2, 6]", b"[1, 3, 6]"), "has 72 bytes, the request has 48"),
    ):
        status, _, answer = asked.request(PATH, changed, headers)
        assert status == 400
        assert said in json.loads(answer)["error"]
    status, _, answer = asked.request(PATH, body, {**headers, "Content-Encoding": "gzip"})
    assert status == 415
    status, headers, _ = asked.request(PATH, bytes((1 << 20) + 1))
    assert (status, headers["connection"]) == (413, "close")


def test_booleans_are_bytes_0_and_1() -> None:
    bools = np.dtype(bool)
    np.testing.assert_array_equal(from_bytes("b", memoryview(b"\0\1"), [2], bools), [False, True])
    np.testing.assert_array_equal(from_json("b", [True, False], [2, 1], bools), [[True], [False]])
    with pytest.raises(Refusal, match="a BOOL is a byte 0 or 1"):
        from_bytes("b", memoryview(b"\0\2"), [2], bools)
    with pytest.raises(Refusal, match="numbers of BOOL"):
        from_json("b", [1, 0], [2], bools)
    assert from_json("u", [2**64 - 1], [1], np.dtype(np.uint64))[0] == 2**64 - 1
    with pytest.raises(Refusal, match="out of the range of UINT8"):
        from_json("u", [256], [1], np.dtype(np.uint8))


def test_what_json_does_not_know_is_sent_as_bytes() -> None:
    spec = {
        "netwright": 1,
        "model": "gestures",
        "dims": {"N": "batch"},
        "inputs": {"x": {"shape": ["N"], "dtype": "float64"}},
        "layers": [{"name": "l", "type": "expression", "value": "log(x)"}],
        "outputs": {"y": "l"},
    }
    application = Application(netwright.load(spec).compile(engine="reference"))
    asked = Asked(application)
    tensor = {"name": "x", "shape": [3], "datatype": "FP64", "data": [-1.0, 0.0, 1.0]}
    with np.errstate(all="ignore"):
        status, answer = asked.infer([tensor])
        assert status == 422
        assert "output 'y' holds NaN or infinity" in answer["error"]
        body, headers = infer_body({"x": np.array([-1.0, 0.0, 1.0])}, True)
        status, headers, content = asked.request(PATH, body, headers)
    assert status == 200
    np.testing.assert_array_equal(outputs_of(headers, content)["y"], [np.nan, -np.inf, 0.0])
    asked.runner.close()
    application.close()


def test_sequences_begin_go_on_and_end(asked: Asked, served: netwright.Program) -> None:
    x = np.random.default_rng(5).normal(size=(1, 6, 6)).astype(np.float32)
    word = np.array([[1, 2, 3, 4, 5, 6]])
    parts = []
    for step in range(6):
        arrays = {"x": x[:, step : step + 1], "word": word[:, step : step + 1]}
        marks = {"sequence_id": "a", "sequence_start": step == 0, "sequence_end": step == 5}
        status, headers, answer = asked.request(PATH, *infer_body(arrays, True, **marks))
        assert status == 200
        parts.append(outputs_of(headers, answer)["kept"])
    whole = served.predict(x=x, word=word)["kept"]
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=1e-5, atol=1e-6)
    begin = {"sequence_id": 7, "sequence_start": True}
    for parameters, status, said in (
        ({"sequence_id": "a"}, 404, "there is no sequence 'a'"),
        (begin, 200, ""),
        ({"sequence_id": 7}, 200, ""),
        ({"sequence_id": 8, "sequence_start": True}, 200, ""),
        ({"sequence_id": 9, "sequence_start": True}, 503, "2 sequences are in progress"),
        (begin, 200, ""),
    ):
        got, answer = asked.infer([X, WORD], parameters=parameters)
        assert got == status
        assert said in answer.get("error", "")
    time.sleep(0.25)
    got, answer = asked.infer([X, WORD], parameters={"sequence_id": 9, "sequence_start": True})
    assert got == 200
    got, answer = asked.infer([X, WORD], parameters={"sequence_id": 7})
    assert got == 404


def test_numbers_for_prometheus(asked: Asked) -> None:
    asked.infer([X, WORD])
    asked.infer([])
    status, headers, body = asked.request("/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    text = body.decode()
    for line in ('netwright_requests_total{status="200"}', 'netwright_requests_total{status="400"}'):
        assert float(text.split(line)[1].split()[0]) >= 1
    assert 'netwright_model_info{model="gestures",version="1"} 1.0' in text
    assert "netwright_body_bytes 0.0" in text
    assert "process_resident_memory_bytes" in text
