"""Requests are answered alike, whether connections give them to the application or to uvicorn, in whatever pieces."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from netwright.serving import connection
from netwright.serving.application import Application
from netwright.serving.limits import Limits

from .clients import head, infer_body
from .serving import program
from .test_connection import connected


def drawn(random: Random) -> bytes:
    """A request: usual, unusual, or wrong."""
    numbers = np.random.default_rng(random.randrange(1 << 30))
    samples, steps = random.choice([(1, 1), (1, 2), (2, 5), (1, 50)])
    most = 11 if random.random() < 0.1 else 10  # one more is out of range
    arrays = {
        "x": numbers.normal(size=(samples, steps, 6)).astype(np.float32),
        "word": numbers.integers(0, most, (samples, steps)),
    }
    body, headers = infer_body(arrays, random.random() < 0.5)
    usual = head(len(body), headers) + body
    match random.randrange(18):
        case 0:
            return head(len(body), {**headers, "X-Number": str(random.random())}) + body
        case 1:
            return b"GET /v2/health/ready HTTP/1.1\r\nHost: here\r\n\r\n"
        case 2:
            return b"\r\n" + usual
        case 3:
            size = random.randrange(1, 500)
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
            return head(None, headers) + chunks + b"0\r\n\r\n"
        case 4:
            return head(len(body) - 3, headers) + body[:-3]
        case 5:
            return head(0)
        case 6:
            return head(len(body), {**headers, "Expect": "100-continue"}) + body
        case 7:
            return head(len(body) + 70_000) + b" " * 70_000 + body
        case 8:
            return head(len(body), {**headers, "Content-Encoding": "gzip"}) + body
    return usual


def in_pieces(random: Random, requests: Sequence[bytes]) -> list[bytes]:
    """The requests one by one, or cut anywhere."""
    if random.random() < 0.5:
        return list(requests)
    stream = b"".join(requests)
    cuts = sorted(random.randrange(len(stream)) for _ in range(random.randrange(8)))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


async def asked(application: Application, pieces: Sequence[bytes], wait: float) -> list[tuple[bytes, ...]]:
    """Status, headers and body of all answers."""
    async with connected(application) as (reader, writer, _), asyncio.timeout(30):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(wait)
        got, answers = await reader.read(), []
    while got:
        told, got = got.split(b"\r\n\r\n", 1)
        status, *headers = told.split(b"\r\n")
        if b" 100 " not in status:
            length = next(int(line[16:]) for line in headers if re.match(b"(?i)content-length:", line))
            answers.append((status, *sorted(headers), got[:length]))
            got = got[length:]
    return answers


def test_both_ways_answer_alike(deep: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    own = program()
    body, _ = infer_body({"x": np.ones((1, 1, 6), np.float32), "word": np.array([[1]])}, False)
    last = head(len(body), {"Connection": "close"}) + body
    for seed in range(600 if deep else 25):
        random = Random(seed)
        requests = [*(drawn(random) for _ in range(random.randrange(1, 8))), last]
        pieces, wait, both = in_pieces(random, requests), random.choice([0, 0.002]), []
        for most in (64 << 10, -1):
            monkeypatch.setattr(connection, "MOST_HELD", most)
            application = Application(own, Limits(batch=1, body=1 << 20))
            both.append(asyncio.run(asked(application, pieces, wait)))
            application.close()
        assert both[0] == both[1], f"seed {seed}"
        assert len(both[0]) == len(requests)
