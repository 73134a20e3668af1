"""Which instruction sets code for a target may use, and how a program asks its CPU for them before it runs any.

LLVM's tables say what each CPU has, but no interface lists it. They do decide what may be inlined: a function that
needs a feature is only inlined into functions whose CPU has it. So each feature becomes a small function, and whether
it is inlined is the answer. On ARM and RISC-V inlining says other things, too: there a function of one operation is
compiled per feature, and its assembly tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from netwright.specs.manifest import c_prefix

from ..families.base import nothing_lacks
from ..targets.target import Target, attributes, header, host_target, machine, named_target
from ..text.types import placed


@cache
def required(target: Target) -> tuple[str, ...]:
    """The features that code for ``target`` may use beyond its family's baseline, as LLVM spells them.

    Empty for families whose programs do not check their CPU.
    """
    checked = target.family.checked
    if not checked:
        return ()
    if target.family.probes:
        return tuple(name for name in checked if _probed(target, name))
    if target.features:  # these are all features of the machine, whatever its CPU's name implies
        had = set(target.features.split(","))
        return tuple(name for name in checked if f"+{name}" in had)
    least = baseline(target)
    parts = [header(target), f'attributes #0 = {{ "target-cpu"="{target.cpu}" }}']
    for number, name in enumerate(checked):
        parts.append(f"""
define internal i32 @needs{number}(i32 %x) #{number + 1} {{
  %y = add i32 %x, 1
  ret i32 %y
}}
define i32 @has{number}(i32 %x) #0 {{
  %y = call i32 @needs{number}(i32 %x)
  ret i32 %y
}}
attributes #{number + 1} = {{ "target-cpu"="{least.cpu}" "target-features"="{least.features},+{name}" }}
""")
    module = llvm.parse_assembly("\n".join(parts))
    builder = llvm.create_pass_builder(machine(target), llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    left = {function.name for function in module.functions}
    return tuple(name for number, name in enumerate(checked) if f"needs{number}" not in left)


@dataclass(frozen=True, slots=True)
class Features:
    """The CPU features that a program requires, as LLVM spells them. Bit i of ``always`` is set if the program would
    require the i-th for any CPU of its target."""

    names: tuple[str, ...] = ()
    always: int = 0


def features_of(target: Target) -> Features:
    """What code for ``target`` requires."""
    least = required(named_target("generic", target.triple))
    names = required(target)
    return Features(names, sum(1 << bit for bit, name in enumerate(names) if name in least))


@cache
def has_feature(target: Target, name: str) -> bool:
    """Whether code for ``target`` may use the feature, as LLVM spells it."""
    if name == "sse2":
        return target.is_64_bit  # the baseline there
    if name in target.family.probes:
        return _probed(target, name)
    return name in required(target)


def _probed(target: Target, name: str) -> bool:
    """Whether code for ``target`` uses an instruction of the feature where one would help."""
    probe = target.family.probes[name]
    text = f"{header(target)}{probe.text}attributes #0 = {{ {attributes(target)} }}\n"
    assembly = machine(target).emit_assembly(llvm.parse_assembly(text))
    return re.search(probe.pattern, assembly) is not None


def missing_here(target: Target) -> tuple[str, ...]:
    """The required features that this machine, of the same family, lacks."""
    host = host_target()
    if target.family is not host.family:
        return ()
    return tuple(name for name in required(target) if name not in required(host))


def why_not_here(target: Target) -> str | None:
    """Why code for ``target`` cannot run on this computer; None if it can."""
    host = host_target()
    if target.triple != host.triple:
        return f"code for {target.triple} can't be run here: this computer is {host.triple}"
    if lacking := missing_here(target):
        return f"this CPU lacks {', '.join(lacking)}, which code for {target.cpu} uses: it can't be run here"
    return None


def baseline(target: Target) -> Target:
    """The baseline of the target's family if its programs check for more; else the target itself."""
    family = target.family
    return Target(target.triple, family.least_cpu, family.least_features) if family.checked else target


def attributes_of_all(target: Target) -> str:
    """The attributes #1, for functions that run on every CPU of the family."""
    return f"attributes #1 = {{ {attributes(baseline(target))} }}\n"


def missing_symbol(model: str) -> str:
    """The C symbol of the function that checks the CPU."""
    return f"{c_prefix(model)}_missing"


def write_missing(name: str, target: Target) -> str:
    """The LLVM text of ``int64_t NAME(void)``: bit i is set if the i-th required feature is missing.

    The answer is kept, since asking may take a virtual machine long. Attributes #1 are those of the baseline.
    """
    needed = required(target)
    asks = target.family.asks(linux=target.is_linux, assembles=target.assembles)
    text = target.family.ask(name, needed) if needed and asks else nothing_lacks(name)
    return text.replace(" #1 {", f" #1{placed(name, target.is_bare)} {{", 1)
