"""What every program's entries call: the barrier and the memory planner, the same text for all programs."""

from __future__ import annotations

from .features import baseline
from .planner import PLANNER_DECLARATIONS, planner_function
from .statements import module
from .target import Target, host_target


def write_support(target: Target) -> str:
    """The LLVM module of ``netwright.barrier`` and ``netwright.plan``, for every CPU of the family: it may run before
    the CPU was asked what it has."""
    declarations = set(PLANNER_DECLARATIONS)
    if target.is_x86:
        declarations.add("declare void @llvm.x86.sse2.pause()")
    if target.family == "aarch64":
        declarations.add("declare void @llvm.aarch64.hint(i32)")
    return module(baseline(target), declarations, _barrier_function(target), planner_function())


def _barrier_function(target: Target) -> str:
    """A barrier in 16 bytes: threads arrived, generation, error noted, error latched.

    The error that threads act on is latched by the last to arrive: one that is noted later, by a thread
    that has gone on already, does not reach a slow thread that has yet to look.
    """
    pause, give_way = _waiting(target)
    return f"""
define i32 @netwright.barrier(ptr %block, i32 %nthreads) #0 {{
entry:
  %generation = getelementptr i32, ptr %block, i32 1
  %error = getelementptr i32, ptr %block, i32 2
  %latched = getelementptr i32, ptr %block, i32 3
  %mine = load atomic i32, ptr %generation monotonic, align 4
  %before = atomicrmw add ptr %block, i32 1 acq_rel
  %others = sub i32 %nthreads, 1
  %last = icmp eq i32 %before, %others
  br i1 %last, label %release, label %wait
release:
  %noted = load atomic i32, ptr %error monotonic, align 4
  store atomic i32 %noted, ptr %latched monotonic, align 4
  store atomic i32 0, ptr %block monotonic, align 4
  %next = add i32 %mine, 1
  store atomic i32 %next, ptr %generation release, align 4
  br label %done
wait:
  %spins = phi i32 [ 0, %entry ], [ %more, %again ], [ 0, %yield ]
  %now = load atomic i32, ptr %generation acquire, align 4
  %passed = icmp ne i32 %now, %mine
  br i1 %passed, label %done, label %spin
spin:
  {pause}
  %more = add i32 %spins, 1
  %long = icmp ugt i32 %more, 4096
  br i1 %long, label %yield, label %again
again:
  br label %wait
yield:
  {give_way}
  br label %wait
done:
  %code = load atomic i32, ptr %latched monotonic, align 4
  ret i32 %code
}}
"""


def _waiting(target: Target) -> tuple[str, str]:
    """How a thread spins politely, and how, after long, it gives its core away.

    Giving away is Linux's sched_yield without the C library. It takes inline assembly, which LLVM reads for
    this machine's own family only; code for others spins on.
    """
    yields = target.is_linux and target.family == host_target().family
    if target.is_x86:
        code = '"syscall", "={rax},{rax},~{rcx},~{r11},~{memory}"(i64 24)'
        give_way = f"%unused = call i64 asm sideeffect {code}" if yields and target.family == "x86_64" else ""
        return "call void @llvm.x86.sse2.pause()", give_way
    if target.family == "aarch64":
        code = '"svc #0", "={x0},{x8},~{memory}"(i64 124)'
        return (
            "call void @llvm.aarch64.hint(i32 1)",
            f"%unused = call i64 asm sideeffect {code}" if yields else "",
        )
    return "", ""
