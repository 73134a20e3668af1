"""The stack of functions that call others by addresses in registers, read from a few instructions of Thumb.

`tests/quantization/test_board.py` compares what the compiler makes with a stack that was painted.
"""

from __future__ import annotations

import struct

import pytest

from netwright.compiler.codegen.files.bare import Image

#: Where the functions are: `caller` has a frame of 8 bytes, `leaf` one of 4·5.
BASE = 0x1000
LEAF = [0xB5F0, 0xBDF0]  # push {r4-r7, lr}; pop {r4-r7, pc}
PUSH, POP, NOP = 0xB510, 0xBD10, 0xBF00  # push {r4, lr}; pop {r4, pc}; nop


def image(body: list[int]) -> Image:
    """Of `leaf` and of `caller`, which does ``body`` between its push and its pop; then the address of `leaf`."""
    body = [PUSH, *body, POP]
    body += [NOP] * (len(body) % 2)
    code = struct.pack(f"<{len(LEAF) + len(body)}HI", *LEAF, *body, BASE | 1)
    caller, constants = BASE + 2 * len(LEAF), BASE + len(code) - 4
    names = b"\0leaf\0caller\0$t\0$d\0"
    symbols = [(b"leaf", BASE | 1, 4, 2), (b"caller", caller | 1, constants + 4 - caller, 2)]
    symbols += [(b"$t", BASE, 0, 0), (b"$d", constants, 0, 0)]
    table = b"".join(
        struct.pack("<IIIBBH", names.index(name), value, size, kind, 0, 1)
        for name, value, size, kind in symbols
    )
    parts, kinds = [code, table, names], [(1, BASE, 0), (2, 0, 3), (3, 0, 0)]
    sections, place = struct.pack("<10I", *[0] * 10), 52
    for part, (kind, address, link) in zip(parts, kinds, strict=True):
        sections += struct.pack("<10I", 0, kind, 0, address, place, len(part), link, 0, 1, 0)
        place += len(part)
    head = struct.pack(
        "<6s10xHHIIIIIHHHHHH", b"\x7fELF\x01\x01", 2, 40, 1, 0, 0, place, 0, 52, 0, 0, 40, 4, 3
    )
    return Image(head + b"".join(parts) + sections)


def load(register: int, words: int) -> int:
    """The address that lies so many words behind the next but one instruction."""
    return 0x4800 | register << 8 | words


@pytest.mark.parametrize(
    ("body", "stack"),
    [
        ([load(4, 2), 0x47A0, 0x47A0], 8 + 20),  # blx r4, twice
        ([0xF8DF, 0x8008, NOP, 0x47C0], 8 + 20),  # ldr.w r8, [pc, #8]; blx r8
        ([load(4, 2), 0x46A4, 0x47E0], 8 + 20),  # mov r12, r4; blx r12
        ([load(4, 2), 0x9C00, 0x47A0], None),  # ldr r4, [sp]: another address
        ([load(4, 2), 0x6804, 0x47A0], None),  # ldr r4, [r0]
        ([load(4, 2), 0x5844, 0x47A0], None),  # ldr r4, [r0, r1]
        ([load(4, 2), 0xF8D0, 0x4000, 0x47A0], None),  # ldr.w r4, [r0]
        ([load(4, 2), 0x4644, 0x47A0], None),  # mov r4, r8
        ([0x47A0], None),
        ([load(4, 1), NOP], 8),  # loaded, and not called
    ],
)
def test_addresses_of_called_functions(body: list[int], stack: int | None) -> None:
    made = image(body)
    assert made.stack("leaf") == 20
    assert made.stack("caller") == stack
