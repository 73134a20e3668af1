"""Finds and runs a C compiler: the system's, or the one in the ``ziglang`` package."""

from __future__ import annotations

import errno
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from netwright.specs.files import Scratch, write_file

from .target import Target, host_target

C_SOURCES = Path(__file__).parent / "c"
_FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC"]


class LinkError(RuntimeError):
    """There is no C compiler, or it failed; the message says what to install, or what the compiler printed."""


def find_compiler(target: Target) -> list[str]:
    """The command that compiles and links C for ``target``.

    ``CC`` from the environment, else ``cc`` (both only for this machine's own architecture and system), else ``python
    -m ziglang cc``. Raises LinkError if there is none.
    """
    native = _zig_triple(target) == _zig_triple(host_target())
    if native and os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    if native and shutil.which("cc"):
        return ["cc"]
    if not native and not target.is_linux:
        raise LinkError(
            f"programs for {target.triple} are linked on such a computer only; "
            "here --emit object, asm and llvm write code for it"
        )
    if importlib.util.find_spec("ziglang") is not None:
        command = [sys.executable, "-m", "ziglang", "cc"]
        return command if native else [*command, "-target", _zig_triple(target)]
    what = "a C compiler" if native else f"a C compiler for {target.triple}"
    raise LinkError(
        f"linking needs {what}, and there is none: run  pip install 'netwright[link]'  "
        "(the ziglang package, 100 MB)"
        + (
            ", or install your system's cc (gcc or clang)"
            if native
            else "; --emit object, asm and llvm need none"
        )
    )


def link(command: Sequence[str], folder: Scratch, arguments: Sequence[str], output: Path) -> None:
    """Runs the compiler in ``folder`` on files in it, and writes the result to ``output``. Raises LinkError."""
    made = folder.path / "linked"
    full = [*command, *_FLAGS, *arguments, "-o", made.name]
    try:
        environment = {**os.environ, "LC_ALL": "C"}
        run = subprocess.run(
            full, cwd=folder.path, env=environment, capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        raise LinkError(f"cannot run {command[0]}: {error}") from error
    if run.returncode:
        if os.strerror(errno.ENOSPC) in run.stderr:  # its message names temporary files
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise LinkError(f"{shlex.join(full)} failed:\n{(run.stderr or run.stdout).strip()[-4000:]}")
    with made.open("rb") as program:
        write_file(output, lambda file: shutil.copyfileobj(program, file), executable=True)


def link_static(
    command: Sequence[str], folder: Scratch, arguments: Sequence[str], output: Path, target: Target
) -> bool:
    """As ``link``, but without libraries that the program would need where it runs, if the compiler has such ones (of
    ``ziglang``, musl). Returns whether it does.
    """
    zig = list(command[: command.index("cc") + 1]) if "ziglang" in command else None
    musl = [[*zig, "-target", _zig_triple(target).replace("-gnu", "-musl")]] if zig else []
    for compiler in (command, *musl) if target.is_linux else ():
        if _links_statically(compiler, folder):
            link(compiler, folder, ["-static", *arguments], output)
            return True
    link(command, folder, arguments, output)
    return False


def _links_statically(command: Sequence[str], folder: Scratch) -> bool:
    """Whether a compiler has what a program consists of, tried with an empty one."""
    folder.write("nothing.c", "#include <pthread.h>\nint main(void) { return pthread_self() == 0; }\n")
    words = [*command, "-static", "nothing.c", "-pthread", "-lm", "-o", "nothing"]
    try:
        return subprocess.run(words, cwd=folder.path, capture_output=True).returncode == 0
    except OSError:
        return False


def _zig_triple(target: Target) -> str:
    """LLVM's triple without its vendor, as zig spells it."""
    parts = [part for part in target.triple.split("-") if part not in ("unknown", "pc", "apple")]
    return "-".join(parts)
