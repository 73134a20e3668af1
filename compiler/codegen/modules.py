"""A program as LLVM modules: one per distinct kernel, one for the entries, one for what all programs
share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from ..loop import ir
from .entries import write_entries
from .statements import write_kernel
from .support import write_support
from .target import Target

_PLACEHOLDER = "netwright.kernel"


@dataclass(frozen=True)
class Modules:
    """``symbols`` maps a kernel's name to its symbol; ``kernels`` a symbol to its module's text; ``origins`` a symbol
    to what it computes, in words."""

    symbols: dict[str, str]
    kernels: dict[str, str]
    entries: str
    support: str
    origins: dict[str, str]

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Each module: what it is of, and its text."""
        kernels = [(self.origins[symbol], text) for symbol, text in self.kernels.items()]
        return [*kernels, ("the entries", self.entries), ("the planner and what threads share", self.support)]


def program_modules(
    program: ir.Program,
    target: Target,
    *,
    readable: bool = False,
    contents: str | None = None,
    multiples: Mapping[str, int] | None = None,
) -> Modules:
    """The modules of a program.

    A kernel's symbol is the hash of its code, so that equal kernels are one, in this program and in the
    cache; ``readable``: the name of the first such kernel, for object code, where the symbol is internal.
    ``contents`` is the symbol of embedded contents, ``multiples`` are those of dims.
    """
    symbols: dict[str, str] = {}
    kernels: dict[str, str] = {}
    chosen: dict[str, str] = {}
    origins: dict[str, str] = {}
    for name, function in program.kernels.items():
        text = write_kernel(function, _PLACEHOLDER, target)
        if text not in chosen:
            digest = hashlib.sha256(text.encode()).hexdigest()[:24]
            chosen[text] = f"{program.model}.{name}" if readable else f"netwright.{digest}"
            origins[chosen[text]] = origin(name, program.layers)
            kernels[chosen[text]] = text.replace(f'@"{_PLACEHOLDER}"', f'@"{chosen[text]}"', 1)
        symbols[name] = chosen[text]
    entries = write_entries(program, symbols, target, contents, multiples)
    return Modules(symbols, kernels, entries, write_support(target), origins)


def origin(kernel: str, layers: Mapping[str, tuple[str, ...]]) -> str:
    """A kernel and the layers that it computes, in words."""
    found = layers.get(kernel, ())
    return f"kernel {kernel}" + (f" (layer{'s' * (len(found) > 1)} {', '.join(found)})" if found else "")
