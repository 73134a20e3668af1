"""`netwright serve` itself, over real connections."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

import netwright
from netwright.cli import main

pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from .clients import PATH, head, infer_body, load, outputs_of
from .serving import SPEC, Process, program, served

MOST = 1 << 20


@pytest.fixture(scope="module")
def own() -> netwright.Program:
    return program()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, own: netwright.Program) -> Iterator[Process]:
    options = ("--max-request", "1", "--sequences", "4", "--drain", "0.5")
    with served(tmp_path_factory.mktemp("served"), *options, made=own) as process:
        yield process


def test_a_client_of_triton(server: Process, own: netwright.Program) -> None:
    triton = pytest.importorskip("tritonclient.http")
    x = np.random.default_rng(0).normal(size=(1, 4, 6)).astype(np.float32)
    word = np.array([[3, 1, 4, 1]])
    whole = own.predict(x=x, word=word)

    def inputs(start: int, end: int, binary: bool = True) -> list[object]:
        made = []
        for name, array, datatype in (("x", x, "FP32"), ("word", word, "INT64")):
            part = array[:, start:end]
            made.append(triton.InferInput(name, list(part.shape), datatype))
            made[-1].set_data_from_numpy(part, binary_data=binary)
        return made

    with triton.InferenceServerClient(server.address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("gestures")
        assert client.get_model_metadata("gestures", "1")["platform"] == "netwright"
        assert client.get_server_metadata()["name"] == "netwright"
        answer = client.infer("gestures", inputs(0, 4), request_id="first")
        assert answer.get_response()["id"] == "first"
        for name, array in whole.items():
            np.testing.assert_array_equal(answer.as_numpy(name), array)
        wanted = [triton.InferRequestedOutput("y", binary_data=False)]
        answer = client.infer("gestures", inputs(0, 4, False), model_version="1", outputs=wanted)
        np.testing.assert_array_equal(answer.as_numpy("y"), whole["y"])
        assert answer.as_numpy("kept") is None
        parts = [
            client.infer(
                "gestures",
                inputs(step, step + 1),
                sequence_id=12,
                sequence_start=step == 0,
                sequence_end=step == 3,
            ).as_numpy("y")
            for step in range(4)
        ]
        np.testing.assert_allclose(np.concatenate(parts, 1), whole["y"], rtol=1e-5, atol=1e-6)
        with pytest.raises(triton.InferenceServerException, match="there is no sequence 12"):
            client.infer("gestures", inputs(0, 1), sequence_id=12)


def test_clients_that_ask_wrongly_and_hang_up(server: Process, own: netwright.Program) -> None:
    before = server.status("Threads")
    counts, wrong = asyncio.run(load(server.port, own, clients=8, requests=160, most=MOST))
    assert wrong == []
    assert sum(counts.values()) == 160
    assert len(counts) == 5
    assert server.status("Threads")["Threads"] <= before["Threads"] + 1  # the one that computes


def test_requests_in_any_pieces_are_answered_in_their_order(server: Process, own: netwright.Program) -> None:
    bodies, wanted = [], []
    for value in (1.0, 2.0, 3.0, 4.0):
        arrays = {"x": np.full((1, 2, 6), value, np.float32), "word": np.array([[1, 2]])}
        bodies.append(infer_body(arrays, False)[0])
        wanted.append(own.predict(**arrays)["y"])
    first, second, third, last = (head(len(body)) + body for body in bodies)
    wrong = head(2) + b"{}"
    pieces = [
        first,  # whole, and again when the server knows how long it takes
        first,
        second + first,  # two at once
        second[:-5],
        second[-5:] + third[:20],
        third[20:] + wrong + last,
        last.replace(b"Host", b"Connection: close\r\nHost"),
    ]
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.02)
        stream = connection.makefile("rb")
        got = []
        while line := stream.readline():
            headers = dict(text.decode().strip().split(": ") for text in iter(stream.readline, b"\r\n"))
            body = stream.read(int(headers["content-length"]))
            got.append(outputs_of(headers, body)["y"] if b" 200 " in line else line.split()[1])
    order = [0, 0, 1, 0, 1, 2, None, 3, 3]
    assert len(got) == len(order)
    for answer, number in zip(got, order, strict=True):
        if number is None:
            assert answer == b"400"
        else:
            np.testing.assert_array_equal(answer, wanted[number])


def test_endless_headers_are_cut_off(server: Process) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"GET {PATH} HTTP/1.1\r\n".encode())
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            connection.sendall((b"Name: " + b"a" * 1000 + b"\r\n") * 10_000)


def test_another_program_takes_the_place_of_one_while_requests_go_on(
    tmp_path: Path, own: netwright.Program
) -> None:
    other = netwright.load(SPEC).compile(entries=["predict"], seed=4, threads=1)
    arrays = {"x": np.ones((1, 2, 6), np.float32), "word": np.array([[1, 2]])}
    body, _ = infer_body(arrays, False)
    first, _ = infer_body(arrays, False, sequence_id="a", sequence_start=True)
    more, _ = infer_body(arrays, False, sequence_id="a")

    with served(tmp_path, "--sequences", "4", "--drain", "0", made=own) as server:

        def answer(body: bytes) -> NDArray:
            with urlopen(f"http://{server.address}{PATH}", body) as got:
                return outputs_of({}, got.read())["y"]

        assert server.process.stdout is not None

        def said_after_hangup() -> str:
            assert server.process.stdout is not None
            server.process.send_signal(signal.SIGHUP)
            return server.process.stdout.readline()

        before, after = own.predict(**arrays)["y"], other.predict(**arrays)["y"]
        np.testing.assert_array_equal(answer(body), before)
        np.testing.assert_allclose(answer(first), before, rtol=1e-5)
        other.save_weights(tmp_path / "weights.safetensors")
        said: list[str] = []
        asking = threading.Thread(target=lambda: said.append(said_after_hangup()))
        asking.start()
        while asking.is_alive():
            assert any(np.array_equal(answer(body), wanted) for wanted in (before, after))
        assert said == ["the spec and the weights are served as they are now\n"]
        np.testing.assert_array_equal(answer(body), after)
        twice = {name: np.concatenate([array, array], 1) for name, array in arrays.items()}
        np.testing.assert_allclose(answer(more), own.predict(**twice)["y"][:, 2:], rtol=1e-5, atol=1e-6)
        (tmp_path / "weights.safetensors").write_bytes(b"")
        assert "weights.safetensors" in said_after_hangup()
        assert server.process.stdout.readline() == "note: the spec and the weights are served as they were\n"
        other.save_weights(tmp_path / "weights.safetensors")
        (tmp_path / "spec.json").write_text(json.dumps({**SPEC, "model": "another"}))
        assert "the spec is now called 'another': this server has 'gestures'" in said_after_hangup()
        np.testing.assert_array_equal(answer(body), after)
        assert server.stop()[0] == 0


def test_the_end_is_announced_and_requests_are_answered_before_it(
    server: Process, own: netwright.Program
) -> None:
    body, headers = infer_body({"x": np.ones((1, 2, 6), np.float32), "word": np.array([[1, 2]])}, False)
    request = head(len(body), headers) + body
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(request[:-10])
        stopped: list[tuple[int, str]] = []
        stopping = threading.Thread(target=lambda: stopped.append(server.stop()))
        stopping.start()
        time.sleep(0.2)
        with pytest.raises(HTTPError, match="503") as caught:
            urlopen(f"http://{server.address}/v2/health/ready")
        assert json.loads(caught.value.read()) == {"ready": False}
        assert urlopen(f"http://{server.address}/v2/health/live").status == 200
        time.sleep(0.6)  # it does not listen any more
        connection.sendall(request[-10:])
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in answer
    stopping.join(30)
    assert stopped == [(0, "all requests are answered\n")]


def test_what_can_not_be_served(tmp_path: Path) -> None:
    def said(spec: dict[str, Any], *options: str) -> str:
        (tmp_path / "spec.json").write_text(json.dumps(spec))
        netwright.load(spec).compile(engine="reference").save_weights(tmp_path / "w.safetensors")
        command = ["serve", str(tmp_path / "spec.json"), "--weights", str(tmp_path / "w.safetensors")]
        done = CliRunner().invoke(main, [*command, "--engine", "reference", *options])
        assert done.exit_code == 2, done.output
        return done.output

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"error: 127.0.0.1, port {port}: Address already in use" in said(SPEC, "--port", str(port))
    *others, memory, answer = SPEC["layers"]
    both_ways = {**SPEC, "layers": [*others, {**memory, "bidirectional": True}, answer]}
    printed = said(both_ways, "--port", "0", "--sequences", "5")
    assert "memory: it runs from the last step to the first" in printed
