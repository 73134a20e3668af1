"""Finds and runs a C compiler: the system's, or the one in the ``ziglang`` package."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from netwright.specs.files import Scratch, write_file

from ..objects.compiled_sources import C_SOURCES as C_SOURCES
from ..objects.compiled_sources import compiled_sources
from ..targets.target import Target, host_target
from .platforms import least_cpu, platform_of

_FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC"]


class LinkError(RuntimeError):
    """There is no C compiler, or it failed; the message says what to install, or what the compiler printed."""


#: What makes the C code around a network small: a function of its own section that nothing calls is left out.
SMALL = ["-Os", "-ffunction-sections", "-fdata-sections"]
#: Leaves out tables for unwinding, which nothing reads. For Windows, zig compiles the code that starts a program with
#: the same flags, and it needs them.
_NO_TABLES = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"]


def small(command: Sequence[str], target: Target) -> list[str]:
    """The flags that make a program or a shared library small, with its segments one after the other in the file: what
    must not be executed has to be in sections that can be written at first (``contents.write_contents``).
    """
    flags = SMALL if target.is_windows else [*SMALL, *_NO_TABLES]
    if not joins_segments(command, target):
        return flags
    joined = ["-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,--no-eh-frame-hdr", "-Wl,-z,noseparate-code"]
    return [*flags, "-fno-plt", *joined]


def joins_segments(command: Sequence[str], target: Target) -> bool:
    """Whether ``small`` puts code and constants into one segment, which takes fewer pages of a file."""
    return target.is_linux and "ziglang" not in command


def find_compiler(target: Target) -> list[str]:
    """The command that compiles and links C for ``target``.

    ``CC`` from the environment, else ``cc`` (both only for this machine's own architecture and system), else ``python
    -m ziglang cc``. Raises LinkError if there is none.
    """
    platform = platform_of(target)
    native = _zig_triple(target) == _zig_triple(host_target())
    if native and os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    if native and shutil.which("cc"):
        return ["cc"]
    if not native and not target.is_linux and platform is None:
        raise LinkError(
            f"programs for {target.triple} are linked on such a computer only; "
            "here --emit object, asm and llvm write code for it"
        )
    if importlib.util.find_spec("ziglang") is not None:
        command = [sys.executable, "-m", "ziglang", "cc"]
        if native:
            return [*command]
        cpu = platform.least if platform else least_cpu(target)
        place = ["-target", platform.zig if platform else _zig_triple(target)]
        return [*command, *place, *([f"-mcpu={cpu}"] if cpu else [])]
    what = "a C compiler" if native else f"a C compiler for {platform.name if platform else target.triple}"
    extra = "link" if native else "cross"
    raise LinkError(
        f"linking needs {what}, and there is none: run  pip install 'netwright[{extra}]'  "
        "(the ziglang package, 100 MB)"
        + (
            ", or install your system's cc (gcc or clang)"
            if native
            else "; --emit object, asm and llvm need none"
        )
    )


def system_flags(target: Target) -> list[str]:
    """The arguments that link a program with its system's libraries; they come after those of `link`."""
    if target.is_wasm:
        return ["-fno-PIC", "-lm"]
    return ["-pthread", "-lm"] if target.is_posix else ["-lm"]


def object_flags(target: Target) -> list[str]:
    """The arguments that compile C for code at fixed addresses, where there is no system; they come after those of
    `link`."""
    return [] if target.has_system else ["-fno-PIC", "-ffreestanding", "-fno-unwind-tables"]


def link(
    command: Sequence[str],
    folder: Scratch,
    arguments: Sequence[str],
    output: Path,
    *,
    executable: bool = True,
) -> None:
    """Runs the compiler in ``folder`` on files in it, and writes the result to ``output``. Raises LinkError."""
    compiled = compiled_sources(command, _FLAGS, folder, arguments, _run)
    _run([*command, *_FLAGS, *compiled, "-o", "linked"], folder)
    _write(folder.path / "linked", output, executable)


def objects(
    command: Sequence[str], folder: Scratch, sources: Sequence[str], flags: Sequence[str]
) -> list[str]:
    """Compiles each file that is not an object yet, and returns the names of all. Raises LinkError."""
    made: list[str] = []
    for source in compiled_sources(command, [*_FLAGS, *flags], folder, sources, _run):
        name = Path(source).with_suffix(".o").name
        if name != source:
            _run([*command, *_FLAGS, *flags, "-c", source, "-o", name], folder)
        made.append(name)
    return made


def archive(
    command: Sequence[str],
    folder: Scratch,
    made: Sequence[str],
    output: Path,
    member: str,
    target: Target,
    flags: Sequence[str] = (),
) -> None:
    """Writes an archive of objects, joined to ``member``.o where the format of objects allows that. Where there is no
    system, what LLVM's code calls (such as arithmetic of float64) is part of it. Raises LinkError.
    """
    members = [*made]
    if not target.is_windows:
        members = [f"{member}.o"]
        _run(
            [*command, *_FLAGS, *object_flags(target), "-r", "-nostdlib", *made, *flags, "-o", *members],
            folder,
        )
    if target.is_bare:
        members.append(_runtime(command, folder))
    _run([*_archiver(command), "rcs", "linked.a", *members], folder)
    _write(folder.path / "linked.a", output, executable=False)


def _runtime(command: Sequence[str], folder: Scratch) -> str:
    """An object with the functions that LLVM's code may call, as zig makes it. Its symbols are weak: where a program
    has such functions, these are left out."""
    folder.write("nothing.c", b"")
    place = [argument for argument in command if argument.startswith("-mcpu=")]
    place += ["-target", command[command.index("-target") + 1]]
    zig = [sys.executable, "-m", "ziglang"]
    options = ["-static", "-fcompiler-rt", "-fstrip", "-OReleaseSmall", *place]
    _run([*zig, "build-lib", *options, "nothing.c", "-femit-bin=runtime.a"], folder)
    listed = _run([*zig, "ar", "t", "runtime.a"], folder).split()
    name = next(name for name in listed if "compiler_rt" in name)
    _run([*zig, "ar", "x", "runtime.a", name], folder)
    return Path(name).name


def _archiver(command: Sequence[str]) -> list[str]:
    """The archiver beside a C compiler: ``AR`` from the environment, zig's for zig, else ``ar``."""
    if "ziglang" in command:
        return [sys.executable, "-m", "ziglang", "ar"]
    if os.environ.get("AR"):
        return shlex.split(os.environ["AR"])
    if shutil.which("ar"):
        return ["ar"]
    raise LinkError("a static library needs ar, which is part of binutils and LLVM: install it, or set AR")


def _run(full: Sequence[str], folder: Scratch) -> str:
    """What a command prints. Raises LinkError if it fails."""
    try:
        environment = {**os.environ, "LC_ALL": "C"}
        run = subprocess.run(
            full, cwd=folder.path, env=environment, capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        raise LinkError(f"cannot run {full[0]}: {error}") from error
    if run.returncode:
        if os.strerror(errno.ENOSPC) in run.stderr:  # its message names temporary files
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise LinkError(f"{shlex.join(full)} failed:\n{(run.stderr or run.stdout).strip()[-4000:]}")
    return run.stdout


def _write(made: Path, output: Path, executable: bool) -> None:
    with made.open("rb") as program:
        write_file(output, lambda file: shutil.copyfileobj(program, file), executable=executable)


def link_static(
    command: Sequence[str], folder: Scratch, arguments: Sequence[str], output: Path, target: Target
) -> bool:
    """As ``link``, but without libraries that the program would need where it runs, if the compiler has such ones (of
    ``ziglang``, musl). Returns whether it does.
    """
    zig = list(command[: command.index("cc") + 1]) if "ziglang" in command else None
    cpu = [word for word in command if word.startswith("-mcpu=")]
    musl = [[*zig, "-target", _zig_triple(target).replace("-gnu", "-musl"), *cpu]] if zig else []
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
    # zig reads 32-bit ARM's version off the CPU
    return re.sub(r"^armv\w+", "arm", "-".join(parts))
