"""How a compiled file is run: by itself where it is for this computer, else by an emulator."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path

from ..errors import RequestError

#: By the number of the machine in the header of an ELF file: its name here, and the emulator of its programs.
_MACHINES = {
    62: ("x86_64", "qemu-x86_64"),
    183: ("aarch64", "qemu-aarch64"),
    243: ("riscv64", "qemu-riscv64"),
    40: ("armv7l", "qemu-arm"),
}
#: By an emulator: where Debian keeps the C library of its system, and the package with it.
LIBRARIES = {
    "qemu-x86_64": (Path("/usr/x86_64-linux-gnu"), "libc6-amd64-cross"),
    "qemu-aarch64": (Path("/usr/aarch64-linux-gnu"), "libc6-arm64-cross"),
    "qemu-riscv64": (Path("/usr/riscv64-linux-gnu"), "libc6-riscv64-cross"),
    "qemu-arm": (Path("/usr/arm-linux-gnueabihf"), "libc6-armhf-cross"),
}
#: How the names of the loaders of programs for glibc begin, which such a program has near its beginning.
_LOADERS = (b"/lib/ld-linux", b"/lib64/ld-linux")
_BEGINNING = 4096
#: The first bytes of files that nothing runs on another system.
_ELSEWHERE = {b"MZ": "Windows", b"\xcf\xfa\xed\xfe": "macOS"}


def runner(path: Path) -> list[str]:
    """The command that goes before the path of an executable, empty if this computer runs it itself. Raises
    RequestError if nothing here can."""
    with path.open("rb") as file:
        head = file.read(_BEGINNING)
    if head.startswith(b"\0asm"):
        if importlib.util.find_spec("wasmtime") is None:
            raise RequestError(f"{path} is a WebAssembly module, which runs here with  pip install wasmtime")
        return [sys.executable, "-m", "netwright.verification.wasi"]
    for first, system in _ELSEWHERE.items():
        if head.startswith(first) and platform.system() != {"macOS": "Darwin"}.get(system, system):
            raise RequestError(f"{path} is a program for {system}: verify it there")
    if not head.startswith(b"\x7fELF") or len(head) < 20:
        return []
    number = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    machine, emulator = _MACHINES.get(number, (f"machine {number}", "qemu"))
    if machine == platform.machine():
        return []
    if shutil.which(emulator) is None:
        raise RequestError(f"{path} is a program for {machine}, which needs {emulator} (Debian's qemu-user)")
    if any(loader in head for loader in _LOADERS) and "QEMU_LD_PREFIX" not in os.environ:
        folder, package = LIBRARIES[emulator]
        if not folder.is_dir():
            raise RequestError(
                f"{path} needs {machine}'s C library (Debian's {package}; or QEMU_LD_PREFIX=FOLDER says where it is)"
            )
        return [emulator, "-L", str(folder)]
    return [emulator]
