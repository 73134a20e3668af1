"""How programs for each target are run: by this computer, by an emulator, in an engine for WebAssembly."""

from __future__ import annotations

import importlib.util
import platform as computer
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from netwright.compiler.codegen.files.linker import LinkError, find_compiler
from netwright.compiler.codegen.files.platforms import chosen_target
from netwright.verification.runners import LIBRARIES
from netwright.verification.runners import runner as command_before

from ..engines.harness import Arrays
from .browser import BROWSER, run_in_browser
from .cortex import run_on_board
from .jobs import Job

SECONDS = 120
Outcome = Arrays | str
#: What runs jobs one after another: arrays, or a text that says what went wrong.
Run = Callable[[Iterable[Job]], Iterator[Outcome]]

_QEMU = {
    "aarch64-linux-gnu": "qemu-aarch64",
    "aarch64-linux-musl": "qemu-aarch64",
    "riscv64-linux-musl": "qemu-riscv64",
    "armv7-linux-musleabihf": "qemu-arm",
}
#: The first bytes of files that are only looked at, and where the name of their CPU is, with its value.
_FORMATS = {
    "x86_64-windows-gnu": (b"MZ", b"PE\0\0\x64\x86"),
    "aarch64-macos": (b"\xcf\xfa\xed\xfe\x0c\0\0\x01", b""),
}


def lacking(target: str) -> str | None:
    """What this computer lacks to link and run programs for a target; None if it lacks nothing."""
    try:
        find_compiler(chosen_target(None if target == "native" else target, None))
    except LinkError as error:
        return str(error)
    if target in _QEMU and shutil.which(_QEMU[target]) is None:
        return f"{_QEMU[target]} is not installed (Debian's qemu-user)"
    if target in _QEMU and target.endswith("-gnu"):
        folder, package = LIBRARIES[_QEMU[target]]
        if not folder.is_dir():
            return f"there is no C library for {target} (Debian's {package})"
    if target.startswith("x86_64-linux") and (computer.machine(), computer.system()) != ("x86_64", "Linux"):
        return "this computer is no x86-64 with Linux"
    if target == "thumbv7em-none-eabi" and shutil.which("qemu-system-arm") is None:
        return "qemu-system-arm is not installed (Debian's qemu-system-arm)"
    if target == "wasm32-web" and BROWSER is None:
        return "there is no Chromium (Debian's chromium)"
    if target == "wasm32-wasi" and importlib.util.find_spec("wasmtime") is None:
        return "the package wasmtime is not installed"
    return None


def runner(target: str) -> Run:
    """What runs the programs for a target."""
    if target == "thumbv7em-none-eabi":
        return run_on_board
    if target == "wasm32-web":
        return run_in_browser
    if target in _FORMATS:
        return lambda jobs: (_looked_at(job, *_FORMATS[target]) for job in jobs)
    return lambda jobs: map(_process, jobs)


def arguments(job: Job, folder: str) -> list[str]:
    """The arguments of a program that reads and writes files in ``folder``."""
    given = [word for name in job.inputs for word in ("-i", f"{name}={folder}/{name}.npy")]
    return [*given, "-o", f"{folder}/answers.npz"]


def answers(folder: Path) -> Arrays:
    """What a program has written."""
    with np.load(folder / "answers.npz") as written:
        return {name: written[name] for name in written.files}


def _process(job: Job) -> Outcome:
    command = [*command_before(job.program), str(job.program), *arguments(job, str(job.folder))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    return f"exit {done.returncode}: {done.stderr[-500:]}" if done.returncode else answers(job.folder)


def _looked_at(job: Job, first: bytes, cpu: bytes) -> Outcome:
    """The interpreter's answers, since nothing runs the program, if its file is of the format."""
    data = job.program.read_bytes()
    if not data.startswith(first) or (cpu and cpu not in data[:4096]):
        return f"not the format of the target: {data[:64]!r}"
    table: Mapping[str, np.ndarray] = {**job.weights, **job.inputs}
    return job.model.interpret("predict", table, job.dims)
