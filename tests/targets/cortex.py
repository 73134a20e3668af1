"""Runs static libraries for Cortex-M4 under qemu-system-arm: linked with a few lines that start a program."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from netwright.compiler.codegen.files.platforms import platform_named
from netwright.specs.dims import evaluate, parse_dim
from netwright.specs.manifest import Manifest

from ..engines.harness import Arrays
from .jobs import Job

BOARD = Path(__file__).parent / "board"
SECONDS = 120
_MORE = 15 << 20
_QEMU = ("qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none")


def run_on_board(jobs: Iterable[Job]) -> Iterator[Arrays | str]:
    """The answers of each library, or what went wrong."""
    for job in jobs:
        try:
            yield _run(job)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            yield f"{error}\n{(error.stderr or '')[-1500:]}"


def _run(job: Job) -> Arrays | str:
    manifest = manifest_of(job.program)
    folder, answers = job.folder, job.folder / "answers.bin"
    (folder / "main.c").write_text(_program(job, manifest, answers))
    (folder / "inputs.S").write_text(_inputs(job))
    platform = platform_named("thumbv7em-none-eabi")
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", platform.zig, f"-mcpu={platform.least}"]
    options = ["-Os", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-fno-PIC", "-s"]
    options += ["-fno-unwind-tables", "-fno-sanitize=all", f"-I{BOARD}", f"-Wl,-T,{BOARD / 'board.ld'}"]
    files = ["main.c", "inputs.S", str(BOARD / "start.c"), str(job.program)]
    _called([*compiler, *options, *files, "-o", "board.elf"], folder)
    machine = [*_QEMU, "-semihosting-config", "enable=on,target=native", "-kernel", "board.elf"]
    done = subprocess.run(machine, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        return f"exit {done.returncode}: {done.stderr[-500:]}"
    return _read(job, manifest, answers.read_bytes())


def _called(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=True)


def manifest_of(library: Path) -> Manifest:
    """The manifest that a library holds."""
    data = library.read_bytes()
    start = data.index(b'{\n "')
    return Manifest.model_validate_json(data[start : data.index(b"\0", start)])


def _shape(job: Job, shape: Iterable[str]) -> tuple[int, ...]:
    return tuple(evaluate(parse_dim(size), job.dims) for size in shape)


def _outputs(job: Job, manifest: Manifest) -> list[tuple[int, str, tuple[int, ...], np.dtype]]:
    """Each output's number, name, shape and type, in the order in which they are written."""
    return [
        (number, info.name, _shape(job, info.shape), np.dtype(info.dtype))
        for number, info in enumerate(manifest.buffers)
        if info.role == "output"
    ]


def _program(job: Job, manifest: Manifest, answers: Path) -> str:
    prefix, upper = manifest.prefix, manifest.prefix.upper()
    numbers = {info.name: number for number, info in enumerate(manifest.buffers)}
    names = {name: position for position, name in enumerate(job.inputs)}
    dims = ", ".join(str(job.dims[dim.name]) for dim in manifest.dims) or "0"
    outputs = _outputs(job, manifest)
    sizes = [max(1, int(np.prod(shape)) * dtype.itemsize) for _, _, shape, dtype in outputs]
    starts = np.cumsum([0, *(-(-size // 64) * 64 for size in sizes)])
    lines = [
        '#include "board.h"',
        '#include "program.h"',
        f"extern const {prefix}_model {prefix}_data;",
        *(f"extern const unsigned char input_{position}[];" for position in names.values()),
        f'static unsigned char more[{_MORE}] __attribute__((aligned(64), section(".more")));',
        "static void *buffers[sizeof ((NAME *)0)->contents / sizeof(void *)];".replace(
            "NAME", f"{prefix}_model"
        ),
        f"static int64_t dims[] = {{{dims}}}, offsets[{upper}_PREDICT_SLOTS + 1];",
        "int32_t run_network(void) {",
        f"    const {prefix}_model *model = &{prefix}_data;",
        "    for (unsigned i = 0; i < sizeof buffers / sizeof *buffers; i++)",
        "        buffers[i] = (void *)model->contents[i];",
        *(
            f"    buffers[{numbers[name]}] = (void *)input_{position};"
            for name, position in names.items()
            if name in numbers
        ),
        *(f"    buffers[{out[0]}] = more + {start};" for out, start in zip(outputs, starts, strict=False)),
        f"    int64_t bytes = {prefix}_predict_plan(dims, offsets);",
        f"    if (bytes < 0 || bytes > (int64_t)sizeof more - {starts[-1]}) return 98;",
        f"    netwright_context context = {{dims, buffers, more + {starts[-1]}, offsets, 0}};",
        f"    int32_t code = {prefix}_predict_entry(&context, 0, 1);",
        f'    if (!code) write_file("{answers}", {len(str(answers))}, more, {starts[-1]});',
        "    return code;",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _inputs(job: Job) -> str:
    lines = ['.section .rodata.inputs,"a"']
    for position, (name, array) in enumerate(job.inputs.items()):
        (job.folder / f"{name}.bin").write_bytes(np.ascontiguousarray(array).tobytes() or b"\0")
        symbol = f"input_{position}"
        lines += [".balign 64", f".globl {symbol}", f"{symbol}:", f'.incbin "{name}.bin"']
    return "\n".join(lines) + "\n"


def _read(job: Job, manifest: Manifest, data: bytes) -> Arrays:
    answers: Arrays = {}
    start = 0
    for _, name, shape, dtype in _outputs(job, manifest):
        count = int(np.prod(shape))
        answers[name] = np.frombuffer(data, dtype, count, start).reshape(shape)
        start += -(-max(1, count * dtype.itemsize) // 64) * 64
    return answers
