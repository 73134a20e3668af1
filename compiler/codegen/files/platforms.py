"""What `--target` can name: systems to make programs for, each with LLVM's and zig's names of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from ..llvm.features import required
from ..targets.target import Target, TargetError, named_target

#: What is made for a target: a program for its system, a module and its loader for browsers, or a library in C.
Makes = Literal["program", "module", "static library"]


@dataclass(frozen=True, slots=True)
class Platform:
    """A target by name: LLVM's triple, zig's, and zig's name of the least CPU. ``runs_on`` is what its programs need in
    words; ``tested`` how its tests run them.
    """

    name: str
    triple: str
    zig: str
    least: str
    runs_on: str
    tested: str
    makes: Makes = "program"
    static: bool = True
    """Whether all that a program needs is in its file, but for what only the system itself can give."""


#: How the tests of systems that nothing here runs look at programs.
FORMAT_ONLY = "linked, and the file's format read"
PLATFORMS = (
    Platform(
        "x86_64-linux-gnu", "x86_64-unknown-linux-gnu", "x86_64-linux-gnu", "baseline",
        "Linux with glibc, x86-64", "run on x86-64", static=False,
    ),
    Platform(
        "x86_64-linux-musl", "x86_64-unknown-linux-musl", "x86_64-linux-musl", "baseline",
        "Linux, x86-64", "run on x86-64",
    ),
    Platform(
        "aarch64-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-linux-gnu", "generic",
        "Linux with glibc, 64-bit ARM", "run by qemu-aarch64", static=False,
    ),
    Platform(
        "aarch64-linux-musl", "aarch64-unknown-linux-musl", "aarch64-linux-musl", "generic",
        "Linux, 64-bit ARM", "run by qemu-aarch64",
    ),
    Platform(
        "riscv64-linux-musl", "riscv64-unknown-linux-musl", "riscv64-linux-musl", "baseline",
        "Linux, RV64GC", "run by qemu-riscv64",
    ),
    Platform(
        "armv7-linux-musleabihf", "armv7-unknown-linux-musleabihf", "arm-linux-musleabihf", "cortex_a8-neon-d32",
        "Linux, ARMv7-A with NEON", "run by qemu-arm",
    ),
    Platform(
        "wasm32-wasi", "wasm32-unknown-wasi", "wasm32-wasi", "generic+simd128",
        "WASI preview 1, with SIMD; no threads", "run by wasmtime",
    ),
    Platform(
        "wasm32-web", "wasm32-unknown-unknown", "wasm32-freestanding", "generic+simd128",
        "browsers and Node with WebAssembly SIMD; no threads", "run by headless Chromium", "module",
    ),
    Platform(
        "thumbv7em-none-eabi", "thumbv7em-none-unknown-eabi", "thumb-freestanding-eabi", "cortex_m4",
        "Cortex-M4F and M7; no system, C library or threads", "run by qemu-system-arm as a Cortex-M4",
        "static library",
    ),
    Platform(
        "x86_64-windows-gnu", "x86_64-w64-windows-gnu", "x86_64-windows-gnu", "baseline",
        "Windows 10, x86-64; no threads", FORMAT_ONLY,
    ),
    Platform(
        "aarch64-macos", "arm64-apple-macosx13.0.0", "aarch64-macos", "apple_m1",
        "macOS 13, Apple silicon", FORMAT_ONLY, static=False,
    ),
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


def least_cpu(target: Target) -> str:
    """zig's name of the CPU that the C code of programs for ``target`` is compiled for, so that it can say what a CPU
    lacks; empty: zig's default."""
    same = (platform.least for platform in PLATFORMS if Target(platform.triple, "").family is target.family)
    return next(same, "")


def platform_of(target: Target) -> Platform | None:
    """The platform that code for ``target`` is for, if it is one that `--target` can name."""
    return _BY_TRIPLE.get(target.triple)


def chosen_targets(platform: str | None, cpus: str | None) -> list[Target]:
    """The targets of a command whose ``--cpu`` may name several CPUs, for versions of one program: `x86-64-v2,v3,v4` is
    short for x86-64-v2, x86-64-v3 and x86-64-v4. The best is first, as far as one has all that another needs. Raises
    TargetError, also if programs for these CPUs can't ask which one they run on.
    """
    if cpus is None or "," not in cpus:
        return [chosen_target(platform, cpus)]
    names = [name.strip() for name in cpus.split(",")]
    level = re.fullmatch(r"(.+-)v\d+", names[0])
    names = [f"{level[1]}{name}" if level and re.fullmatch(r"v\d+", name) else name for name in names]
    targets = [chosen_target(platform, name) for name in dict.fromkeys(names)]
    for target in targets:
        if target.triple != targets[0].triple:
            raise TargetError(f"{target.cpu} and {targets[0].cpu} are not of one system: name CPUs of one")
        asks = target.family.asks(linux=target.is_linux, assembles=target.assembles)
        if not (target.family.checked and asks):
            raise TargetError(f"programs for {target.triple} can't ask for their CPU: name one CPU")
    return sorted(targets, key=lambda target: -len(required(target)))


def chosen_target(platform: str | None, cpu: str | None) -> Target:
    """The target of a command: the CPU ``cpu`` of ``platform``, by default its least one; without a platform, what the
    CPU's name implies, by default this computer. Raises TargetError.
    """
    if platform is None:
        return named_target(cpu or "native")
    return named_target(cpu or "generic", platform_named(platform).triple)
