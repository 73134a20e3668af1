"""Which instruction sets code for a target may use, and what a program asks its CPU before it runs any of them.

LLVM's tables say what a CPU has, but do not give it away by name. They do decide what may be inlined: a function that
needs a feature goes only into functions whose CPU has it. So each feature is a small function, and what the inliner
does with it is the answer.
"""

from __future__ import annotations

from functools import cache

import llvmlite.binding as llvm

from .target import Target, attributes, header, host_target, machine

_YMM, _ZMM = 0x6, 0xE6  # the registers that the system has to save: XCR0's bits

#: What the code generator uses by itself: leaf and subleaf of cpuid, register and bit there, and the state to be saved.
X86 = {
    "ssse3": (1, 0, "ecx", 9, 0),
    "sse4.1": (1, 0, "ecx", 19, 0),
    "sse4.2": (1, 0, "ecx", 20, 0),
    "movbe": (1, 0, "ecx", 22, 0),
    "popcnt": (1, 0, "ecx", 23, 0),
    "fma": (1, 0, "ecx", 12, _YMM),
    "avx": (1, 0, "ecx", 28, _YMM),
    "f16c": (1, 0, "ecx", 29, _YMM),
    "bmi": (7, 0, "ebx", 3, 0),
    "avx2": (7, 0, "ebx", 5, _YMM),
    "bmi2": (7, 0, "ebx", 8, 0),
    "avx512f": (7, 0, "ebx", 16, _ZMM),
    "avx512dq": (7, 0, "ebx", 17, _ZMM),
    "avx512ifma": (7, 0, "ebx", 21, _ZMM),
    "avx512cd": (7, 0, "ebx", 28, _ZMM),
    "avx512bw": (7, 0, "ebx", 30, _ZMM),
    "avx512vl": (7, 0, "ebx", 31, _ZMM),
    "avx512vbmi": (7, 0, "ecx", 1, _ZMM),
    "avx512vbmi2": (7, 0, "ecx", 6, _ZMM),
    "gfni": (7, 0, "ecx", 8, 0),
    "avx512vnni": (7, 0, "ecx", 11, _ZMM),
    "avx512bitalg": (7, 0, "ecx", 12, _ZMM),
    "avx512vpopcntdq": (7, 0, "ecx", 14, _ZMM),
    "avx512fp16": (7, 0, "edx", 23, _ZMM),
    "avxvnni": (7, 1, "eax", 4, _YMM),
    "avx512bf16": (7, 1, "eax", 5, _ZMM),
    "cmpccxadd": (7, 1, "eax", 7, 0),
    "avxifma": (7, 1, "eax", 23, _YMM),
    "avxvnniint8": (7, 1, "edx", 4, _YMM),
    "avxneconvert": (7, 1, "edx", 5, _YMM),
    "avxvnniint16": (7, 1, "edx", 10, _YMM),
    "egpr": (7, 1, "edx", 21, 0),
    "lzcnt": (0x80000001, 0, "ecx", 5, 0),
    "sse4a": (0x80000001, 0, "ecx", 6, 0),
    "xop": (0x80000001, 0, "ecx", 11, _YMM),
    "fma4": (0x80000001, 0, "ecx", 16, _YMM),
    "tbm": (0x80000001, 0, "ecx", 21, 0),
}
_REGISTERS = ("eax", "ebx", "ecx", "edx")


@cache
def required(target: Target) -> tuple[str, ...]:
    """The features that code for ``target`` may use beyond the least its family has, as LLVM spells them.

    Known for x86-64; empty for other families, whose programs do not ask.
    """
    if target.family != "x86_64":
        return ()
    if target.features:  # all that the machine has, whatever its CPU's name promises
        had = set(target.features.split(","))
        return tuple(name for name in X86 if f"+{name}" in had)
    parts = [header(target), f'attributes #0 = {{ "target-cpu"="{target.cpu}" }}']
    for number, name in enumerate(X86):
        parts.append(f"""
define internal i32 @needs{number}(i32 %x) #{number + 1} {{
  %y = add i32 %x, 1
  ret i32 %y
}}
define i32 @has{number}(i32 %x) #0 {{
  %y = call i32 @needs{number}(i32 %x)
  ret i32 %y
}}
attributes #{number + 1} = {{ "target-cpu"="x86-64" "target-features"="+{name}" }}
""")
    module = llvm.parse_assembly("\n".join(parts))
    builder = llvm.create_pass_builder(machine(target), llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    left = {function.name for function in module.functions}
    return tuple(name for number, name in enumerate(X86) if f"needs{number}" not in left)


def missing_here(target: Target) -> tuple[str, ...]:
    """The required features that this machine lacks."""
    host = host_target()
    if target.family != host.family:
        return ()
    return tuple(name for name in required(target) if name not in required(host))


def baseline(target: Target) -> Target:
    """The least of the target's family where programs ask what more there is; else the target itself."""
    return Target(target.triple, "x86-64", "+sse2") if target.family == "x86_64" else target


def attributes_of_all(target: Target) -> str:
    """The attributes #1, of functions that run on every CPU of the family."""
    return f"attributes #1 = {{ {attributes(baseline(target))} }}\n"


def missing_symbol(model: str) -> str:
    """The C symbol of the function that asks."""
    return f"{model}_missing"


def write_missing(name: str, target: Target) -> str:
    """The LLVM text of ``int64_t NAME(void)``: bit i is set where the i-th required feature is missing.

    Asking may take a virtual machine long, so the answer is kept. Attributes #1 are those of the baseline.
    """
    needed = required(target)
    # Inline assembly is read for this machine's own family only.
    if not needed or target.family != host_target().family:
        return f'define i64 @"{name}"() #1 {{\n  ret i64 0\n}}\n'
    return f"""@"{name}.known" = internal global i64 -1

define i64 @"{name}"() #1 {{
entry:
  %known = load atomic i64, ptr @"{name}.known" monotonic, align 8
  %new = icmp eq i64 %known, -1
  br i1 %new, label %ask, label %done
ask:
{_cpuid("most", "0", "0")}
{_cpuid("most.more", "-2147483648", "0")}
{_cpuid("leaf1.0", "1", "0")}
{_cpuid("leaf7.0.raw", "7", "0")}
{_cpuid("leaf7.1.raw", "7", "1")}
{_cpuid("more.raw", "-2147483647", "0")}
  %has.7 = icmp uge i32 %most.eax, 7
  %has.sub = icmp uge i32 %leaf7.0.raw.eax, 1
  %has.7.1 = and i1 %has.7, %has.sub
  %has.more = icmp uge i32 %most.more.eax, -2147483647
{_known("leaf7.0", "7")}
{_known("leaf7.1", "7.1")}
{_known("more", "more")}
  %saves = and i32 %leaf1.0.ecx, 134217728
  %may.ask = icmp ne i32 %saves, 0
  br i1 %may.ask, label %state, label %judge
state:
  %xcr = call {{ i32, i32 }} asm sideeffect "xgetbv", "={{eax}},={{edx}},{{ecx}}"(i32 0)
  %saved = extractvalue {{ i32, i32 }} %xcr, 0
  br label %judge
judge:
  %state.saved = phi i32 [ 0, %ask ], [ %saved, %state ]
{_judged(needed)}
  store atomic i64 %lacks.{len(needed)}, ptr @"{name}.known" monotonic, align 8
  br label %done
done:
  %result = phi i64 [ %known, %entry ], [ %lacks.{len(needed)}, %judge ]
  ret i64 %result
}}
"""


def _cpuid(name: str, leaf: str, subleaf: str) -> str:
    four = "{ i32, i32, i32, i32 }"
    constraints = '"={eax},={ebx},={ecx},={edx},{eax},{ecx}"'
    lines = [f'  %{name} = call {four} asm sideeffect "cpuid", {constraints}(i32 {leaf}, i32 {subleaf})']
    lines += [
        f"  %{name}.{register} = extractvalue {four} %{name}, {i}" for i, register in enumerate(_REGISTERS)
    ]
    return "\n".join(lines)


def _known(leaf: str, condition: str) -> str:
    """A leaf's registers, zero where the CPU does not have the leaf."""
    return "\n".join(
        f"  %{leaf}.{register} = select i1 %has.{condition}, i32 %{leaf}.raw.{register}, i32 0"
        for register in _REGISTERS
    )


def _judged(needed: tuple[str, ...]) -> str:
    lines = ["  %lacks.0 = or i64 0, 0"]
    for number, name in enumerate(needed):
        leaf, subleaf, register, bit, state = X86[name]
        where = "more" if leaf > 7 else f"leaf{leaf}.{subleaf}"
        mask = 1 << bit
        lines += [
            f"  %set.{number} = and i32 %{where}.{register}, {mask - (1 << 32) if bit == 31 else mask}",
            f"  %no.{number} = icmp eq i32 %set.{number}, 0",
            f"  %kept.{number} = and i32 %state.saved, {state}",
            f"  %unkept.{number} = icmp ne i32 %kept.{number}, {state}",
            f"  %lack.{number} = or i1 %no.{number}, %unkept.{number}",
            f"  %wide.{number} = zext i1 %lack.{number} to i64",
            f"  %at.{number} = shl i64 %wide.{number}, {number}",
            f"  %lacks.{number + 1} = or i64 %lacks.{number}, %at.{number}",
        ]
    return "\n".join(lines)
