"""Loads a server: `python -m tests.serving --requests 10000 --clients 64`, or measures it: `--latency SECONDS`.

Every well-formed request has to be answered right, every other one refused; the server must not keep memory, threads or
connections. With `--latency`, wrk measures requests of one sample beside the time of the program's call, and beside
requests to a server that does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from urllib.request import Request, urlopen

import numpy as np

from .clients import PATH, infer_body, load, peak
from .serving import Process, program, served

#: So many times the two servers are measured in turns.
ROUNDS = 5
MICROSECONDS = {"us": 1.0, "ms": 1e3, "s": 1e6}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency", type=float, metavar="SECONDS", help="measure with wrk instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), "--max-request", "1") as server:
        if options.latency:
            return latency(server, Path(folder), options.latency)
        return loaded(server, options.requests, options.clients, options.seed)


def loaded(server: Process, requests: int, clients: int, seed: int) -> int:
    own = program()
    asyncio.run(peak(server.port, own, clients, 1 << 20))
    failures: list[str] = []
    sizes: list[int] = []
    for part in range(10):
        counts, wrong = asyncio.run(
            load(server.port, own, clients, requests // 10, 1 << 20, seed * 10 + part)
        )
        failures += wrong
        now = server.status("VmRSS", "Threads")
        sizes.append(now["VmRSS"])
        print(
            f"{(part + 1) * (requests // 10):6} requests: {now['VmRSS']} KiB, {now['Threads']} threads, "
            f"{server.open_files()} files; {dict(counts)}",
            flush=True,
        )
    for text in failures[:20]:
        print(text)
    if min(sizes[7:]) > max(sizes[:3]) * 1.01 + 1024:  # requests at the same time hold more or less
        failures.append(f"memory grew from {max(sizes[:3])} to {min(sizes[7:])} KiB")
        print(failures[-1])
    code, _ = server.stop()
    print(f"{len(failures)} failures, exit code {code}")
    return 1 if failures or code else 0


def latency(server: Process, folder: Path, seconds: float) -> int:
    """Measures one connection to the server beside one to a server that does nothing, in turns; with numbers in JSON,
    and as bytes.
    """
    own = program()
    arrays = {"x": np.ones((1, 50, 6), np.float32), "word": np.ones((1, 50), np.int64)}
    arrays["x"] += np.random.default_rng(0).normal(size=(1, 50, 6)).astype(np.float32)
    calls = []
    for _ in range(300):
        begun = perf_counter()
        own.predict(**arrays)
        calls.append(perf_counter() - begun)
    kernel = float(np.median(calls)) * 1e6
    print(f"predict {kernel:.0f} µs; aim: 99 % below {1.5 * kernel + 200:.0f} µs")
    print("µs                50 %   90 %   99 %   processor time of the server per request")
    for form, binary in (("JSON", False), ("bytes", True)):
        body, headers = infer_body(arrays, binary)
        script = ["wrk.method = 'POST'", f"wrk.body = {lua(body)}"]
        script += [
            f"wrk.headers[{lua(name.encode())}] = {lua(value.encode())}" for name, value in headers.items()
        ]
        (folder / "post.lua").write_text("\n".join(script))
        with urlopen(Request(f"http://{server.address}{PATH}", body, headers)) as response:
            size = len(response.read())
        print(f"{form}: a request of {len(body)} bytes, an answer of {size}")
        for name, rounds in in_turns(server, folder, size, seconds / 2).items():
            half, most, last, own_time = np.median(rounds, axis=0)
            print(f"{name:15} {half:6.0f} {most:6.0f} {last:6.0f} {own_time:6.1f}")
    return 0


def in_turns(server: Process, folder: Path, size: int, seconds: float) -> dict[str, list[tuple[float, ...]]]:
    """What `under_wrk` measures of a server that sends so many bytes, and of ours."""
    command = [sys.executable, "-m", "tests.serving.echo", str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bare:
        assert bare.stdout is not None
        port = int(bare.stdout.readline())
        measured: dict[str, list[tuple[float, ...]]] = {"bare": [], "served": []}
        for _ in range(ROUNDS):
            measured["bare"].append(under_wrk(folder, port, bare.pid, seconds / ROUNDS))
            measured["served"].append(under_wrk(folder, server.port, server.process.pid, seconds / ROUNDS))
        bare.kill()
    return measured


def lua(text: bytes) -> str:
    """A string of Lua."""
    return '"' + "".join(f"\\{byte:03}" for byte in text) + '"'


def under_wrk(folder: Path, port: int, pid: int, seconds: float) -> tuple[float, ...]:
    """Microseconds of 50, 90 and 99 % of the requests, and of the server's processor time for each."""
    command = ["wrk", "-t1", "-c1", f"-d{max(1, round(seconds))}s", "--latency", "-s", "post.lua"]
    before = processor_time(pid)
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{PATH}"], cwd=folder, capture_output=True, text=True, check=True
    )
    used = processor_time(pid) - before
    assert "Non-2xx" not in done.stdout, done.stdout
    times = re.findall(r"^\s+(?:50|90|99)%\s+([\d.]+)(us|ms|s)$", done.stdout, re.MULTILINE)
    count = re.search(r"(\d+) requests in", done.stdout)
    assert count is not None, done.stdout
    return *(float(value) * MICROSECONDS[unit] for value, unit in times), used / int(count[1]) * 1e6


def processor_time(pid: int) -> float:
    """Seconds that the threads of a process have run."""
    return (
        sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())
        / 1e9
    )


if __name__ == "__main__":
    sys.exit(main())
