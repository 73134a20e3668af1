"""`netwright machine`: shows what the compiler knows about a CPU, and how fast this computer is."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from netwright.compiler.codegen.llvm.features import required
from netwright.compiler.codegen.speed import Speed, measure_speed
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import Target, host_target, named_target
from netwright.compiler.machine import Machine

from .options import format_option
from .output import console, paragraph

#: The instructions of a machine that are shown, in words.
_INSTRUCTIONS = {
    "fma": "multiply-add",
    "masked": "masked loads and stores",
    "broadcast_operand": "scalars in memory as vector operands",
    "gather": "gather",
    "prefetch": "prefetch",
}


@click.command("machine")
@click.option(
    "--cpu", default="native", show_default=True, metavar="NAME", help="The CPU: native, haswell, …"
)
@format_option
def command(cpu: str, form: str) -> None:
    """Show what the compiler assumes about a CPU: its vectors, instructions and caches, and the features that programs
    check for.

    For this computer, also measure in about a second what one core does: multiply-adds, and reads from caches and
    memory.
    """
    target = named_target(cpu)
    machine = describe(target)
    speed = measure_speed() if target == host_target() else None
    if form == "json":
        click.echo(json.dumps(_facts(target, machine, speed), indent=2))
        return
    out = console()
    for name, text in _lines(target, machine, speed):
        paragraph(out, f"{name:<13} {text}", 14)


def _facts(target: Target, machine: Machine, speed: Speed | None) -> dict[str, Any]:
    return {
        "triple": target.triple,
        "cpu": target.cpu,
        "family": target.family.name,
        "features": list(required(target)),
        **asdict(machine),
        "measured": None if speed is None else asdict(speed),
    }


def _lines(target: Target, machine: Machine, speed: Speed | None) -> list[tuple[str, str]]:
    here = ", this computer" if speed is not None else ""
    per_vector = f"{machine.lanes('float32')} float32 or {machine.lanes('float64')} float64"
    has = [words for name, words in _INSTRUCTIONS.items() if getattr(machine, name)]
    caches = f"L1 {machine.l1_bytes >> 10} KiB, L2 {machine.l2_bytes >> 10} KiB per core"
    lines = [
        ("target", f"{target.cpu} ({target.triple}{here})"),
        ("vectors", f"{machine.vector_registers} of {machine.vector_bytes} bytes: {per_vector}"),
        ("tiles", f"at most {machine.accumulators} accumulators"),
        ("instructions", ", ".join(has) or "none of those that are asked for"),
        ("denormals", "zero" if machine.flushes_denormals else "as they are"),
        ("caches", caches if speed is not None else f"{caches}, assumed"),
        ("pointers", f"{machine.pointer_bytes} bytes, {machine.byte_order}-endian"),
        ("asks for", " ".join(required(target)) or "nothing: it runs on every CPU of the family"),
    ]
    if machine.cores is not None:
        lines.append(("cores", str(machine.cores)))
    if speed is not None:
        flops = [f"{rate / 1e9:.0f} GFLOP/s {dtype}" for dtype, rate in speed.flops_per_second.items()]
        reads = [
            f"{place.replace('l', 'L')} {rate / 1e9:.0f} GB/s"
            for place, rate in speed.bytes_per_second.items()
        ]
        lines.append(("multiply-adds", f"{', '.join(flops)} per core"))
        lines.append(("reads", f"{', '.join(reads)} per core"))
    return lines
