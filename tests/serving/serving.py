"""A server in a process of its own, and the same program in this one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import netwright

from ..built_once import built_once

#: A layer of each kind that streams have to remember something for, and one of numbers that can be out of range.
SPEC: dict[str, Any] = {
    "netwright": 1,
    "model": "gestures",
    "dims": {"N": "batch", "T": "time"},
    "inputs": {
        "x": {"shape": ["N", "T", 6]},
        "word": {"shape": ["N", "T"], "dtype": "int64"},
    },
    "layers": [
        {
            "name": "moved",
            "type": "conv1d",
            "inputs": ["x"],
            "filters": 8,
            "kernel_size": 3,
            "padding": "causal",
        },
        {"name": "meant", "type": "embedding", "inputs": ["word"], "input_dim": 10, "output_dim": 4},
        {"name": "both", "type": "concat", "inputs": ["moved", "meant"]},
        {"name": "memory", "type": "lstm", "units": 16},
        {"name": "answer", "type": "dense", "units": 3, "activation": "tanh"},
    ],
    "outputs": {"y": "answer", "kept": "memory"},
}


def program() -> netwright.Program:
    """The program that is served."""
    with built_once():
        return netwright.load(SPEC).compile(entries=["predict"], seed=3, threads=1)


class Process:
    """A server's process."""

    def __init__(self, process: subprocess.Popen[str], port: int):
        self.process, self.port = process, port
        self.address = f"127.0.0.1:{port}"

    def status(self, *names: str) -> dict[str, int]:
        """Numbers of /proc/PID/status, such as VmRSS (in KiB) and Threads."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return {name: int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1]) for name in names}  # type: ignore[index]

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self) -> tuple[int, str]:
        """The exit code after SIGTERM, and what was printed."""
        self.process.send_signal(signal.SIGTERM)
        printed, _ = self.process.communicate(timeout=60)
        return self.process.returncode, printed


@contextmanager
def served(
    folder: Path, *options: str, spec: Mapping[str, Any] = SPEC, made: netwright.Program | None = None
) -> Iterator[Process]:
    """`netwright serve` of a spec, at a free port."""
    (folder / "spec.json").write_text(json.dumps(spec))
    (made or program()).save_weights(folder / "weights.safetensors")
    command = ["serve", "spec.json", "--weights", "weights.safetensors", "--port", "0", "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "netwright", *command, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        port = re.search(r"is served at http://127\.0\.0\.1:(\d+)$", line)
        assert port, line + process.stdout.read()
        yield Process(process, int(port[1]))
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
