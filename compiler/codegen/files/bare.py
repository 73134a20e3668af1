"""What a program without a system takes of a microcontroller: flash, RAM and stack, read off what the linker made.

A probe that calls `predict` once, with static arrays, is linked with the library; what nothing calls is left out. Flash
is its code, constants and weights; RAM its arrays and the arena. The stack is that of the deepest chain of calls,
read from Thumb's machine code: how far each function moves the stack pointer, and which functions it calls. Where
code is to be short, LLVM loads the address of a function that it calls three times into a register, from constants
behind the code.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from netwright.specs.files import Scratch, scratch_folder

from ..targets.target import Target
from .linker import LinkError, find_compiler, link

#: Sections that lie in flash, and in RAM. What is initialized lies in both.
_FLASH, _RAM = (".text", ".rodata", ".ARM.exidx", ".data"), (".data", ".bss")
_START = "probe_start"


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of flash, and of RAM in static arrays: inputs, outputs, and the arena. ``stack`` is what a call needs
    beside them; None where it can't be read. ``weights`` and ``code`` are parts of the flash."""

    flash: int
    ram: int
    stack: int | None
    code: int

    @property
    def constants(self) -> int:
        """Bytes of the flash that are no code: weights, constants, tables."""
        return self.flash - self.code


def footprint(
    library: Path, header: Path, model: str, sizes: Sequence[int], arena: int, target: Target
) -> Footprint:
    """The footprint of `predict` of a static library with embedded weights, whose sizes are all settled. ``sizes`` are
    the bytes of its inputs and outputs, in order. Raises LinkError."""
    names = [f"array_{number}" for number in range(len(sizes))]
    arrays = [
        f"static unsigned char {name}[{size}] __attribute__((aligned(8)));"
        for name, size in zip(names, sizes, strict=True)
    ]
    passed = "".join(f"(void *){name}, " for name in names)
    source = "\n".join(
        [
            f'#include "{header.name}"',
            *arrays,
            f"static unsigned char arena[{max(1, arena)}] __attribute__((aligned(64)));",
            f"int32_t {_START}(void) {{",
            f"    return {model}_predict({model}_embedded(), {passed}arena, {arena}, 1);",
            "}\n",
        ]
    )
    with scratch_folder() as folder:
        folder.write("probe.c", source.encode())
        folder.write(header.name, header.read_bytes())
        folder.write("library.a", library.read_bytes())
        probe = _linked(folder, target)
    image = Image(probe)
    sections = image.sections
    code = sections.get(".text", 0)
    return Footprint(
        sum(sections.get(name, 0) for name in _FLASH),
        sum(sections.get(name, 0) for name in _RAM),
        image.stack(f"{model}_predict"),
        code,
    )


def _linked(folder: Scratch, target: Target) -> bytes:
    options = ["-ffreestanding", "-fno-PIC", "-nostdlib", "-ffunction-sections", "-fdata-sections"]
    options += ["-fno-unwind-tables", "-Wl,--gc-sections", f"-Wl,-e,{_START}", "-Wno-attributes"]
    output = folder.path / "probe.elf"
    link(find_compiler(target), folder, [*options, "probe.c", "library.a"], output, executable=False)
    return output.read_bytes()


@dataclass(frozen=True, slots=True)
class _Symbol:
    name: str
    value: int
    size: int
    kind: int


@dataclass(frozen=True, slots=True)
class _Moves:
    """How far a function moves the stack pointer; the addresses of functions that it calls, and of those that it goes
    on in after it has moved the pointer back; whether it calls one whose address it has in a register."""

    frame: int
    calls: frozenset[int]
    followed: frozenset[int]
    indirect: bool


class _Constants:
    """Follows through a function's instructions which registers hold constants from behind its code."""

    def __init__(self, word: Callable[[int], int]):
        self._word = word
        self.of: dict[int, int] = {}

    def follow(self, place: int, first: int) -> None:
        """An instruction of 16 bits."""
        if first >> 11 == 0b01001:  # ldr register, [pc, #]
            self.of[first >> 8 & 7] = self._word((place + 4 & ~3) + 4 * (first & 0xFF))
        elif first >> 11 == 0b01101 or first >> 9 == 0b0101100:  # ldr register, [register, …]
            self.of.pop(first & 7, None)
        elif first >> 11 == 0b10011:  # ldr register, [sp, #]
            self.of.pop(first >> 8 & 7, None)
        elif first >> 8 == 0x46:  # mov register, register
            to, other = first >> 4 & 8 | first & 7, self.of.get(first >> 3 & 15)
            self.of.pop(to, None)
            self.of |= {} if other is None else {to: other}

    def follow_wide(self, place: int, first: int, second: int) -> None:
        """An instruction of 32 bits."""
        if first == 0xF8DF:  # ldr.w register, [pc, #]
            self.of[second >> 12] = self._word((place + 4 & ~3) + (second & 0xFFF))
        elif first & 0xFF70 == 0xF850:  # ldr.w register, [register, …]
            self.of.pop(second >> 12, None)


class Image:
    """A little-endian ELF file of 32 bits with Thumb code."""

    def __init__(self, data: bytes):
        if data[:6] != b"\x7fELF\x01\x01":
            raise LinkError("what the linker made is no ELF file of 32 bits")
        offset, width, count, names = (
            struct.unpack_from("<I", data, 32)[0],
            *struct.unpack_from("<HHH", data, 46),
        )
        self._data = data
        self._headers = [struct.unpack_from("<10I", data, offset + width * i) for i in range(count)]
        self._names = [self._text(self._headers[names][4] + header[0]) for header in self._headers]

    @property
    def sections(self) -> dict[str, int]:
        """The bytes of each section that is loaded or reserved, by name."""
        allocated = 2
        return {
            name: header[5]
            for name, header in zip(self._names, self._headers, strict=True)
            if header[2] & allocated
        }

    def stack(self, root: str) -> int | None:
        """The bytes of the deepest chain of calls from a function; None if calls recur or are indirect."""
        symbols = list(self._symbols())
        functions = {s.value & ~1: s for s in symbols if s.kind == 2 and s.size}
        marks = sorted((s.value, s.name[:2]) for s in symbols if s.name[:2] in ("$t", "$d"))
        start = next((at for at, s in functions.items() if s.name == root), None)
        if start is None:
            return None
        depths: dict[int, int | None] = {}
        known = {at: self._moves(at, s.size, marks) for at, s in functions.items()}

        def deepest(at: int) -> int | None:
            if at not in depths:
                depths[at] = None  # until it is known: a call back to it would find nothing
                if at not in known:
                    return None
                moved = known[at]
                below = {call: deepest(call) for call in (*moved.calls, *moved.followed)}
                if not moved.indirect and None not in below.values():
                    called = [moved.frame + (below[call] or 0) for call in moved.calls]
                    followed = [below[other] or 0 for other in moved.followed]
                    depths[at] = max((moved.frame, *called, *followed))
            return depths[at]

        return deepest(start)

    def _moves(self, at: int, size: int, marks: list[tuple[int, str]]) -> _Moves:
        """What a function does to the stack, read from its instructions."""
        frame, aligned, calls, followed, indirect = 0, 0, set[int](), set[int](), False
        constants = _Constants(self._word)
        place, end = at, at + size
        while place < end:
            if _is_data(marks, place):
                place += 2
                continue
            first = self._half(place)
            if first >> 11 not in (0b11101, 0b11110, 0b11111):
                if first & 0xFE00 == 0xB400:  # push
                    frame += 4 * (first & 0x1FF).bit_count()
                elif first & 0xFF80 == 0xB080:  # sub sp, #
                    frame += 4 * (first & 0x7F)
                elif (
                    first & 0xFF87 == 0x4685
                ):  # mov sp, register: after bfc, as far as that may have moved it
                    frame, aligned = frame + max(0, aligned - 8), 0
                elif first & 0xFF87 == 0x4780:  # blx register
                    target = constants.of.get(first >> 3 & 15)
                    indirect |= target is None
                    calls |= {target & ~1} if target is not None else set()
                elif first >> 11 == 0b11100:  # b
                    distance = (first & 0x7FF) << 1
                    followed.add(place + 4 + distance - (distance >> 11 << 12))
                constants.follow(place, first)
                place += 2
                continue
            second = self._half(place + 2)
            if first == 0xE92D:  # push.w
                frame += 4 * second.bit_count()
            elif first & 0xFFBF == 0xED2D:  # vpush
                frame += 4 * (second & 0xFF)
            elif first & 0xFBFF in (0xF1AD, 0xF2AD) and second & 0x0F00 == 0x0D00:  # sub.w sp, sp, #
                frame += _immediate(first, second)
            elif first == 0xF36F and second & 0x70C0 == 0:  # bfc register, #0, #n
                aligned = 2 << (second & 31)
            elif first == 0xE96D:  # strd two registers, [sp, #-n]!
                frame += 4 * (second & 0xFF)
            elif first == 0xF84D and second & 0x0F00 == 0x0D00:  # str register, [sp, #-n]!
                frame += second & 0xFF
            elif first >> 11 == 0b11110 and second & 0xD000 == 0xD000:  # bl
                calls.add(place + 4 + _offset(first, second))
            elif first >> 11 == 0b11110 and second & 0xD000 == 0x9000:  # b.w
                followed.add(place + 4 + _offset(first, second))
            constants.follow_wide(place, first, second)
            place += 4
        followed = {to for to in followed if not at <= to < end}
        return _Moves(frame, frozenset(calls), frozenset(followed), indirect)

    def _half(self, address: int) -> int:
        for header in self._headers:
            if header[1] == 1 and header[3] <= address < header[3] + header[5]:
                return struct.unpack_from("<H", self._data, header[4] + address - header[3])[0]
        raise LinkError(f"there is no code at {address:#x}")

    def _word(self, address: int) -> int:
        return self._half(address) | self._half(address + 2) << 16

    def _symbols(self) -> Iterator[_Symbol]:
        for header in self._headers:
            if header[1] != 2:
                continue
            names = self._headers[header[6]][4]
            for position in range(header[4], header[4] + header[5], 16):
                name, value, size, info = struct.unpack_from("<IIIB", self._data, position)
                yield _Symbol(self._text(names + name), value, size, info & 15)

    def _text(self, at: int) -> str:
        return self._data[at : self._data.index(b"\0", at)].decode("ascii", "replace")


def _is_data(marks: list[tuple[int, str]], address: int) -> bool:
    """Whether an address lies in constants between code."""
    kind = "$t"
    for at, name in marks:
        if at > address:
            break
        kind = name
    return kind == "$d"


def _immediate(first: int, second: int) -> int:
    """The number that sub.w subtracts."""
    number = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    if first & 0xFBFF == 0xF2AD:
        return number
    rotation = number >> 7
    if rotation >= 8:
        return ((0x80 | number & 0x7F) << 32 >> rotation) & 0xFFFFFFFF
    byte = number & 0xFF
    return (byte, byte << 16 | byte, byte << 24 | byte << 8, byte * 0x01010101)[number >> 8 & 3]


def _offset(first: int, second: int) -> int:
    """How far a bl or b.w goes."""
    sign, j1, j2 = first >> 10 & 1, second >> 13 & 1, second >> 11 & 1
    high = sign << 24 | (1 - (j1 ^ sign)) << 23 | (1 - (j2 ^ sign)) << 22
    offset = high | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
    return offset - (1 << 25) if sign else offset
