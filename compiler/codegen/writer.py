"""Writes the text of one LLVM function: blocks, fresh names, stack slots, and places to put code earlier.

Text instead of llvmlite's object model: it is several times faster to produce, and it is what gets hashed,
cached and read by people.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias, Union

Lines: TypeAlias = list[Union[str, "Lines"]]


class Writer:
    """Collects lines; ``declarations`` are the intrinsics and functions that the module must declare."""

    def __init__(self) -> None:
        self.slots: Lines = []
        self.declarations: set[str] = set()
        self.block = "entry"
        self._root: Lines = [self.slots]
        self._out = self._root
        self._count = 0

    def name(self) -> str:
        self._count += 1
        return f"%v{self._count}"

    def line(self, text: str) -> None:
        self._out.append("  " + text)

    def value(self, text: str) -> str:
        """Writes an instruction and gives the name of its result."""
        self._count += 1
        name = f"%v{self._count}"
        self._out.append(f"  {name} = {text}")
        return name

    def call(self, result: str, function: str, *arguments: tuple[str, str]) -> str:
        """Calls an intrinsic on (type, operand) pairs, declaring it."""
        self.declarations.add(f"declare {result} @{function}({', '.join(type for type, _ in arguments)})")
        return self.value(f"call {result} @{function}({', '.join(f'{type} {x}' for type, x in arguments)})")

    def label(self, stem: str) -> str:
        self._count += 1
        return f"{stem}.{self._count}"

    def start(self, label: str) -> None:
        """Starts a block; the one before must have ended with a terminator."""
        self._out.append(f"{label}:")
        self.block = label

    def branch(self, label: str) -> None:
        self.line(f"br label %{label}")

    def branch_if(self, condition: str, yes: str, no: str) -> None:
        self.line(f"br i1 {condition}, label %{yes}, label %{no}")

    def slot(self, type: str, align: int | None = None) -> str:
        """Stack memory, reserved once on entry."""
        name = self.name()
        self.slots.append(f"  {name} = alloca {type}" + (f", align {align}" if align else ""))
        return name

    def place(self) -> Lines:
        """Marks this spot, so that code may be added here later."""
        lines: Lines = []
        self._out.append(lines)
        return lines

    @contextmanager
    def at(self, place: Lines) -> Iterator[None]:
        """What is written inside goes to ``place`` (straight-line code only)."""
        previous, self._out = self._out, place
        yield
        self._out = previous

    def text(self) -> str:
        flat: list[str] = []
        stack: list[Iterator[str | Lines]] = [iter(self._root)]
        while stack:
            for item in stack[-1]:
                if isinstance(item, str):
                    flat.append(item)
                else:
                    stack.append(iter(item))
                    break
            else:
                stack.pop()
        return "\n".join(flat)
