"""What every program's entries call: the barrier and the memory planner, the same text for all programs."""

from __future__ import annotations

from .features import baseline
from .planner import PLANNER_DECLARATIONS, planner_function
from .statements import module
from .target import Target


def write_support(target: Target) -> str:
    """The LLVM module of ``netwright.barrier`` and ``netwright.plan``, for every CPU of the family: it may run before
    the CPU was asked what it has."""
    declarations = {*PLANNER_DECLARATIONS, *target.family.declarations}
    return module(baseline(target), declarations, _barrier_function(target), planner_function())


def _barrier_function(target: Target) -> str:
    """A barrier in 16 bytes: threads arrived, generation, error noted, error latched.

    The error that threads act on is latched by the last to arrive: one that is noted later, by a thread
    that has gone on already, does not reach a slow thread that has yet to look.
    """
    give_way = target.system_call("sched_yield")  # after long; code for which there is none spins on
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
  {target.family.pause}
  %more = add i32 %spins, 1
  %long = icmp ugt i32 %more, 4096
  br i1 %long, label %yield, label %again
again:
  br label %wait
yield:
  {give_way and f"%unused = {give_way}"}
  br label %wait
done:
  %code = load atomic i32, ptr %latched monotonic, align 4
  ret i32 %code
}}
"""
