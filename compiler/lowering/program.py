"""Collects the results of lowering: kernels (each once), entries, and the table of caller-owned buffers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from netwright.specs.dims import DimLike

from ..formulas import Fourier
from ..graph.types import TensorType
from ..loop import ir
from ..loop.checks.verify import verify_kernel
from ..loop.opening import opened
from ..loop.text.printing import function_text
from ..loop.typing import VerifyError
from ..machine import Machine
from .kernels.repeats import Repeats
from .reading.places import Storage


@dataclass
class ProgramBuilder:
    """A program under construction. ``dims`` maps each named dim to its least value; ``constants`` maps the table
    buffers whose contents are known to these contents."""

    model: str
    dims: Mapping[str, int]
    machine: Machine
    made: Callable[[ir.Function, bool], None] = lambda kernel, proved: None
    """Called with each kernel when it is added, and whether all of its accesses were proved in bounds by then."""
    kernels: dict[str, ir.Function] = field(default_factory=dict)
    entries: dict[str, ir.Entry] = field(default_factory=dict)
    table: dict[str, Storage] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    formulas: dict[str, Fourier] = field(default_factory=dict)
    """The formulas of those constants that have one."""
    layers: dict[str, dict[str, None]] = field(default_factory=dict)
    """The layers that each kernel computes, in program order."""
    repeats: Repeats = field(default_factory=Repeats)
    """The kernels of the groups so far."""
    _names: dict[tuple[int, bool], tuple[ir.Function, str, Mapping[str, DimLike]]] = field(
        default_factory=dict
    )
    """Functions that were added, with their names and the values of their own dims, by their ids."""
    _unproved: set[str] = field(default_factory=set)
    """The names of kernels with open sizes that could not be proved."""

    def kernel(
        self, function: ir.Function, layers: Iterable[str] = (), proved: bool = False, opens: bool = False
    ) -> tuple[str, Mapping[str, DimLike]]:
        """Adds a kernel under a name derived from its content, and returns the name with the values of dims that are
        the kernel's own. Equal kernels are stored once, for the layers of both; with ``opens``, those that differ in
        sizes alone may be equal."""
        key = id(function), opens
        if key not in self._names:
            made = self._opened(function) if opens else None
            name, given = made or (self._added(function, proved), {})
            self._names[key] = function, name, given
        _, name, given = self._names[key]
        self.layers.setdefault(name, {}).update(dict.fromkeys(layer for layer in layers if layer))
        return name, given

    def _opened(self, function: ir.Function) -> tuple[str, Mapping[str, DimLike]] | None:
        """Adds the kernel with open sizes; None if it has none, or is not proved with them."""
        made = opened(function, self.dims)
        if not made.given:
            return None
        name, kernel = _named(made.function)
        if name in self._unproved:
            return None
        if name not in self.kernels:
            try:
                verify_kernel(kernel)
            except VerifyError:
                self._unproved.add(name)
                return None
            self._add(kernel, proved=True)
        return name, made.given

    def _added(self, function: ir.Function, proved: bool) -> str:
        name, kernel = _named(function)
        if name not in self.kernels:
            self._add(kernel, proved)
        return name

    def _add(self, kernel: ir.Function, proved: bool) -> None:
        self.kernels[kernel.name] = kernel
        self.made(kernel, proved)

    def storage(self, name: str, type: TensorType) -> Storage:
        """The caller-owned buffer called ``name``."""
        if name not in self.table:
            self.table[name] = Storage(name, type, table=True)
        known = self.table[name]
        if known.type != type:
            raise ValueError(f"buffer {name!r} is {known.type} in one entry and {type} in another")
        return known

    def constant(self, array: np.ndarray, formula: Fourier | None = None) -> Storage:
        """A table buffer that holds ``array``, which ``formula`` gives."""
        digest = hashlib.sha256(array.tobytes()).hexdigest()[:12]
        name = f"constant.{array.dtype.name}.{'x'.join(map(str, array.shape))}.{digest}"
        self.constants[name] = array
        if formula is not None:
            self.formulas[name] = formula
        return self.storage(name, TensorType(array.dtype.name, array.shape))

    def finish(self) -> ir.Program:
        table = tuple(ir.Buffer(s.name, s.type.dtype, s.type.shape, "readwrite") for s in self.table.values())
        layers = {kernel: tuple(names) for kernel, names in self.layers.items()}
        return ir.Program(self.model, tuple(self.dims.items()), table, self.kernels, self.entries, layers)


def _named(function: ir.Function) -> tuple[str, ir.Function]:
    """A kernel's name, which its content makes, and the kernel with it, without the dims that it does not read."""
    text = function_text(replace(function, name="kernel", dims=()))
    used = tuple((name, low) for name, low in function.dims if re.search(rf"\b{name}\b", text))
    name = "k" + hashlib.sha256(f"{used} {text}".encode()).hexdigest()[:16]
    return name, replace(function, name=name, dims=used)
