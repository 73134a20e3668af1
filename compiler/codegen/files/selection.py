"""Takes entries out of a program, and all that only they need: kernels, buffers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from netwright.specs.manifest import Manifest

from ...loop import ir
from ...loop.checks.calls import statements_of


def without_entries(
    program: ir.Program, manifest: Manifest, names: Collection[str]
) -> tuple[ir.Program, Manifest]:
    """The program and its manifest without some entries."""
    if not names or not {entry.name for entry in manifest.entries} & set(names):
        return program, manifest
    entries = {name: entry for name, entry in program.entries.items() if name not in names}
    called: dict[str, None] = {}
    waiting = [_called(entry.function) for entry in entries.values()]
    while waiting:
        for name in waiting.pop():
            if name in program.kernels and name not in called:
                called[name] = None
                waiting.append(_called(program.kernels[name]))
    read = {buffer.name for entry in entries.values() for buffer in entry.function.buffers}
    table = tuple(buffer for buffer in program.table if buffer.name in read)
    kept = {buffer.name for buffer in table}
    return (
        replace(
            program,
            table=table,
            kernels={name: kernel for name, kernel in program.kernels.items() if name in called},
            entries=entries,
        ),
        manifest.model_copy(
            update={
                "buffers": [buffer for buffer in manifest.buffers if buffer.name in kept],
                "entries": [entry for entry in manifest.entries if entry.name in entries],
            }
        ),
    )


def _called(function: ir.Function) -> set[str]:
    return {
        statement.function for statement in statements_of(function.body) if isinstance(statement, ir.Call)
    }
