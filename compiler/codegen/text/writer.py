"""Writes the text of one LLVM function: blocks, new names, stack slots, and places for code inserted later.

It writes text instead of llvmlite's object model: text is several times faster to produce, and it is what is hashed,
cached and read by people.

An instruction is not written again where an earlier copy is sure to have run (value numbering by dominance, as an
optimizer would do later). Regions nest as loops and branches do; what is known in a region is forgotten at its end,
since code after it can be reached without passing through it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias, Union

Lines: TypeAlias = list[Union[str, "Lines"]]


@dataclass(frozen=True)
class Place:
    """A place for code that is inserted later; this code may use what the regions up to number ``region`` know."""

    lines: Lines
    region: int


class Writer:
    """Collects lines; the module must declare the intrinsics and functions in ``declarations``, and define those in
    ``definitions``."""

    def __init__(self) -> None:
        self.slots: Lines = []
        self.declarations: set[str] = set()
        self.definitions: set[str] = set()
        self.block = "entry"
        self._root: Lines = [self.slots]
        self._out = self._root
        self._count = 0
        self._known: dict[object, tuple[int, str]] = {}  # by instruction: its region and its result
        self._regions: list[list[object]] = [[]]  # the instructions that each open region has added
        self._visible = 1  # how many of the regions dominate the code being written

    def name(self) -> str:
        self._count += 1
        return f"%v{self._count}"

    def line(self, text: str) -> None:
        self._out.append("  " + text)

    def result(self, text: str) -> str:
        """Writes an instruction here, even if an equal one exists, and returns the name of its result."""
        self._count += 1
        name = f"%v{self._count}"
        self._out.append(f"  {name} = {text}")
        return name

    def value(self, text: str, state: object = None) -> str:
        """The name of an instruction's result; the instruction is written unless the result is known here.

        The result depends on the operands alone, and on ``state``: for a load, the state of the memory that it reads.
        """
        key = text if state is None else (text, state)
        known = self._known.get(key)
        if known is not None and known[0] < self._visible:
            return known[1]
        name = self.result(text)
        self._add(key, name)
        return name

    def know(self, text: str, state: object, operand: str) -> None:
        """Records that the instruction would compute ``operand`` from here on."""
        self._add((text, state), operand)

    def _add(self, key: object, operand: str) -> None:
        """Replaces what an inner region knows: there the outer region's result is as good."""
        region = self._visible - 1
        self._known[key] = region, operand
        self._regions[region].append(key)

    def call(self, result: str, function: str, *arguments: tuple[str, str]) -> str:
        """The result of a pure intrinsic on (type, operand) pairs; declares the intrinsic."""
        return self.value(self.called(result, function, *arguments))

    def called(self, result: str, function: str, *arguments: tuple[str, str]) -> str:
        """The text of a call of an intrinsic on (type, operand) pairs; declares the intrinsic."""
        self.declarations.add(f"declare {result} @{function}({', '.join(type for type, _ in arguments)})")
        return f"call {result} @{function}({', '.join(f'{type} {x}' for type, x in arguments)})"

    def label(self, stem: str) -> str:
        self._count += 1
        return f"{stem}.{self._count}"

    def start(self, label: str) -> None:
        """Starts a block; the previous one must have ended with a terminator."""
        self._out.append(f"{label}:")
        self.block = label

    def branch(self, label: str) -> None:
        self.line(f"br label %{label}")

    def branch_if(self, condition: str, yes: str, no: str) -> None:
        self.line(f"br i1 {condition}, label %{yes}, label %{no}")

    def slot(self, type: str, align: int | None = None) -> str:
        """Stack memory, allocated once at the function's entry."""
        name = self.name()
        self.slots.append(f"  {name} = alloca {type}" + (f", align {align}" if align else ""))
        return name

    def spot(self) -> Lines:
        """Marks this position, so that lines can be added here later."""
        lines: Lines = []
        self._out.append(lines)
        return lines

    # -- regions -------------------------------------------------------------------------------------------

    @property
    def regions(self) -> int:
        """How many regions are open."""
        return len(self._regions)

    def enter(self) -> None:
        """Opens a region: code from here on may be skipped before what follows the region."""
        self._regions.append([])
        self._visible = len(self._regions)

    def leave(self, regions: int) -> None:
        """Closes regions until ``regions`` are open."""
        while len(self._regions) > regions:
            added, region = self._regions.pop(), len(self._regions)
            for key in added:
                if key in self._known and self._known[key][0] == region:
                    del self._known[key]
        self._visible = len(self._regions)

    def place(self) -> Place:
        """Opens a region that begins with a place for code which the whole region may use."""
        self.enter()
        place = Place(self.spot(), len(self._regions))
        self.enter()
        return place

    @contextmanager
    def at(self, place: Place) -> Iterator[None]:
        """Code written inside goes to ``place`` (straight-line code only)."""
        before = self._out, self._visible
        self._out, self._visible = place.lines, place.region
        yield
        self._out, self._visible = before

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
