"""A connection: uvicorn's, with limits, and a short way for usual requests for answers."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from .answers import Answer
from .application import Application
from .deadline import Deadline
from .heads import Head, Heads

#: The line and the headers of a request have at most so many bytes, and what a connection brings at once.
MOST_HEAD = 64 << 10
#: Until a request with a body of at most so many bytes is whole, nothing is begun for it; and so many bytes are read of
#: what comes behind it until it is answered.
MOST_HELD = 64 << 10
#: An idle connection is closed after so many seconds.
IDLE = 30
#: A request has to arrive within so many seconds, and the first one to begin.
ARRIVAL = 120


class Connection(HttpToolsProtocol):
    """A connection that holds no endless headers, and does not wait for ever for a request.

    A request for answers with a usual head is kept until it is whole, and given to the application without uvicorn's
    parser and the task and events of ASGI. All else goes to uvicorn as it came, and so does what arrives while a
    request is in progress there.
    """

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        app: object = self.app
        self._application = application = app if isinstance(app, Application) else None
        self._heads = Heads(() if application is None else application.infer_paths)
        #: The head of the request that arrives, and all that has arrived of it, or behind one that is ``taken``.
        self._head: Head | None = None
        self._held = bytearray()
        #: The application has a request, and will call ``_answer``.
        self.taken = False
        self._ends = False  # after the next answer
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
        if self.taken or self._head is not None:
            self._held += data
            if self.taken:
                if len(self._held) > MOST_HELD:
                    self.flow.pause_reading()
                return
            head = self._head
            assert head is not None
            if len(self._held) < head.size + head.length:
                return
            data = self._unheld()
        else:
            head = self._head_of(data)
            if head is None:
                self._parse(data)
                return
            if len(data) < head.size + head.length:
                self._hold(head, data)
                return
        if len(data) > head.size + head.length or not self._take(head, data):
            self._parse(data)

    def shutdown(self) -> None:
        if self.taken:
            self._ends = True
            return
        if self._head is not None:  # it is waited for
            self._parse(self._unheld())
        super().shutdown()

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

    def _head_of(self, data: bytes) -> Head | None:
        """The head of a request that the application may take, if nothing is in progress."""
        if self._inside or self._is_busy():
            return None
        head = self._heads.of(data)
        return head if head is not None and head.length <= MOST_HELD else None

    def _hold(self, head: Head, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._head = head
        self._held += data
        self._deadline.set(ARRIVAL)

    def _unheld(self) -> bytes:
        data = bytes(self._held)
        self._head = None
        self._held.clear()
        return data

    def _take(self, head: Head, data: bytes) -> bool:
        """Gives the application a request that is whole. False if it has to go to uvicorn."""
        application = self._application
        if application is None or self.flow.write_paused or self.transport.is_closing():
            return False
        self.taken = True
        alone = len(self.connections) == 1
        if not application.take(head, data[head.size :], alone=alone, answer=self._answer):
            self.taken = False
            return False
        self._unset_keepalive_if_required()
        if self.taken:
            self._deadline.clear()
        return True

    def _answer(self, answer: Answer) -> None:
        self.taken = False
        if self.transport.is_closing():
            return
        self.transport.write(_message(answer, ends=self._ends))
        self.server_state.total_requests += 1
        if self._ends:
            self.transport.close()
            return
        self._deadline.set(IDLE)
        if self._application is not None:
            self._application.awake.answered(self.loop)
        if self._held:
            self.flow.resume_reading()
            self.data_received(self._unheld())

    def _parse(self, data: bytes) -> None:
        """Has uvicorn read what has arrived."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD and not self.transport.is_closing():
                self.send_400_response("The headers are too long.")
        if not (self._deadline.is_set or self._is_busy()):  # what came begins nothing, such as an empty line
            self._deadline.set(IDLE)

    def _is_busy(self) -> bool:
        """Whether uvicorn has a request that is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def _give_up(self) -> None:
        if self._inside or self._head is not None:
            self.transport.abort()
        else:
            self.transport.close()


def _message(answer: Answer, *, ends: bool) -> bytes:
    parts = [STATUS_LINE[answer.status]]
    for header in answer.all_headers:
        parts.append(b"%s: %s\r\n" % header)
    if ends:
        parts.append(b"connection: close\r\n")
    parts += b"\r\n", answer.body
    return b"".join(parts)
