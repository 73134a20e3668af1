"""How many processors this process may use."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from netwright.specs.manifest import MOST_THREADS

_ROOT = Path("/sys/fs/cgroup")


@cache
def own_processors() -> tuple[int, ...]:
    """The numbers of the processors that this process may run on. Asked once, before threads are pinned."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


@cache
def processor_count() -> int:
    """How many processors this process can use: those it may run on, limited by the CPU time of its control group, at
    least one. Asked once.
    """
    count = len(own_processors())
    share = processor_share(_ROOT, Path("/proc/self/cgroup"))
    return max(1, min(count, MOST_THREADS, count if share is None else round(share)))


def processor_share(root: Path, own: Path) -> float | None:
    """How many processors' time a control group may use; None without a limit.

    This is the smallest quota between the group that the file ``own`` names and ``root``.
    """
    shares: list[float] = []
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "cpu" if controllers else root
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            if top in (folder, *folder.parents) and (share := _quota(folder)) is not None:
                shares.append(share)
    return min(shares, default=None)


def _quota(folder: Path) -> float | None:
    """The quota of a control group's folder divided by its period. Version 2 has both in one file, version 1 has two
    files.
    """
    try:
        if (limit := folder / "cpu.max").exists():
            quota, period = limit.read_text(encoding="utf-8").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="utf-8").strip()
            period = (folder / "cpu.cfs_period_us").read_text(encoding="utf-8").strip()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # "max", or there is no such limit
        return None
