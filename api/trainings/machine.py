"""What a training ran on: versions and machine, as plain values."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from netwright.runtime.engines.processors import processor_count

from ..version import VERSION


def versions() -> dict[str, str]:
    """The versions that the numbers of a training may depend on."""
    return {
        "netwright": VERSION,
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "llvmlite")},
    }


def machine() -> dict[str, str | int]:
    """The computer's name, system, processor and memory."""
    described: dict[str, str | int] = {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "processors": processor_count(),
    }
    with suppress(AttributeError, OSError, ValueError):  # not on every system
        described["memory"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return described


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
