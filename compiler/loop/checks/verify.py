"""Checks loop IR: names, types, access rights, calls, and that every access is in bounds for all admitted dims.

Indices are sizes, so bounds are proved symbolically, axis by axis (see ``prover``). A bound that cannot be proved is
an error, which says what could not be shown.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from graphlib import CycleError, TopologicalSorter

import numpy as np

from netwright.specs.dims import product

from .. import ir
from ..proofs.prover import Prover
from ..typing import VerifyError
from .calls import statements_of
from .functions import FunctionChecker

__all__ = ["VerifyError", "verify_function", "verify_kernel", "verify_program"]

#: The kernels that were verified in this process, whichever programs they were of. Some hundred bytes each.
_verified: set[str] = set()


def verify_program(program: ir.Program, checked: Container[str] = ()) -> None:
    """Checks a program's kernels, except those that were ``checked`` by themselves, and entries. Raises
    VerifyError."""
    _check_order(program.kernels)
    for name, kernel in program.kernels.items():
        if name != kernel.name:
            raise VerifyError(f"kernel {kernel.name} is listed as {name}")
        if name not in checked:
            verify_function(kernel, program.kernels)
    table = {buffer.name: buffer for buffer in program.table}
    if len(table) != len(program.table):
        raise VerifyError("two buffers of the table have one name")
    for name, entry in program.entries.items():
        if name != entry.name:
            raise VerifyError(f"entry {entry.name} is listed as {name}")
        _verify_entry(program, entry, table)


def _check_order(kernels: Mapping[str, ir.Function]) -> None:
    """Raises VerifyError if a kernel calls itself, directly or through others."""
    calls = {
        name: [
            statement.function for statement in statements_of(kernel.body) if isinstance(statement, ir.Call)
        ]
        for name, kernel in kernels.items()
    }
    try:
        TopologicalSorter(calls).prepare()
    except CycleError as error:
        raise VerifyError(f"kernels call themselves: {' → '.join(error.args[1])}") from None


def _verify_entry(program: ir.Program, entry: ir.Entry, table: Mapping[str, ir.Buffer]) -> None:
    where = f"entry {entry.name}"
    function = entry.function
    if function.dims != program.dims:
        raise VerifyError(f"{where}: its dims are not the program's")
    arena = {slot.name: slot for slot in entry.arena}
    if len(arena) != len(entry.arena):
        raise VerifyError(f"{where}: two arena buffers have one name")
    for buffer in function.buffers:
        if buffer.name in arena:
            prover = Prover(function.dims)
            nbytes = product(buffer.shape) * np.dtype(buffer.dtype).itemsize
            if not prover.proves(arena[buffer.name].nbytes - nbytes):
                raise VerifyError(
                    f"{where}: {arena[buffer.name].nbytes} bytes may be too few for {buffer.name}"
                )
        elif buffer.name not in table:
            raise VerifyError(f"{where}: {buffer.name} is neither in the table nor in the arena")
        elif (table[buffer.name].dtype, table[buffer.name].shape) != (buffer.dtype, buffer.shape):
            raise VerifyError(f"{where}: {buffer.name} differs from the table's")
    for statement in statements_of(function.body):
        if not isinstance(statement, ir.For | ir.If | ir.Divide | ir.Call | ir.Barrier):
            raise VerifyError(f"{where}: {type(statement).__name__} has no place in an entry")
    verify_function(function, program.kernels)
    writer = _undivided_writer(function, program.kernels)
    if writer is not None:
        raise VerifyError(f"{where}: every thread does what {writer} writes outside of parallel loops")


def _undivided_writer(function: ir.Function, kernels: Mapping[str, ir.Function]) -> str | None:
    """The name of the function, this or one that it calls, that stores to shared memory outside of parallel loops."""
    local = {buffer.name for buffer in function.buffers if buffer.local}
    for statement in statements_of(function.body, into_parallel=False):
        if isinstance(statement, ir.Store) and statement.buffer not in local:
            return function.name
        if isinstance(statement, ir.Call):
            writer = _undivided_writer(kernels[statement.function], kernels)
            if writer is not None:
                return writer
    return None


def verify_function(function: ir.Function, functions: Mapping[str, ir.Function] | None = None) -> None:
    """Checks one function; ``functions`` holds what it calls (they are not checked). Raises VerifyError."""
    try:
        FunctionChecker(function, functions or {}).run()
    except VerifyError as error:
        raise VerifyError(f"{function.name}: {error}") from None


def verify_kernel(kernel: ir.Function) -> None:
    """Checks a kernel whose name its content makes, once in this process. Raises VerifyError."""
    if kernel.name not in _verified:
        verify_function(kernel)
        _verified.add(kernel.name)
