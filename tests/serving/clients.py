"""Clients that ask rightly, wrongly and too much, and that hang up."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

import netwright
from netwright.serving.tensors import DATATYPES

PATH = "/v2/models/gestures/infer"
Arrays = Mapping[str, NDArray]


def infer_body(arrays: Arrays, binary: bool, **parameters: Any) -> tuple[bytes, dict[str, str]]:
    """The body of a request for answers, and its headers."""
    tensors, behind = [], b""
    for name, array in arrays.items():
        tensor: dict[str, Any] = {
            "name": name,
            "shape": list(array.shape),
            "datatype": DATATYPES[array.dtype.name],
        }
        if binary:
            tensor["parameters"] = {"binary_data_size": array.nbytes}
            behind += array.tobytes()
        else:
            tensor["data"] = array.tolist()
        tensors.append(tensor)
    text = json.dumps(
        {"inputs": tensors, "parameters": {"binary_data_output": binary, **parameters}}
    ).encode()
    return text + behind, {"Inference-Header-Content-Length": str(len(text))} if binary else {}


def head(length: int | None, headers: Mapping[str, str] | None = None, path: str = PATH) -> bytes:
    """The head of a POST."""
    lines = [f"POST {path} HTTP/1.1", "Host: here"]
    lines += ["Transfer-Encoding: chunked"] if length is None else [f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode()


def outputs_of(headers: Mapping[str, str], body: bytes) -> dict[str, NDArray]:
    """The arrays of an answer."""
    length = int(headers.get("inference-header-content-length", len(body)))
    answer, at, arrays = json.loads(body[:length]), length, {}
    dtypes = {datatype: np.dtype(name) for name, datatype in DATATYPES.items()}
    for tensor in answer["outputs"]:
        dtype = dtypes[tensor["datatype"]]
        if "data" in tensor:
            array = np.array(tensor["data"], dtype)
        else:
            size = tensor["parameters"]["binary_data_size"]
            array, at = np.frombuffer(body[at : at + size], dtype), at + size
        arrays[tensor["name"]] = array.reshape(tensor["shape"])
    assert at == len(body)
    return arrays


class Client:
    """A connection that draws what it does. ``counts`` has how often what was done, ``wrong`` what went wrong."""

    def __init__(self, port: int, program: netwright.Program, seed: int, most: int):
        self._port, self._program, self._random, self._most = port, program, Random(seed), most
        self._numbers = np.random.default_rng(seed)
        self._streams: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    async def run(self, requests: int) -> None:
        acts = [self._right] * 14 + [self._malformed] * 3 + [self._too_large, self._gone, self._half]
        for _ in range(requests):
            act = self._random.choice(acts)
            self.counts[act.__name__] += 1
            try:
                async with asyncio.timeout(60):
                    await act()
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.wrong.append(f"{act.__name__}: {error!r}")
                await self.close()
        await self.close()

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _arrays(self) -> dict[str, NDArray]:
        samples, steps = self._random.choice((1, 1, 1, 2, 3)), self._random.choice((1, 2, 5))
        return {
            "x": self._numbers.normal(size=(samples, steps, 6)).astype(np.float32),
            "word": self._numbers.integers(0, 10, (samples, steps)),
        }

    async def _right(self) -> None:
        arrays, binary = self._arrays(), self._random.random() < 0.5
        body, headers = infer_body(arrays, binary)
        status, answered, answer = await self._asked(head(len(body), headers) + body)
        if status != 200:
            self.wrong.append(f"a right request got {status}: {answer[:200]!r}")
            return
        outputs = outputs_of(answered, answer)
        for name, array in self._program.predict(**arrays).items():
            # The network has a dim of time: bits do not depend on what a batch is joined with.
            if not np.array_equal(outputs[name], array):
                self.wrong.append(f"{name} is wrong by {np.abs(outputs[name] - array).max()}")

    async def _malformed(self) -> None:
        body, headers = infer_body(self._arrays(), self._random.random() < 0.5)
        kind = self._random.randrange(6)
        if kind == 0:
            body = body[: self._random.randrange(len(body))]
        elif kind == 1:
            at = self._random.randrange(len(body) // 4)  # in the JSON
            body = body[:at] + b"\x00" + body[at + 1 :]
        elif kind == 2:
            body = body.replace(b'"FP32"', b'"INT8"')
        elif kind == 3:
            body, headers = infer_body({**self._arrays(), "word": np.full((1, 1), 99)}, True)
        elif kind == 4:
            headers["Inference-Header-Content-Length"] = str(len(body) + 1)
        else:
            body, headers = b"[" * 50000, {}
        status, _, answer = await self._asked(head(len(body), headers) + body)
        if not (status == 400 and json.loads(answer)["error"]):
            self.wrong.append(f"malformed ({kind}): {status} {answer[:100]!r}")

    async def _too_large(self) -> None:
        size = self._most + self._random.randrange(1, 100_000)
        if self._random.random() < 0.5:
            request = head(size) + bytes(size)
        else:
            piece = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
            request = head(None) + piece * (size // (1 << 16) + 1) + b"0\r\n\r\n"
        status, _, answer = await self._asked(request)
        if status != 413:
            self.wrong.append(f"too large: {status} {answer[:100]!r}")
        await self.close()

    async def _gone(self) -> None:
        """Hangs up without reading the answer."""
        body, headers = infer_body(self._arrays(), True)
        await self._send(head(len(body), headers) + body)
        await self.close()

    async def _half(self) -> None:
        """Hangs up in the middle of a request."""
        body, headers = infer_body(self._arrays(), True)
        request = head(len(body), headers) + body
        await self._send(request[: self._random.randrange(1, len(request))])
        await self.close()

    async def _asked(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        await self._send(request)
        reader = self._streams
        assert reader is not None
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])
        }
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            await self.close()
        return int(lines[0].split()[1]), headers, body

    async def _send(self, data: bytes) -> None:
        if self._writer is None or self._writer.is_closing():
            self._streams, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(data)
        await self._writer.drain()


async def peak(port: int, program: netwright.Program, clients: int, most: int) -> None:
    """Has the server hold as much as so many clients can send."""
    made = [Client(port, program, number, most) for number in range(clients)]
    for _ in range(3):
        await asyncio.gather(*(client._too_large() for client in made))


async def load(port: int, program: netwright.Program, clients: int, requests: int, most: int, seed: int = 0):
    """What so many clients did, and what went wrong. ``most`` is the server's limit of bytes."""
    made = [Client(port, program, seed * 1000 + number, most) for number in range(clients)]
    shares = [requests // clients + (number < requests % clients) for number in range(clients)]
    await asyncio.gather(*(client.run(share) for client, share in zip(made, shares, strict=True)))
    counts: Counter[str] = sum((client.counts for client in made), Counter())
    return counts, [text for client in made for text in client.wrong]
