"""The heads of requests for answers: what they say of the body that follows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple
from urllib.parse import unquote

import httptools

from .messages import JSON_LENGTH
from .refusals import Refusal

#: Longer heads are unusual.
_MOST_HEAD = 8192


class Head(NamedTuple):
    """The bytes of a head, those of the body behind it, and how many of them are JSON (None: all)."""

    size: int
    length: int
    json_length: int | None


class Heads:
    """Reads the heads of one connection's requests that POST to one of ``paths``.

    Clients often send the same head again, so that of the last request is remembered.
    """

    def __init__(self, paths: Collection[str]):
        self._paths = paths
        self._last: tuple[bytes, Head] | None = None

    def of(self, data: bytes) -> Head | None:
        """The head at the beginning of ``data``; None if it is not whole, or if anything about it is unusual: another
        method, path or version, a body of unknown length, a connection that ends.
        """
        if self._last is not None and data.startswith(self._last[0]):
            return self._last[1]
        if not data.startswith(b"POST "):
            return None
        end = data.find(b"\r\n\r\n", 0, _MOST_HEAD)
        if end < 0:
            return None
        text = data[: end + 4]
        head = self._read(text)
        self._last = None if head is None else (text, head)
        return head

    def _read(self, text: bytes) -> Head | None:
        noted = _Noted()
        parser = httptools.HttpRequestParser(noted)
        try:
            parser.feed_data(text)
            length, json_length = lengths(noted.headers)
            path = httptools.parse_url(noted.url).path
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, Refusal):
            return None
        if (
            length is None
            or not noted.complete
            or parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or parser.should_upgrade()
            or not path
            or unquote(path.decode("ascii", "replace")) not in self._paths
            or any(name in (b"expect", b"transfer-encoding") for name, _ in noted.headers)
        ):
            return None
        return Head(len(text), length, json_length)


def lengths(headers: Iterable[tuple[bytes, bytes]]) -> tuple[int | None, int | None]:
    """The bytes of a body, and those of its JSON, as headers say whose names are small. Raises Refusal."""
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


class _Noted:
    """What a parser tells of a head."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.complete = True


def _number(value: bytes, header: str) -> int:
    if not value.isdigit() or len(value) > 18:
        raise Refusal(400, f"{header} has to be a number of bytes")
    return int(value)
