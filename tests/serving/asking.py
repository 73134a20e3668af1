"""An application that is asked in its own process, without a network."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from netwright.serving.application import Application

from .clients import PATH


class Asked:
    """An application, and one event loop to ask it in."""

    def __init__(self, application: Application):
        self.application = application
        self.runner = asyncio.Runner()

    def request(
        self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, method: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        return self.runner.run(self.one_request(path, body, headers, method))

    async def one_request(
        self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, method: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body or b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        given = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        method = method or ("GET" if body is None else "POST")
        scope = {"type": "http", "path": path, "method": method, "headers": given}
        await self.application(scope, receive, send)
        start, content = sent
        got = {name.decode(): value.decode() for name, value in start["headers"]}
        assert int(got["content-length"]) == len(content["body"])
        return start["status"], got, content["body"]

    def infer(self, tensors: Any, **more: Any) -> tuple[int, Any]:
        status, _, body = self.request(PATH, json.dumps({"inputs": tensors, **more}).encode())
        return status, json.loads(body)
