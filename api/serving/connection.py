"""A connection: uvicorn's, with limits, and a short way for requests that can be answered at once."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .answers import Answer
from .application import Application
from .deadline import Deadline
from .heads import Head, Heads

#: The line and the headers of a request have at most so many bytes, and what a connection brings at once.
MOST_HEAD = 64 << 10
#: Until a request with a body of at most so many bytes is whole, nothing is begun for it.
MOST_HELD = 64 << 10
#: An idle connection is closed after so many seconds.
IDLE = 30
#: A request has to arrive within so many seconds, and the first one to begin.
ARRIVAL = 120


class Connection(HttpToolsProtocol):
    """A connection that holds no endless headers, and does not wait for ever for a request.

    A request for answers with a usual head is kept until it is whole. If the application can answer it at once, the
    answer is written at once, without uvicorn's parser and the task and events of ASGI. All else goes to uvicorn as it
    came, and so does what arrives while a request is in progress there.
    """

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self._heads = Heads(self.app.infer_paths) if isinstance(self.app, Application) else None
        #: The head of the request that arrives, and all that has arrived of it.
        self._head: Head | None = None
        self._held = bytearray()
        self._inside = False  # uvicorn's parser is in the middle of a request
        self._in_head = False
        self._head_bytes = 0
        self._deadline = Deadline(self.loop, self._give_up)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline.set(ARRIVAL)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._deadline.end()
        self._head = None
        self._held.clear()

    def data_received(self, data: bytes) -> None:
        head = self._head
        if head is not None:
            self._held += data
            if len(self._held) < head.size + head.length:
                return
            data = bytes(self._held)
            self._head = None
            self._held.clear()
        else:
            head = self._head_of(data)
            if head is None:
                self._parse(data)
                return
            if len(data) < head.size + head.length:
                self._hold(head, data)
                return
        if len(data) > head.size + head.length or not self._answered(head, data):
            self._parse(data)

    def _head_of(self, data: bytes) -> Head | None:
        """The head of a request that may be answered at once, if nothing is in progress."""
        if self._heads is None or self._inside or self._is_busy():
            return None
        head = self._heads.of(data)
        return head if head is not None and head.length <= MOST_HELD else None

    def _hold(self, head: Head, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._head = head
        self._held += data
        self._deadline.set(ARRIVAL)

    def _answered(self, head: Head, data: bytes) -> bool:
        """Answers a request that is whole, if that can be done at once."""
        if self.flow.write_paused or self.transport.is_closing():
            return False
        answer = self.app.answered_at_once(head, data[head.size :], alone=len(self.connections) == 1)
        if answer is None:
            return False
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        self.transport.write(_message(answer))
        self.server_state.total_requests += 1
        self._deadline.set(IDLE)
        return True

    def _parse(self, data: bytes) -> None:
        """Has uvicorn read what has arrived."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD and not self.transport.is_closing():
                self.send_400_response("The headers are too long.")
        if not (self._deadline.is_set or self._is_busy()):  # what came begins nothing, such as an empty line
            self._deadline.set(IDLE)

    def on_message_begin(self) -> None:
        self._head_bytes, self._in_head, self._inside = 0, True, True
        self._deadline.set(ARRIVAL)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._inside = False
        self._deadline.clear()
        super().on_message_complete()

    def shutdown(self) -> None:
        if self._head is not None:  # it is waited for
            self._head = None
            self._parse(bytes(self._held))
            self._held.clear()
        super().shutdown()

    def _is_busy(self) -> bool:
        """Whether uvicorn has a request that is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def _give_up(self) -> None:
        if self._inside or self._head is not None:
            self.transport.abort()
        else:
            self.transport.close()


def _message(answer: Answer) -> bytes:
    lines = [b"%s: %s\r\n" % header for header in answer.all_headers]
    return b"HTTP/1.1 200 OK\r\n%s\r\n%s" % (b"".join(lines), answer.body)
