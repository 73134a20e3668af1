"""The HTTP server: uvicorn, with connections of ours, and an end that clients notice in time."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from importlib.util import find_spec
from time import monotonic
from types import FrameType

import uvicorn

from ..errors import RequestError
from . import connection
from .application import Application
from .connection import Connection

#: So many seconds requests in progress may take after a signal to stop.
LAST_REQUESTS = 30
#: Connections are cycles of objects, so garbage is collected as often as Python usually does, which commands don't.
_COLLECTIONS = 1000, 10, 10


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


def configured(application: Application) -> uvicorn.Config:
    """How uvicorn serves an application."""
    return uvicorn.Config(
        application,
        http=Connection,
        loop="uvloop" if find_spec("uvloop") else "asyncio",
        ws="none",
        proxy_headers=False,
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        date_header=False,
        backlog=1024,
        timeout_keep_alive=connection.IDLE,
        timeout_graceful_shutdown=LAST_REQUESTS,
    )


def serve(
    application: Application,
    listener: socket.socket,
    *,
    drain: float = 0.0,
    started: Callable[[], None],
    reload: Callable[[], None] | None = None,
) -> bool:
    """Serves until SIGTERM or SIGINT comes; calls ``started`` when it listens, and ``reload`` for each SIGHUP. Returns
    whether all requests in progress were answered.
    """
    config = configured(application)
    server = _Server(config, application, drain)

    async def run() -> bool:
        serving = asyncio.ensure_future(server.serve([listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            gc.collect()
            gc.freeze()  # the program stays: collections that look through it again would delay answers
            gc.set_threshold(*_COLLECTIONS)
            if reload is not None and hasattr(signal, "SIGHUP"):
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
            started()
        await serving
        state = server.server_state
        left = any(isinstance(each, Connection) and each.taken for each in state.connections)
        return not (state.tasks or left or server.force_exit)

    config.load()
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        answered = runner.run(run())
    application.close()
    return answered
