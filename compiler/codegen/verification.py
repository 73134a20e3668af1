"""Runs compiled kernels beside the loop interpreter, to find LLVM's miscompilations before the code is used.

The machine code runs in a child process, since a crash is a finding, too. The child is `kernel_runs`; the two
communicate through a folder with the program's text and its objects, and through lines of JSON.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from netwright.specs.files import scratch_folder

from ..loop import ir
from ..loop.text.printing import program_text
from .llvm.features import why_not_here
from .llvm.modules import origin
from .targets.target import Target

SECONDS = 3600.0


class VerificationError(RuntimeError):
    """Machine code computes something else than its kernel says; the message names the kernel and its layers."""


@dataclass(frozen=True)
class Verified:
    """How many kernels were run; ``large`` are those that would take the interpreter too long."""

    kernels: int
    large: tuple[str, ...] = ()


def verify_kernels(
    program: ir.Program,
    objects: Mapping[str, tuple[str, bytes]],
    target: Target,
    *,
    seed: int = 0,
) -> Verified:
    """Runs each kernel's machine code beside the interpreter, on small random buffers, on one and several threads.

    ``objects`` maps the name of a kernel to its symbol and the object that defines it. Raises VerificationError at
    the first difference, and if this computer cannot run code for ``target``.
    """
    if reason := why_not_here(target):
        raise VerificationError(reason)
    with scratch_folder() as folder:
        folder.write("program.txt", program_text(program))
        files: dict[str, str] = {}
        for symbol, code in objects.values():
            if symbol not in files:
                files[symbol] = f"{len(files)}.o"
                folder.write(files[symbol], code)
        index = {
            "target": [target.triple, target.cpu, target.features],
            "kernels": {kernel: [symbol, files[symbol]] for kernel, (symbol, _) in objects.items()},
            "seed": seed,
        }
        folder.write("index.json", json.dumps(index))
        run = subprocess.run(
            [sys.executable, "-m", "netwright.compiler.codegen.kernel_runs", str(folder.path)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    begun = [line["kernel"] for line in lines if "begun" in line]
    wrong = next((line for line in lines if "wrong" in line), None)
    if wrong is not None:
        raise VerificationError(f"{_named(wrong['kernel'], program)}: {wrong['wrong']}")
    if run.returncode != 0:
        how = signal.Signals(-run.returncode).name if run.returncode < 0 else run.stderr.strip()[-500:]
        where = _named(begun[-1], program) if begun else "loading the code"
        raise VerificationError(f"{where} ends the process: {how}")
    return Verified(len(begun), tuple(line["kernel"] for line in lines if "large" in line))


def _named(kernel: str, program: ir.Program) -> str:
    return f"the machine code of {origin(kernel, program.layers)}"
