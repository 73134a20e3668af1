"""Assembly that puts a file's bytes into a program as constants, for each format of object files."""

from __future__ import annotations

from ..targets.target import Target


def included(file: str, symbol: str, align: int, target: Target, guarded: bool = False) -> str:
    """Assembly for ``target`` that defines ``symbol``, the bytes of ``file``, and ``symbol``_end, after them. Other
    libraries and programs do not see either. ``guarded``, under ELF: in a section that is read-only once the program
    is loaded, and apart from code.
    """
    first, end = (f"_{name}" if target.is_darwin else name for name in (symbol, f"{symbol}_end"))
    lines = [f".balign {align}", f"{first}:", f'.incbin "{file}"', f"{end}:"]
    if target.is_darwin:
        lines = [
            ".section __TEXT,__const",
            *(line for name in (first, end) for line in (f".globl {name}", f".private_extern {name}")),
            *lines,
        ]
    elif target.is_windows:
        lines = ['.section .rdata,"dr"', f".globl {first}", f".globl {end}", *lines]
    elif target.is_wasm:
        return _wasm(file, first, end, align)
    else:
        lines = [
            '.section .data.rel.ro.contents,"aw"' if guarded else '.section .rodata,"a"',
            *(line for name in (first, end) for line in (f".globl {name}", f".hidden {name}")),
            *lines,
            '.section .note.GNU-stack,"",%progbits',
        ]
    return "\n".join(lines) + "\n"


def _wasm(file: str, first: str, end: str, align: int) -> str:
    """Every symbol of WebAssembly has a size, and lies in a section: the end is one byte of the same section."""
    return f"""\t.section .rodata.{first},"",@
\t.p2align {align.bit_length() - 1}
\t.globl {first}
\t.hidden {first}
\t.type {first},@object
{first}:
\t.incbin "{file}"
.Lend:
\t.size {first}, .Lend-{first}
\t.globl {end}
\t.hidden {end}
\t.type {end},@object
{end}:
\t.int8 0
.Llast:
\t.size {end}, .Llast-{end}
"""
