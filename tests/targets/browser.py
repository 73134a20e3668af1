"""Runs WebAssembly modules in headless Chromium: a small server gives it the modules and takes the answers."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from netwright.compiler.codegen.files.web import loader_script

from ..engines.harness import Arrays
from .jobs import Job

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECONDS = 180

_PAGE = """<!doctype html><meta charset="utf-8"><script type="module">
import { load } from "./loader.js";
const view = (type, text) => new globalThis[type](Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const text = (data) => {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let out = "";
  for (let i = 0; i < bytes.length; i += 4096) out += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return btoa(out);
};
const jobs = await (await fetch("jobs")).json(), outcomes = [];
for (const [position, job] of jobs.entries()) {
  try {
    const network = await load(`module/${position}`), inputs = {};
    for (const [name, one] of Object.entries(job)) inputs[name] = { data: view(one.type, one.data), shape: one.shape };
    const answers = network.run(inputs);
    outcomes.push(Object.fromEntries(Object.entries(answers).map(
      ([name, one]) => [name, { shape: one.shape, data: text(one.data) }])));
  } catch (error) { outcomes.push(String(error.stack ?? error)); }
}
await fetch("done", { method: "POST", body: JSON.stringify(outcomes) });
</script>"""
#: JavaScript's arrays by dtype; the loader takes any numbers for a bool.
_ARRAYS = {
    "float32": "Float32Array", "float64": "Float64Array", "int8": "Int8Array", "uint8": "Uint8Array",
    "int16": "Int16Array", "uint16": "Uint16Array", "int32": "Int32Array", "uint32": "Uint32Array",
    "int64": "BigInt64Array", "uint64": "BigUint64Array", "bool": "Uint8Array",
}  # fmt: skip


def run_in_browser(jobs: Iterable[Job]) -> Iterator[Arrays | str]:
    """The answers of each module, all by one browser."""
    known = list(jobs)
    inputs = [{name: _sent(array) for name, array in job.inputs.items()} for job in known]
    files = {
        "/": ("text/html", _PAGE.encode()),
        "/loader.js": ("text/javascript", loader_script().encode()),
        "/jobs": ("application/json", json.dumps(inputs).encode()),
        **{f"/module/{n}": ("application/wasm", job.program.read_bytes()) for n, job in enumerate(known)},
    }
    outcomes = json.loads(answered(files))
    for job, outcome in zip(known, outcomes, strict=True):
        yield (
            outcome
            if isinstance(outcome, str)
            else {name: _received(job, name, one) for name, one in outcome.items()}
        )


def answered(files: dict[str, tuple[str, bytes]]) -> bytes:
    """What the page at `/` posts to `/done`, opened in a browser with a microphone that beeps. Raises AssertionError if
    it posts nothing.
    """
    assert BROWSER is not None
    posted: list[bytes] = []
    done = threading.Event()
    with (
        _served(files, posted, done) as address,
        tempfile.TemporaryDirectory(prefix="netwright-browser-", ignore_cleanup_errors=True) as profile,
    ):
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        options += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        child = subprocess.Popen(
            [BROWSER, *options, "--remote-debugging-port=0", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert done.wait(SECONDS), "the browser gave no answer"
        finally:
            child.kill()
            child.wait()
    return posted[0]


@contextmanager
def _served(files: dict[str, tuple[str, bytes]], posted: list[bytes], done: threading.Event) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = files.get(self.path, ("text/plain", b""))
            self.send_response(200 if self.path in files else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()
            done.set()

        def log_message(self, format: str, *args: Any) -> None:
            """Prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _sent(array: np.ndarray) -> dict[str, Any]:
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"type": _ARRAYS[array.dtype.name], "shape": list(array.shape), "data": data}


def _received(job: Job, name: str, answer: dict[str, Any]) -> np.ndarray:
    dtype = job.model.network.outputs[name].type.dtype
    return np.frombuffer(base64.b64decode(answer["data"]), dtype).reshape(
        [int(size) for size in answer["shape"]]
    )
