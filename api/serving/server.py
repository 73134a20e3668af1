"""The HTTP server: uvicorn, with limits on what a connection may hold, and an end that clients notice in time."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from importlib.util import find_spec
from time import monotonic
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ..errors import RequestError
from .application import Application

#: The line and the headers of a request have at most so many bytes, and what a connection brings at once.
MOST_HEAD = 64 << 10
#: An idle connection is closed after so many seconds.
IDLE = 30
#: A request has to arrive within so many seconds, and the first one to begin.
ARRIVAL = 120
#: So many seconds requests in progress may take after a signal to stop.
LAST_REQUESTS = 30
#: Connections are cycles of objects, so garbage is collected as often as Python usually does, which commands don't.
_COLLECTIONS = 1000, 10, 10


#: Until a request with a body of at most so many bytes is whole, nothing is begun for it.
MOST_HELD = 64 << 10


class _Connection(HttpToolsProtocol):
    """A connection that holds no endless headers, and does not wait for ever for a request.

    What the application can answer at once is written at once, without the task and events of ASGI.
    """

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self._head = 0
        self._in_head = False
        self._complete = False
        self._deadline: asyncio.TimerHandle | None = None
        self._parsing = False
        self._arriving: tuple[RequestResponseCycle, Any] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.call_later(ARRIVAL, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        self._parsing = True
        try:
            super().data_received(data)
        finally:
            self._parsing = False
        if self._in_head:
            self._head += len(data)
            if self._head > MOST_HEAD and not self.transport.is_closing():
                self.send_400_response("The headers are too long.")
        if self._complete:
            self._stop_waiting()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(ARRIVAL, self._give_up)
        if self._arriving is not None:
            self._go_on(*self._arriving)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self._parsing:
            self._arriving = cycle, app  # its body may be in the same data
        else:
            super()._start_asgi_task(cycle, app)

    def _go_on(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Answers the request that arrives, or has a task do so; or waits for its body."""
        closing = self.transport.is_closing()
        if cycle.more_body and not (cycle.waiting_for_100_continue or closing or self._is_large(cycle)):
            return
        self._arriving = None
        if cycle.more_body or closing or not self._answered(cycle, app):
            super()._start_asgi_task(cycle, app)

    def _is_large(self, cycle: RequestResponseCycle) -> bool:
        told = next((value for name, value in cycle.scope["headers"] if name == b"content-length"), b"0")
        return len(cycle.body) > MOST_HELD or len(told) > 5 or int(told) > MOST_HELD

    def _answered(self, cycle: RequestResponseCycle, app: Any) -> bool:
        """Answers a request that is whole, if that can be done at once."""
        if not isinstance(app, Application) or not cycle.keep_alive or self.flow.write_paused:
            return False
        scope, alone = cycle.scope, len(self.connections) == 1
        answer = app.answered_at_once(
            scope["path"], scope["method"], cycle.scope["headers"], bytes(cycle.body), alone=alone
        )
        if answer is None:
            return False
        headers, body = answer
        lines = [b"%s: %s\r\n" % header for header in (*cycle.default_headers, *headers)]
        head = b"HTTP/1.1 200 OK\r\n%scontent-length: %d\r\n\r\n" % (b"".join(lines), len(body))
        self.transport.write(head + body)
        cycle.response_started = cycle.response_complete = True
        cycle.on_response()
        return True

    def on_message_begin(self) -> None:
        self._head, self._in_head, self._complete = 0, True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._complete = True
        super().on_message_complete()

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Server(uvicorn.Server):
    """Ends after a signal: it is not ready at once, and stops listening ``drain`` seconds later (at once for SIGINT),
    when load balancers have noticed. A second signal ends it at once.
    """

    def __init__(self, config: uvicorn.Config, application: Application, drain: float):
        super().__init__(config)
        self._application, self._drain = application, drain
        self._ends_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._ends_at is not None:
            self.should_exit = self.force_exit = True
            return
        self._application.ready = False
        self._ends_at = monotonic() + (0 if sig == signal.SIGINT else self._drain)

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:
            self._application.forget_idle()
        if self._ends_at is not None and monotonic() >= self._ends_at:
            self.should_exit = True
        return await super().on_tick(counter)


def bound(host: str, port: int) -> socket.socket:
    """A socket at this address, which does not listen yet; port 0 is any that is free. Raises RequestError."""
    listener: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, UnicodeError) as error:
        if listener is not None:
            listener.close()
        reason = error.strerror if isinstance(error, OSError) else error
        raise RequestError(f"{host}, port {port}: {reason}") from None
    return listener


def address(listener: socket.socket) -> str:
    """The server's address as clients write it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"


def serve(
    application: Application, listener: socket.socket, *, drain: float = 0.0, started: Callable[[], None]
) -> bool:
    """Serves until SIGTERM or SIGINT comes; calls ``started`` when it listens. Returns whether all requests in progress
    were answered.
    """
    config = uvicorn.Config(
        application,
        http=_Connection,
        loop="uvloop" if find_spec("uvloop") else "asyncio",
        ws="none",
        proxy_headers=False,
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        date_header=False,
        backlog=1024,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=LAST_REQUESTS,
    )
    server = _Server(config, application, drain)

    async def run() -> bool:
        serving = asyncio.ensure_future(server.serve([listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            gc.collect()
            gc.freeze()  # the program stays: collections that look through it again would delay answers
            gc.set_threshold(*_COLLECTIONS)
            started()
        await serving
        return not (server.server_state.tasks or server.force_exit)

    config.load()
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        answered = runner.run(run())
    application.close()
    return answered
