"""What a request is answered with."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, TypeAlias

from .refusals import Refusal

Headers: TypeAlias = list[tuple[bytes, bytes]]

JSON: Headers = [(b"content-type", b"application/json")]


class Answer(NamedTuple):
    """An answer's status, its headers without the length, and its body."""

    status: int
    headers: Headers
    body: bytes

    @property
    def all_headers(self) -> Headers:
        """The headers, and the length of the body."""
        return [*self.headers, (b"content-length", b"%d" % len(self.body))]


def told(content: Any, status: int = 200) -> Answer:
    """An answer of JSON."""
    return Answer(status, JSON, json.dumps(content).encode())


def refused(refusal: Refusal, *more: tuple[bytes, bytes]) -> Answer:
    """The answer to a request that is refused, with ``more`` headers."""
    headers = [*JSON, *more]
    if refusal.status == 413:
        headers.append((b"connection", b"close"))
    if refusal.status == 503:
        headers.append((b"retry-after", b"1"))
    return Answer(refusal.status, headers, json.dumps({"error": refusal.message}).encode())
