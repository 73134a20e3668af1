"""Writes the ONNX file of one entry, in a process of its own: `python -m tests.zoo.export_entry NAME PATH`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .catalog import ENTRIES, make


def main() -> None:
    """Writes beside the file first, so that what is there is whole."""
    name, path = sys.argv[1], Path(sys.argv[2])
    (entry,) = [one for one in ENTRIES if one.name == name]
    unfinished = path.with_suffix(".part")
    make(entry, unfinished)
    os.replace(unfinished, path)


if __name__ == "__main__":
    main()
