"""What a request is answered with."""

from __future__ import annotations

import json
import logging
from typing import Any, NamedTuple, TypeAlias

from netwright.runtime.errors import ExecutionError, InputError

from .refusals import Refusal

Headers: TypeAlias = list[tuple[bytes, bytes]]

_log = logging.getLogger("netwright.serving")
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


def failed(error: BaseException) -> Answer:
    """The answer to a request for which this was raised."""
    if isinstance(error, Refusal):
        return refused(error)
    if isinstance(error, InputError | ExecutionError):
        return refused(Refusal(400, str(error)))
    _log.error("a request failed", exc_info=error)
    return refused(Refusal(500, "the server failed; its log says how"))
