"""What connections hold, how long they wait, and which requests take the short way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress

import numpy as np
import pytest
from numpy.typing import NDArray

import netwright

pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from uvicorn.server import ServerState

from netwright.serving import connection
from netwright.serving.application import Application
from netwright.serving.connection import MOST_HELD, Connection
from netwright.serving.heads import Head, Heads
from netwright.serving.limits import Limits
from netwright.serving.server import configured

from .clients import PATH, head, infer_body, outputs_of
from .serving import program

ARRAYS = {"x": np.ones((1, 2, 6), np.float32), "word": np.array([[1, 2]])}


@pytest.fixture(scope="module")
def own() -> netwright.Program:
    return program()


@pytest.fixture
def application(own: netwright.Program) -> Iterator[Application]:
    application = Application(own)
    yield application
    application.close()


@asynccontextmanager
async def connected(
    application: Application,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, ServerState]]:
    """A connection to a server in this process."""
    config = configured(application)
    config.load()
    loop, state = asyncio.get_running_loop(), ServerState()
    server = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield reader, writer, state
        writer.close()
        server.close()


async def answered(reader: asyncio.StreamReader) -> dict[str, NDArray]:
    """The outputs of the next answer."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()
    assert lines[0] == "http/1.1 200 ok"
    headers = dict(line.split(": ") for line in lines[1:-1])
    return outputs_of(headers, await reader.readexactly(int(headers["content-length"])))


async def closed_after(reader: asyncio.StreamReader) -> float:
    """The seconds until the server ends the connection."""
    begun = time.monotonic()
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    return time.monotonic() - begun


@pytest.mark.parametrize("length", [2000, 200_000])
def test_a_request_that_arrives_too_slowly_is_not_waited_for(
    application: Application, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ARRIVAL", 0.3)

    async def drip() -> float:
        async with connected(application) as (reader, writer, _):
            writer.write(head(length))
            waited = asyncio.create_task(closed_after(reader))
            while not waited.done():
                writer.write(b" ")
                await asyncio.sleep(0.05)
            return await waited

    assert 0.2 < asyncio.run(drip()) < 5


def test_idle_connections_are_closed_and_empty_lines_are_idle(
    application: Application, own: netwright.Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "IDLE", 0.3)
    body, _ = infer_body(ARRAYS, False)

    async def idle(line: bytes) -> tuple[dict[str, NDArray], float]:
        async with connected(application) as (reader, writer, _):
            for _ in range(5):
                writer.write(head(len(body)) + body)
                answer = await answered(reader)
                await asyncio.sleep(0.1)
            waited = asyncio.create_task(closed_after(reader))
            while not waited.done():
                writer.write(line)
                await asyncio.sleep(0.05)
            return answer, await waited

    for line in (b"", b"\r\n"):
        answer, seconds = asyncio.run(idle(line))
        assert 0.05 < seconds < 5
        np.testing.assert_array_equal(answer["y"], own.predict(**ARRAYS)["y"])


def test_a_request_in_pieces_is_answered_when_it_is_whole(
    application: Application, own: netwright.Program
) -> None:
    async def in_pieces() -> list[dict[str, NDArray]]:
        answers = []
        async with connected(application) as (reader, writer, _):
            for value in range(1, 12):
                body, headers = infer_body({**ARRAYS, "word": np.full((1, 2), value % 10)}, value % 2 == 0)
                request = head(len(body), headers) + body
                at = len(request) * value // 12
                writer.write(request[:at])
                await asyncio.sleep(0.005)
                writer.write(request[at : at + 40])
                await asyncio.sleep(0.005)
                writer.write(request[at + 40 :])
                answers.append(await answered(reader))
        return answers

    for value, answer in enumerate(asyncio.run(in_pieces()), 1):
        wanted = own.predict(**{**ARRAYS, "word": np.full((1, 2), value % 10)})["y"]
        np.testing.assert_array_equal(answer["y"], wanted)


@pytest.fixture
def slow(own: netwright.Program, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """Serves the program with calls that take a quarter of a second, in a thread."""
    predicted = own.predicted

    def slowly(arrays: Mapping[str, NDArray]) -> Mapping[str, NDArray]:
        time.sleep(0.25)
        return predicted(arrays)

    monkeypatch.setattr(own, "predicted", slowly)
    application = Application(own, Limits(batch=1))
    yield application
    application.close()


def numbered(value: int, more: int = 0) -> bytes:
    """A request with this number in it, and with so many spaces."""
    body, _ = infer_body({**ARRAYS, "word": np.full((1, 2), value)}, False)
    return head(len(body) + more) + b" " * more + body


def test_what_comes_while_a_request_is_computed_is_answered_in_its_order(
    slow: Application, own: netwright.Program
) -> None:
    async def pipelined() -> list[dict[str, NDArray]]:
        async with connected(slow) as (reader, writer, _):
            writer.write(numbered(1))
            await asyncio.sleep(0.05)
            writer.write(numbered(2) + numbered(3)[:50])
            await asyncio.sleep(0.05)
            writer.write(numbered(3)[50:] + numbered(4, MOST_HELD))  # more than is read meanwhile
            return [await answered(reader) for _ in range(4)]

    for value, outputs in enumerate(asyncio.run(pipelined()), 1):
        wanted = own.session.predict(**{**ARRAYS, "word": np.full((1, 2), value)})["y"]
        np.testing.assert_array_equal(outputs["y"], wanted)


def test_a_connection_ends_after_the_request_that_is_computed(slow: Application) -> None:
    async def ended() -> bytes:
        async with connected(slow) as (reader, writer, state):
            writer.write(numbered(4))
            async with asyncio.timeout(10):
                while not any(isinstance(each, Connection) and each.taken for each in state.connections):
                    await asyncio.sleep(0.01)
            for each in state.connections:
                each.shutdown()
            return await reader.read()

    answer = asyncio.run(ended())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in answer


def test_heads_that_take_the_short_way() -> None:
    heads = Heads({PATH})
    usual = head(12)
    for _ in range(2):  # the second time it is known
        assert heads.of(usual + b"x" * 12) == Head(len(usual), 12, None)
    binary = head(12, {"Inference-Header-Content-Length": "5"})
    assert heads.of(binary) == Head(len(binary), 12, 5)
    assert heads.of(head(0)) == Head(len(head(0)), 0, None)
    assert heads.of(usual[:-1]) is None


@pytest.mark.parametrize(
    "unusual",
    [
        head(None),
        head(12).replace(b"POST", b"PUT"),
        head(12).replace(b"POST", b"post"),
        head(12).replace(b"1.1", b"1.0"),
        head(12).replace(b"infer", b"ready"),
        head(12, {"Connection": "close"}),
        head(12, {"Connection": "Upgrade", "Upgrade": "websocket"}),
        head(12, {"Expect": "100-continue"}),
        head(12, {"Content-Encoding": "gzip"}),
        head(12, {"Transfer-Encoding": "chunked"}),
        head(12, {"Content-length": "13"}),
        head(12, {"Inference-Header-Content-Length": "many"}),
        head(12, {"Name": "x" * 9000}),
        head(12).replace(b"Content-Length: 12\r\n", b""),
        head(12).replace(b"12", b"-2"),
        head(12).replace(b"Host: ", b"Host "),
        b"GET /v2 HTTP/1.1\r\n\r\n" + head(12),
    ],
)
def test_heads_that_uvicorn_reads(unusual: bytes) -> None:
    heads = Heads({PATH})
    assert heads.of(unusual) is None
    assert heads.of(unusual) is None
