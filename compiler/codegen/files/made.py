"""Constants that a program computes at its start, since it would take more bytes to hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netwright.specs.files import Scratch

from ...formulas import Fourier
from ..objects.compiled_sources import C_SOURCES
from .csource import FLOATS

#: The names of the C files that compute such constants.
_FILES = ("fourier.c", "fourier.h")


class Made:
    """The constants of one program, or of several versions. Equal ones are computed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Fourier, str], str] = {}

    def add(self, buffers: Mapping[str, np.ndarray], formulas: Mapping[str, Fourier]) -> dict[str, str]:
        """The C names of the arrays of those buffers that the program computes."""
        names: dict[str, str] = {}
        for name, array in buffers.items():
            formula = formulas.get(name)
            if formula is not None and array.dtype.name in FLOATS and formula.nbytes < array.nbytes:
                key = formula, array.dtype.name
                names[name] = self._known.setdefault(key, f"nw_made_{len(self._known)}")
        return names

    def write(self, folder: Scratch) -> list[str]:
        """Writes the C files, and returns the names of those to compile. ``nw_make`` computes the constants."""
        folder.write("made.c", self._source().encode())
        if not self._known:
            return ["made.c"]
        for name in _FILES:
            folder.write(name, (C_SOURCES / "made" / name).read_bytes())
        return ["made.c", "fourier.c"]

    def _source(self) -> str:
        lines = ['#include "fourier.h"'] if self._known else []
        calls: list[str] = []
        for (formula, dtype), name in self._known.items():
            cosines, sines = formula.turn
            parts = {"cosines": cosines, "sines": sines, "window": formula.weights}
            for part, numbers in parts.items():
                lines.append(f"static const double {name}_{part}[] = {{{_listed(numbers.tolist())}}};")
            sizes = f"{formula.frame}, {formula.bins}, {formula.points}"
            lines += [
                f"static const nw_fourier_table {name}_table = "
                f"{{{sizes}, {{{name}_cosines, {name}_sines}}, {name}_window}};",
                f"_Alignas(64) {FLOATS[dtype]} {name}[{int(np.prod(formula.shape))}];",
            ]
            calls.append(f"    nw_fourier(&{name}_table, {name}, {int(dtype == 'float64')});")
        return "\n".join([*lines, "void nw_make(void);", "void nw_make(void) {", *calls, "}"]) + "\n"


def _listed(numbers: Sequence[float]) -> str:
    """Numbers to the last bit."""
    return ",\n".join(number.hex() for number in numbers)
