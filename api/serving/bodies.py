"""The bodies of requests as they arrive: how large one may be, and how much all of them hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from .refusals import Refusal

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

#: The bodies of all requests together hold at most so many times as much as one may, or so many bytes.
_BODIES, _BODY_BYTES = 8, 256 << 20
#: So many seconds the rest of a refused body is read, and thrown away, so that the client reads the refusal.
_REST = 2.0


class Disconnected(Exception):
    """The client is gone."""


class Bodies:
    """The bodies of requests that are not answered yet, each of at most ``most`` bytes. ``held`` is what they hold."""

    def __init__(self, most: int):
        self.most = most
        self.held = 0

    @contextmanager
    def holding(self, body: bytes) -> Iterator[None]:
        """Counts a body until its request is answered."""
        self.held += len(body)
        try:
            yield
        finally:
            self.held -= len(body)

    async def read(self, length: int | None, receive: Receive) -> bytes:
        """A request's body, of ``length`` bytes if that is known. Raises Refusal if it is too large, or too much is
        held; Disconnected.
        """
        if length is not None and length > self.most:
            await _thrown_away(receive)
            raise self._too_large()
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            body = message.get("body", b"")
            if len(body) > self.most:
                raise self._too_large()
            return body
        parts = bytearray()
        try:
            while True:
                if message["type"] == "http.disconnect":
                    raise Disconnected
                part = message.get("body", b"")
                parts += part
                self.held += len(part)
                if len(parts) > self.most:
                    await _thrown_away(receive)
                    raise self._too_large()
                if self.held > max(_BODIES * self.most, _BODY_BYTES):
                    await _thrown_away(receive)
                    raise Refusal(503, "too many large requests at once: try again later")
                if not message.get("more_body"):
                    return bytes(parts)
                message = await receive()
        finally:
            self.held -= len(parts)

    def _too_large(self) -> Refusal:
        return Refusal(413, f"the request is larger than {self.most} bytes")


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
