"""Finds out what a target's ``Machine`` is like, from LLVM's own code for it and from this computer's system."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import llvmlite.binding as llvm

from ...machine import Machine
from .target import Target, attributes, has_instruction, header, host_target, machine

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "": 1}


@cache
def describe(target: Target) -> Machine:
    """The ``Machine`` of ``target``.

    Cache sizes are this computer's if the code is for it, else those that even small CPUs of the family have.
    """
    family, code = target.family, _probed(target)
    layout = str(machine(target).target_data)
    pointer = re.search(r"-p:(\d+)", layout)
    vector_bytes = family.vector_bytes(code)
    here = target == host_target()
    caches = cache_bytes() if here else {}
    return Machine(
        vector_bytes=vector_bytes,
        vector_registers=family.vector_registers(vector_bytes),
        fma=has_instruction(target, "fma", 3),
        masked=vector_bytes > 16,
        broadcast_operand=family.broadcast_operand(code),
        early_elements=family.early_elements,
        gather="gather" in code,
        prefetch=re.search(r"\b(prefetch\w*|prfm|pld)\s", code) is not None,
        flushes_denormals=family.flushes_denormals,
        quantized_data=family.quantized_data,
        l1_bytes=caches.get(1, family.l1_bytes),
        l2_bytes=caches.get(2, family.l2_bytes),
        cores=len(os.sched_getaffinity(0)) if here and hasattr(os, "sched_getaffinity") else None,
        pointer_bytes=int(pointer[1]) // 8 if pointer else 8,
        byte_order="big" if layout.startswith("E") else "little",
        compact=family.compact,
    )


def _probed(target: Target) -> str:
    """LLVM's code for vector arithmetic with a scalar from memory, for a gather, and for a prefetch."""
    text = f"""{header(target)}
declare <16 x float> @llvm.masked.gather.v16f32.v16p0(<16 x ptr>, i32, <16 x i1>, <16 x float>)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
define void @arithmetic(ptr %p, ptr %q) #0 {{
  %x = load <16 x float>, ptr %p, align 4
  %s = load float, ptr %q, align 4
  %i = insertelement <16 x float> poison, float %s, i32 0
  %b = shufflevector <16 x float> %i, <16 x float> poison, <16 x i32> zeroinitializer
  %y = fmul <16 x float> %x, %b
  store <16 x float> %y, ptr %p, align 4
  ret void
}}
define void @ahead(ptr %p) #0 {{
  call void @llvm.prefetch.p0(ptr %p, i32 0, i32 3, i32 1)
  ret void
}}
define void @far(ptr %p, ptr %base) #0 {{
  %i = load <16 x i32>, ptr %p, align 4
  %a = getelementptr float, ptr %base, <16 x i32> %i
  %m = icmp ne <16 x i32> %i, zeroinitializer
  %x = call <16 x float> @llvm.masked.gather.v16f32.v16p0(
      <16 x ptr> %a, i32 4, <16 x i1> %m, <16 x float> zeroinitializer)
  store <16 x float> %x, ptr %p, align 4
  ret void
}}
attributes #0 = {{ {attributes(target)} }}
"""
    assembly = machine(target).emit_assembly(llvm.parse_assembly(text))
    # names of functions are not instructions
    return "\n".join(line for line in assembly.splitlines() if line.startswith((" ", "\t")))


def cache_bytes() -> dict[int, int]:
    """Bytes of the data caches of this computer's first core, by level, if the system reports them."""
    sizes: dict[int, int] = {}
    for folder in sorted(_CACHES.glob("index*")):
        try:
            level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        match = re.fullmatch(r"(\d+)([KMG]?)", size)
        if kind != "Instruction" and match and level.isdigit():
            sizes.setdefault(int(level), int(match[1]) * _UNITS[match[2]])
    return sizes
