"""Code that is the same for all programs: how threads divide entries, the memory planner, and the thread pool.

The LLVM text is in ``ll/``; what differs between targets is filled in here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

from netwright.specs.manifest import MOST_ARRAYS, MOST_THREADS, SPINS

from ..targets.target import Target
from .features import baseline
from .planner import ALIGN, LIMIT, LIMIT_32, PLANNER_DECLARATIONS
from .regions import GRAIN, WORTH_WAKING
from .statements import module

#: The functions of a pool, without their prefix.
POOL = ("run", "stop", "forked", "pin")
#: The most calls between two trials of whether workers pay. In nanoseconds: the duration of a call from which on trials
#: are shorter, and the pause before a call from which on it is judged by itself. And the operations of a call that
#: calls workers at first even after a pause (about a millisecond).
_SELDOM, _LONG, _REST, _MUCH = 4096, 2_000_000, 500_000, 4_000_000

_TEXTS = Path(__file__).parent / "ll"
#: The initial contents of a mutex and a condition variable, then SIG_SETMASK and CLOCK_MONOTONIC.
_DARWIN, _LINUX = (0x32AAABA7, 0x3CB0B1BB, 3, 6), (0, 0, 2, 1)


def write_support(target: Target) -> str:
    """The LLVM module of how threads share (ll/shares.ll) and of ``netwright.plan``.

    It is for every CPU of the family, since it may run before the CPU's features are checked.
    """
    shares = [*_waiting(target), _filled("shares", target)] if has_threads(target) else []
    return module(
        baseline(target),
        {*target.family.declarations, *PLANNER_DECLARATIONS},
        *shares,
        _filled("planner", target),
        small=True,
    )


def write_pool(target: Target, prefix: str) -> str:
    """The LLVM module of the thread pool (ll/pool.ll, ll/trials.ll), with ``prefix`` before its functions' names.

    A process needs one, whatever programs it runs.
    """
    pool, trials = _filled("pool", target, prefix), _filled("trials", target)
    names = ("pinned", "apart") if target.is_linux else ("unpinned",)
    placing = [_filled(name, target, prefix) for name in names]
    texts = (*_waiting(target), trials, *placing, pool)
    return module(baseline(target), set(target.family.declarations), *texts, small=True)


def write_recorder(target: Target) -> str:
    """The LLVM module of what writes down when marks are passed (ll/recorder.ll)."""
    return module(baseline(target), set(), _filled("clock", target), _filled("recorder", target))


def write_python(target: Target) -> str:
    """The LLVM module of how Python calls entries (ll/python.ll)."""
    return module(baseline(target), set(), _filled("python", target))


def plan_limit(target: Target) -> int:
    """The bytes of the largest arena."""
    return LIMIT if target.is_64_bit else LIMIT_32


def has_threads(target: Target) -> bool:
    """Whether the target's system has POSIX threads, so that a pool can be made."""
    return target.is_posix


def _waiting(target: Target) -> list[str]:
    """How a thread waits, and how it sleeps when that takes long."""
    sleeping = "futex" if target.is_linux and target.family.futex else "condition"
    return [_filled("waiting", target), _filled(sleeping, target), _filled("clock", target)]


def _filled(name: str, target: Target, pool: str = "") -> str:
    mutex, condition, setmask, monotonic = _DARWIN if target.is_darwin else _LINUX
    return _template(name).substitute(
        pool=pool,
        pause=target.family.pause,
        long="i64" if target.is_64_bit else "i32",
        futex=target.family.futex,
        spins=SPINS,
        grain=GRAIN,
        wake=WORTH_WAKING,
        seldom=_SELDOM,
        long_call=_LONG,
        rest=_REST,
        much=_MUCH,
        most=MOST_THREADS,
        arrays=MOST_ARRAYS,
        mutex=mutex,
        condition=condition,
        setmask=setmask,
        monotonic=monotonic,
        limit=plan_limit(target),
        round=ALIGN - 1,
        aligned=-ALIGN,
        widen="bitcast" if target.is_64_bit else "sext",
    )


@cache
def _template(name: str) -> Template:
    return Template((_TEXTS / f"{name}.ll").read_text(encoding="utf-8"))
