"""What `--target` can name: systems to make programs for, each with LLVM's and zig's names of it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from .target import Target, TargetError, named_target

#: What is made for a target: a program for its system, a module and its loader for browsers, or a library in C.
Makes = Literal["program", "module", "static library"]


@dataclass(frozen=True, slots=True)
class Platform:
    """A target by name: LLVM's triple, zig's, and zig's name of the least CPU. ``runner`` is what runs it elsewhere, as
    tests do; empty where nothing does, so that tests look at the format of files only.
    """

    name: str
    triple: str
    zig: str
    least: str
    makes: Makes = "program"
    linkage: Literal["static", "dynamic"] = "static"
    threads: bool = True
    runner: str = ""

    @property
    def tested(self) -> str:
        """What its tests do, in words."""
        return f"run by {self.runner}" if self.runner else "linked, and the file's format read"


PLATFORMS = (
    Platform(
        "x86_64-linux-gnu", "x86_64-unknown-linux-gnu", "x86_64-linux-gnu", "baseline", linkage="dynamic",
        runner="an x86-64 computer with Linux",
    ),
    Platform(
        "x86_64-linux-musl", "x86_64-unknown-linux-musl", "x86_64-linux-musl", "baseline",
        runner="an x86-64 computer with Linux",
    ),
    Platform(
        "aarch64-linux-musl", "aarch64-unknown-linux-musl", "aarch64-linux-musl", "generic", runner="qemu-aarch64"
    ),
    Platform(
        "riscv64-linux-musl", "riscv64-unknown-linux-musl", "riscv64-linux-musl", "baseline", runner="qemu-riscv64"
    ),
    Platform(
        "armv7-linux-musleabihf", "armv7-unknown-linux-musleabihf", "arm-linux-musleabihf", "cortex_a8",
        runner="qemu-arm",
    ),
    Platform("wasm32-wasi", "wasm32-unknown-wasi", "wasm32-wasi", "generic+simd128", threads=False, runner="wasmtime"),
    Platform(
        "wasm32-web", "wasm32-unknown-unknown", "wasm32-freestanding", "generic+simd128", "module", threads=False,
        runner="headless Chromium",
    ),
    Platform(
        "thumbv7em-none-eabi", "thumbv7em-none-unknown-eabi", "thumb-freestanding-eabi", "cortex_m4", "static library",
        threads=False, runner="qemu-system-arm, as a Cortex-M4",
    ),
    Platform("x86_64-windows-gnu", "x86_64-w64-windows-gnu", "x86_64-windows-gnu", "baseline", threads=False),
    Platform("aarch64-macos", "arm64-apple-macosx13.0.0", "aarch64-macos", "apple_m1", linkage="dynamic"),
)  # fmt: skip
NAMES = tuple(platform.name for platform in PLATFORMS)
_BY_TRIPLE = {platform.triple: platform for platform in PLATFORMS}
_BY_NAME = {platform.name: platform for platform in PLATFORMS}


def platform_named(name: str) -> Platform:
    """The platform of a name. Raises TargetError, which says what there is."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    near = get_close_matches(name.lower(), NAMES, 1, 0.5)
    guess = f"; did you mean {near[0]}?" if near else ""
    raise TargetError(f"there is no target {name!r}{guess} There is {', '.join(NAMES)}.")


def platform_of(target: Target) -> Platform | None:
    """The platform that code for ``target`` is for, if it is one that `--target` can name."""
    return _BY_TRIPLE.get(target.triple)


def chosen_target(platform: str | None, cpu: str | None) -> Target:
    """The target of a command: the CPU ``cpu`` of ``platform``, by default its least one; without a platform, what the
    CPU's name implies, by default this computer. Raises TargetError.
    """
    if platform is None:
        return named_target(cpu or "native")
    return named_target(cpu or "generic", platform_named(platform).triple)
