"""A client of the language server: JSON-RPC over the pipes of a real process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from queue import Queue
from typing import Any


class Client:
    """Starts `netwright lsp` and talks to it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "netwright", "lsp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.answers: Queue[dict[str, Any]] = Queue()
        self.published: Queue[dict[str, Any]] = Queue()
        self.number = 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        capabilities = {"textDocument": {"publishDiagnostics": {"relatedInformation": True}}}
        self.capabilities = self.ask(
            "initialize", {"processId": None, "rootUri": None, "capabilities": capabilities}
        )["capabilities"]
        self.tell("initialized", {})

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while True:
            length = 0
            while line := stream.readline().strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if not length:
                return
            message = json.loads(stream.read(length))
            if message.get("method") == "textDocument/publishDiagnostics":
                self.published.put(message["params"])
            elif "method" not in message:
                self.answers.put(message)

    def _send(self, message: dict[str, Any]) -> None:
        stream = self.process.stdin
        assert stream is not None
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        stream.flush()

    def tell(self, method: str, params: Any) -> None:
        """A notification."""
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: Any) -> Any:
        """A request and its result."""
        self.number += 1
        self._send({"id": self.number, "method": method, "params": params})
        answer = self.answers.get(timeout=20)
        assert answer["id"] == self.number
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, uri: str, text: str) -> list[dict[str, Any]]:
        """Opens a document and gives its diagnostics."""
        item = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})
        return self.diagnostics(uri)

    def change(self, uri: str, version: int, text: str, where: dict[str, Any] | None = None) -> None:
        """A change of a range, or of the whole text."""
        change = {"text": text, **({"range": where} if where else {})}
        self.tell(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": version}, "contentChanges": [change]},
        )

    def diagnostics(self, uri: str) -> list[dict[str, Any]]:
        """The next diagnostics of a document."""
        while True:
            found = self.published.get(timeout=20)
            if found["uri"] == uri:
                return found["diagnostics"]

    def at(self, method: str, uri: str, line: int, character: int) -> Any:
        """A request about a position."""
        position = {"line": line, "character": character}
        return self.ask(f"textDocument/{method}", {"textDocument": {"uri": uri}, "position": position})

    def close(self) -> None:
        self.ask("shutdown", None)
        self.tell("exit", None)
        self.process.wait(timeout=30)
        self.reader.join(timeout=30)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
