"""How a compiled file is run: by itself where it is for this computer, else by an emulator."""

from __future__ import annotations

from pathlib import Path


def runner(path: Path) -> list[str]:
    """The command that goes before the path of an executable, empty if this computer runs it itself."""
    return []
