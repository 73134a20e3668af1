"""The server as an application of ASGI: what each path answers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeAlias
from urllib.parse import unquote

import numpy as np

from netwright.runtime.errors import ExecutionError, InputError

from ..program import Program
from ..version import VERSION as NETWRIGHT
from .description import VERSION, inputs_of, model_metadata, outputs_of, server_metadata
from .joining import Arrays, joining
from .measures import Measures
from .messages import JSON_LENGTH, InferRequest, Messages
from .refusals import Refusal
from .scheduling import Scheduler
from .sequences import Sequences

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

_JSON: Headers = [(b"content-type", b"application/json")]
#: The bodies of all requests together hold at most so many times as much as one may, or so many bytes.
_BODIES, _BODY_BYTES = 8, 256 << 20
#: So many seconds the rest of a refused body is read, and thrown away, so that the client reads the refusal.
_REST = 2.0

_log = logging.getLogger("netwright.serving")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server takes: the most samples in a batch, and for how many seconds one waits for more requests; the most
    bytes in a request's body; how many requests can wait; how many sequences can be in progress (0: streams are not
    served), and after how many idle seconds they are forgotten.
    """

    batch: int = 32
    delay: float = 0.0
    body: int = 64 << 20
    waiting: int = 1024
    sequences: int = 0
    sequence_timeout: float = 60.0


class Disconnected(Exception):
    """The client is gone."""


class Application:
    """Serves a program by the Open Inference Protocol. Raises RequestError if it has to serve sequences and can't be
    computed step by step.

    ``ready`` is what `/v2/health/ready` tells: set it to False before the end.
    """

    def __init__(self, program: Program, limits: Limits = Limits()):
        self.ready = True
        self._program, self._limits = program, limits
        self._name = name = program.manifest.model
        inputs = inputs_of(program.session)
        outputs = outputs_of(program.session, program.network.outputs)
        self._metadata = model_metadata(name, inputs, outputs)
        dtypes = [{info.name: np.dtype(info.dtype) for info in some} for some in (inputs, outputs)]
        self._messages = Messages(name, VERSION, *dtypes)
        self._measures = Measures(name, VERSION)
        joined = joining(program.manifest, list(dtypes[0]), list(dtypes[1]), limits.batch)
        self._scheduler = Scheduler(
            program.predicted,
            joined,
            self._measures,
            delay=limits.delay,
            most_waiting=limits.waiting,
        )
        self._sequences = Sequences(program.stream, limits.sequences, limits.sequence_timeout)
        if limits.sequences:
            program.stream()  # compiles
        self._held = 0
        self._direct = True
        self._measures.watch("waiting_requests", "Requests that wait", lambda: self._scheduler.waiting)
        self._measures.watch("sequences", "Sequences in progress", lambda: len(self._sequences))
        self._measures.watch("body_bytes", "Bytes of requests that are held", lambda: self._held)
        self._measures.watch("ready", "1 while the server takes requests", lambda: self.ready)
        self._infer_paths = {
            f"/v2/models/{name}/infer",
            f"/v2/models/{name}/versions/{VERSION}/infer",
        }

    def close(self) -> None:
        """Ends the thread that computes. No request may be in progress."""
        self._scheduler.close()

    def forget_idle(self) -> None:
        """Forgets sequences that were idle for too long; to be called now and then."""
        self._sequences.forget_idle()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            raise ValueError(f"only http is served, not {scope['type']}")
        infers = scope["path"] in self._infer_paths
        begun = perf_counter()
        try:
            if infers and scope["method"] == "POST":
                headers, body = await self._infer(scope["headers"], receive)
                status = 200
            else:
                status, headers, body = self._told(scope["path"], scope["method"])
        except Disconnected:
            return
        except Refusal as refusal:
            status, headers, body = _refused(refusal)
        except Exception:
            _log.exception("a request failed")
            status, headers, body = _refused(Refusal(500, "the server failed; its log says how"))
        if infers:
            self._measures.answered(status, perf_counter() - begun)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, (b"content-length", b"%d" % len(body))],
            }
        )
        await send({"type": "http.response.body", "body": body})

    def answered_at_once(
        self, path: str, method: str, headers: Iterable[tuple[bytes, bytes]], body: bytes, *, alone: bool
    ) -> tuple[Headers, bytes] | None:
        """Headers and body of the answer to a request that can be computed now; None: call the application.

        ``alone`` says that there is no other connection. Spares small networks the tasks and events that carry a
        request through ASGI, which take longer than they do.
        """
        if (
            not self._direct
            or path not in self._infer_paths
            or method != "POST"
            or len(body) > self._limits.body
        ):
            return None
        begun = perf_counter()
        try:
            request = self._messages.read(body, _lengths(headers)[1])
            outputs = (
                self._scheduler.at_once(request.arrays, alone=alone) if request.sequence is None else None
            )
            if outputs is None:
                self._direct = False  # what is like this one shall not be read twice
                return None
            answer = self._messages.write(request, outputs)
        except (Refusal, InputError, ExecutionError):
            return None
        self._measures.answered(200, perf_counter() - begun)
        return answer

    async def _infer(self, headers: Headers, receive: Receive) -> tuple[Headers, bytes]:
        length, json_length = _lengths(headers)
        body = await self._body(length, receive)
        self._held += len(body)
        try:
            request = self._messages.read(body, json_length)
            try:
                outputs = await self._computed(request)
            except (InputError, ExecutionError) as error:
                raise Refusal(400, str(error)) from None
            return self._messages.write(request, outputs)
        finally:
            self._held -= len(body)

    async def _computed(self, request: InferRequest) -> Arrays:
        step = request.sequence
        if step is None:
            outputs = await self._scheduler.predict(request.arrays)
            self._direct = self._scheduler.quick
            return outputs
        if not self._limits.sequences:
            raise Refusal(
                400, "sequences are not served: start the server with --sequences, how many at once"
            )
        known = self._sequences.begin(step)
        try:
            return await self._scheduler.alone(request.arrays, known.push)
        finally:
            self._sequences.end(known)

    async def _body(self, length: int | None, receive: Receive) -> bytes:
        """A request's body. Raises Refusal if it is too large, or too much is held; Disconnected."""
        most = self._limits.body
        if length is not None and length > most:
            await _thrown_away(receive)
            raise _too_large(most)
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            body = message.get("body", b"")
            if len(body) > most:
                raise _too_large(most)
            return body
        parts = bytearray()
        try:
            while True:
                if message["type"] == "http.disconnect":
                    raise Disconnected
                part = message.get("body", b"")
                parts += part
                self._held += len(part)
                if len(parts) > most:
                    await _thrown_away(receive)
                    raise _too_large(most)
                if self._held > max(_BODIES * most, _BODY_BYTES):
                    await _thrown_away(receive)
                    raise Refusal(503, "too many large requests at once: try again later")
                if not message.get("more_body"):
                    return bytes(parts)
                message = await receive()
        finally:
            self._held -= len(parts)

    def _told(self, path: str, method: str) -> tuple[int, Headers, bytes]:
        """What the server tells about itself and its model."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        allowed = "GET, HEAD"
        match parts:
            case ["metrics"]:
                answer: Any = None
            case ["v2"]:
                answer = server_metadata(NETWRIGHT)
            case ["v2", "health", "live"]:
                answer = {"live": True}
            case ["v2", "health", "ready"]:
                answer = {"ready": self.ready}
            case ["v2", "models", name, *rest]:
                answer, allowed = self._model_told(name, rest), "POST" if rest[-1:] == ["infer"] else allowed
            case _:
                raise Refusal(404, f"there is no {path}: the paths are those of the Open Inference Protocol")
        if method not in allowed:
            refusal = Refusal(405, f"{path} takes {allowed}, not {method}")
            status, headers, body = _refused(refusal)
            return status, [*headers, (b"allow", allowed.encode())], body
        if answer is None:
            return 200, [(b"content-type", Measures.content_type)], self._measures.text()
        status = 503 if answer.get("ready") is False else 200
        return status, _JSON, json.dumps(answer).encode()

    def _model_told(self, name: str, rest: list[str]) -> dict[str, Any]:
        if name != self._name:
            raise Refusal(404, f"there is no model {name!r}: this server has {self._name!r}")
        match rest:
            case ["versions", version, *_] if version != VERSION:
                raise Refusal(404, f"there is no version {version!r} of {name!r}: there is {VERSION!r}")
            case ["versions", _, *after]:
                rest = after
        match rest:
            case []:
                return self._metadata
            case ["ready"]:
                return {"name": name, "ready": self.ready}
            case ["infer"]:
                return {}
        raise Refusal(404, f"there is no {'/'.join(rest)} of a model: there is ready and infer")


async def _thrown_away(receive: Receive) -> None:
    """Reads the rest of a body for a while: a client that is still sending would not read an answer."""
    try:
        async with asyncio.timeout(_REST):
            more = True
            while more:
                message = await receive()
                more = message["type"] == "http.request" and bool(message.get("more_body"))
    except TimeoutError:
        pass


def _refused(refusal: Refusal) -> tuple[int, Headers, bytes]:
    headers = list(_JSON)
    if refusal.status == 413:
        headers.append((b"connection", b"close"))
    if refusal.status == 503:
        headers.append((b"retry-after", b"1"))
    return refusal.status, headers, json.dumps({"error": refusal.message}).encode()


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"the request is larger than {most} bytes")


def _lengths(headers: Iterable[tuple[bytes, bytes]]) -> tuple[int | None, int | None]:
    """The bytes of a body, and those of its JSON, as headers say. Raises Refusal."""
    length: int | None = None
    json_length: int | None = None
    for name, value in headers:
        if name == JSON_LENGTH:
            json_length = _number(value, "Inference-Header-Content-Length")
        elif name == b"content-length":
            length = _number(value, "Content-Length")
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise Refusal(415, "compressed bodies are not supported: leave Content-Encoding out")
    return length, json_length


def _number(value: bytes, header: str) -> int:
    if not value.isdigit() or len(value) > 18:
        raise Refusal(400, f"{header} has to be a number of bytes")
    return int(value)
