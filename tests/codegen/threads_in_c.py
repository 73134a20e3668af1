"""Programs in C over the code of shares and pool, as every program has it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from netwright.compiler.codegen.llvm.support import write_pool, write_support
from netwright.compiler.codegen.objects.compile import compile_object
from netwright.compiler.codegen.targets.target import host_target


def build(folder: Path, name: str, *flags: str, change: Callable[[str], str] = str) -> Path:
    """The program of ``name``.c with that code, ``change``d."""
    target = host_target()
    for part, text in (("pool", write_pool(target, "pool_")), ("support", write_support(target))):
        (folder / f"{part}.o").write_bytes(compile_object(change(text), target, None))
    source = Path(__file__).with_name(f"{name}.c")
    command = ["gcc", "-O1", "-g", *flags, source, "pool.o", "support.o", "-pthread"]
    done = subprocess.run([*command, "-o", name], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / name
