"""A program as LLVM modules: one per distinct kernel, one for the entries, one for what all programs share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...loop import ir
from ..targets.target import Target
from .entries import write_entries
from .statements import write_kernel
from .support import write_support

#: The name of a kernel in a text that is hashed.
PLACEHOLDER = "netwright.kernel"


@dataclass(frozen=True)
class Modules:
    """``symbols`` maps a kernel's name to its symbol; ``kernels`` maps a symbol to the text of its module;
    ``origins`` maps a symbol to a description of what it computes."""

    symbols: dict[str, str]
    kernels: dict[str, str]
    entries: str
    support: str
    origins: dict[str, str]

    @property
    def texts(self) -> list[tuple[str, str]]:
        """A description and the text of each module."""
        kernels = [(self.origins[symbol], text) for symbol, text in self.kernels.items()]
        return [*kernels, ("the entries", self.entries), ("the planner and what threads share", self.support)]


def program_modules(
    program: ir.Program,
    target: Target,
    *,
    readable: bool = False,
    contents: str | None = None,
    multiples: Mapping[str, int] | None = None,
    watch: bool = False,
    names: Mapping[str, str] | None = None,
    texts: Mapping[str, str] | None = None,
    direct: Mapping[str, Sequence[str]] | None = None,
) -> Modules:
    """The modules of a program.

    A kernel's symbol is the hash of its code, so that equal kernels share one, in this program and in the cache. With
    ``readable`` it is the name of the first such kernel: for object code, where the symbol is internal. ``contents``
    is the symbol of embedded contents, ``multiples`` are the numbers that dims must be multiples of. With ``watch``
    entries pass a mark at each of their moments. ``names`` are the symbols that kernels have to have, each its own.
    ``texts`` are those of kernels that were written before, named ``PLACEHOLDER``. ``direct``: see
    ``entries.direct_entries``.
    """
    symbols: dict[str, str] = {}
    kernels: dict[str, str] = {}
    chosen: dict[tuple[str, str], str] = {}
    origins: dict[str, str] = {}
    for name, function in program.kernels.items():
        text = texts[name] if texts and name in texts else write_kernel(function, PLACEHOLDER, target)
        key = text, names[name] if names else ""
        if key not in chosen:
            readable_name = key[1] or f"{program.model}.{name}"
            chosen[key], module = kernel_module(text, readable_name if readable else "")
            origins[chosen[key]] = origin(name, program.layers)
            kernels[chosen[key]] = module
        symbols[name] = chosen[key]
    entries = write_entries(program, symbols, target, contents, multiples, watch, direct)
    return Modules(symbols, kernels, entries, write_support(target), origins)


def kernel_module(text: str, symbol: str = "") -> tuple[str, str]:
    """A kernel's symbol, by default the hash of its text, and the text under that name."""
    symbol = symbol or f"netwright.{hashlib.sha256(text.encode()).hexdigest()[:24]}"
    return symbol, text.replace(f'@"{PLACEHOLDER}"', f'@"{symbol}"', 1)


def origin(kernel: str, layers: Mapping[str, tuple[str, ...]]) -> str:
    """A description of a kernel and the layers that it computes."""
    names = layers.get(kernel, ())
    return f"kernel {kernel}" + (f" (layer{'s' * (len(names) > 1)} {', '.join(names)})" if names else "")
