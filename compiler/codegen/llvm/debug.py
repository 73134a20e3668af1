"""Debug information (DWARF) of kernels: their names are those of their layers, their line is the layer's in the spec.

A kernel that several layers run has a copy for each, since each has another line. A kernel that computes several
layers has the line of the one with the most arithmetic. Metadata is added to the text of modules just before LLVM
reads it: without debug information nothing of a spec's text is part of a kernel.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ...loop import ir
from ..text.types import symbol

#: The most layers in the name of a kernel.
_NAMED = 4
#: What may be in the name of a symbol.
_LETTERS = re.compile(r"[^A-Za-z0-9._$]")


@dataclass(frozen=True)
class Place:
    """Where a layer is in a spec."""

    file: str
    line: int


@dataclass(frozen=True)
class DebugInfo:
    """Where the layers are; ``shown`` maps the path of a layer in a call to its name there. What belongs to no layer
    is at ``start``."""

    places: Mapping[str, Place]
    start: Place
    shown: Callable[[str], str] = str

    def split(self, program: ir.Program) -> tuple[ir.Program, dict[str, ir.CallInfo]]:
        """The program with a kernel of its own for the layers of each call, and what each kernel computes."""
        names: dict[tuple[str, tuple[str, ...]], str] = {}
        copies: Counter[str] = Counter()
        infos: dict[str, ir.CallInfo] = {}

        def own(call: ir.Call) -> ir.Call:
            key = call.function, call.info.layers
            if key not in names:
                number = copies[call.function]
                names[key] = f"{call.function}_{number}" if number else call.function
                copies[call.function] += 1
                infos[names[key]] = call.info
            return replace(call, function=names[key])

        def inside(body: tuple[ir.Stmt, ...]) -> tuple[ir.Stmt, ...]:
            made: list[ir.Stmt] = []
            for statement in body:
                match statement:
                    case ir.Call():
                        made.append(own(statement))
                    case ir.For() | ir.Divide():
                        made.append(replace(statement, body=inside(statement.body)))
                    case ir.If():
                        parts = {"body": inside(statement.body), "orelse": inside(statement.orelse)}
                        made.append(replace(statement, **parts))
                    case _:
                        made.append(statement)
            return tuple(made)

        entries = {
            name: replace(entry, function=replace(entry.function, body=inside(entry.function.body)))
            for name, entry in program.entries.items()
        }
        kernels = {name: replace(program.kernels[kernel], name=name) for (kernel, _), name in names.items()}
        layers = {name: info.layers for name, info in infos.items()}
        return replace(program, kernels=kernels, entries=entries, layers=layers), infos

    def symbols(self, model: str, infos: Mapping[str, ir.CallInfo]) -> dict[str, str]:
        """A symbol for each kernel: the model and its layers, `digits.conv2-norm2-relu2`."""
        symbols: dict[str, str] = {}
        copies: Counter[str] = Counter()
        for kernel, info in infos.items():
            name = f"{model}.{self._name(info)}"
            copies[name] += 1
            symbols[kernel] = (
                name if copies[name] == 1 else f"{name}..{copies[name]}"
            )  # no layer ends like this
        return symbols

    def described(self, text: str, name: str, info: ir.CallInfo) -> str:
        """The module of a kernel, whose symbol is ``name``, with its debug information."""
        place = self.places.get(self.shown(info.main), self.start)
        folder, file = os.path.split(os.path.abspath(place.file))
        head, begin, rest = text.partition(f"define i32 {symbol(name)}(")
        first, _, rest = rest.partition(" #0 {\n")
        body, end, after = rest.partition("\n}\n")
        located = "\n".join(
            f"{line}, !dbg !4" if line.startswith("  ") else line for line in body.split("\n")
        )
        return (
            f"{head}{begin}{first} #0 !dbg !3 {{\n{located}{end}{after}\n"
            "!llvm.dbg.cu = !{!0}\n"
            "!llvm.module.flags = !{!5, !6}\n"
            '!0 = distinct !DICompileUnit(language: DW_LANG_C99, file: !1, producer: "netwright", '
            "isOptimized: true, runtimeVersion: 0, emissionKind: FullDebug)\n"
            f"!1 = !DIFile(filename: {_quoted(file)}, directory: {_quoted(folder)})\n"
            "!2 = !DISubroutineType(types: !7)\n"
            f"!3 = distinct !DISubprogram(name: {_quoted(self._name(info))}, linkageName: {_quoted(name)}, "
            f"scope: !1, file: !1, line: {place.line}, type: !2, scopeLine: {place.line}, "
            "spFlags: DISPFlagDefinition | DISPFlagOptimized, unit: !0)\n"
            f"!4 = !DILocation(line: {place.line}, column: 1, scope: !3)\n"
            '!5 = !{i32 7, !"Dwarf Version", i32 4}\n'
            '!6 = !{i32 2, !"Debug Info Version", i32 3}\n'
            "!7 = !{null}\n"
        )

    def _name(self, info: ir.CallInfo) -> str:
        names = list(dict.fromkeys(map(self.shown, info.layers))) or ["copies"]
        if len(names) > _NAMED:
            names = [*names[: _NAMED - 1], "etc"]
        return "-".join(_LETTERS.sub("_", name) for name in names)


def _quoted(text: str) -> str:
    """A string of metadata."""
    escaped = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:02X}" for byte in text.encode()
    )
    return f'"{escaped}"'


def stripped(debug: DebugInfo | None) -> list[str]:
    """The linker's flags that leave symbols out, unless there is debug information, which needs them. The C files
    around the kernels have none: they are the same for all networks, and are kept compiled."""
    return ["-s"] if debug is None else []
