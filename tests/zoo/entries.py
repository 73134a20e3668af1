"""What the zoo holds: one entry a network, an exporter and a choice of what stays open."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

EXPORTERS = ("legacy", "dynamo", "tf2onnx", "package")


@dataclass(frozen=True, slots=True)
class Entry:
    """A network of the zoo. ``source`` is the module that makes it (`torchvision`, `timm`, `torch`, `keras`, or the
    package whose wheel it is in), ``model`` its name there."""

    source: str
    model: str
    exporter: str
    shape: str = "open"
    """`open` or `fixed` batch; `open` sizes of packages are whatever their file says."""
    sizes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Two sizes for each open size, by its name, or for each axis `INPUT:AXIS` of an input."""
    inputs: Mapping[str, float] = field(default_factory=dict)
    """Inputs that the import settles to a number."""
    dims: Mapping[str, int | str] = field(default_factory=dict)
    """What the import is told of open sizes: a number, or what they are multiples of."""
    scale: float = 1.0
    """How large the numbers are that it is made for."""
    word: bool = False
    """Whether it reads: its images are a written word, since of noise it says nothing with certainty."""
    tolerance: float = 1e-4
    """How far an answer may be from ONNX Runtime's, in root mean squares of that."""
    highest: int = 2
    """Whole numbers are drawn below this."""
    tag: str = ""
    """What tells entries of the same file apart."""

    @property
    def name(self) -> str:
        """The entry's name in tables and patterns."""
        name = f"{self.source}/{self.model}"
        if self.exporter in ("legacy", "dynamo"):
            name = f"{name}/{self.exporter}/{self.shape}"
        elif self.exporter == "tf2onnx":
            name = f"{name}/tf2onnx"
        return f"{name}@{self.tag}" if self.tag else name

    @property
    def requires(self) -> tuple[str, ...]:
        """The modules without which it can't be made."""
        if self.exporter == "tf2onnx":
            return ("tensorflow", "tf2onnx")
        if self.exporter == "package":
            return ()
        library = () if self.source == "torch" else (self.source,)
        return ("torch", *library, *(("onnxscript",) if self.exporter == "dynamo" else ()))


def chosen(entries: Sequence[Entry], patterns: Sequence[str], exporters: Sequence[str]) -> list[Entry]:
    """The entries of these exporters whose names hold one of the patterns (all where there is none)."""
    return [
        entry
        for entry in entries
        if entry.exporter in exporters
        and (not patterns or any(fnmatch.fnmatchcase(entry.name, f"*{one}*") for one in patterns))
    ]
