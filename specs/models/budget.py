"""The `budget` section: limits that a network has to keep."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from .base import MAX_SIZE, Positive, SpecModel

_LARGEST = MAX_SIZE**2
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_COUNTS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BYTES = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}


def _amount(value: Any, units: dict[str, int], example: str) -> int:
    """A whole number, or a number with a unit. Raises PydanticCustomError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        number, unit = float(value), 1
    else:
        match = _WRITTEN.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None or match[2] not in units:
            known = ", ".join(unit for unit in units if unit)
            message = "expected a whole number, or one with a unit such as {example} (of {units})"
            raise PydanticCustomError("amount", message, {"example": example, "units": known})
        number, unit = float(match[1]), units[match[2]]
    size = round(number * unit) if abs(number) * unit <= _LARGEST else -1
    if size < 0 or abs(size - number * unit) > 1e-6 * unit:
        message = "expected a whole number of 0 or more, not {value}"
        raise PydanticCustomError("amount", message, {"value": value})
    return size


def _count(value: Any) -> int:
    return _amount(value, _COUNTS, "20 M")


def _bytes(value: Any) -> int:
    return _amount(value, _BYTES, "64 KiB")


Count = Annotated[int, BeforeValidator(_count, json_schema_input_type=int | float | str)]
"""`20000`, `20 k`, `1.5 M`, `2 G`."""
Bytes = Annotated[int, BeforeValidator(_bytes, json_schema_input_type=int | float | str)]
"""`65536`, `64 KiB`, `64 kB`, `1.5 MB`."""


class BudgetSpec(SpecModel):
    """Limits for the network; exceeding one is an error. With open sizes the worst case counts: `flops` and `memory`
    are those of one sample (a batch of 1, or of its `min`) with every other dim at its `max`.
    """

    params: Count | None = None
    """The number of trained values, shared ones counted once: `20000`, `20 k`, `1.5 M`."""
    flops: Count | None = None
    """Arithmetic operations to predict one sample; a multiply-add counts as two: `2 M`."""
    memory: Bytes | None = None
    """Bytes to predict one sample: weights (including packed copies), constants, inputs, outputs, scratch memory: `64
    KiB`.
    """
    flash: Bytes | None = None
    """Bytes of a microcontroller's flash: code, weights and constants of `predict`, as the linker counts them: `256
    KiB`.
    """
    ram: Bytes | None = None
    """Bytes of a microcontroller's RAM: inputs, outputs and scratch memory of `predict`: `16 KiB`."""
    stack: Bytes | None = None
    """Bytes of stack that a call of `predict` needs on a microcontroller: `1 KiB`."""
    latency_ms: Positive | None = None
    """Milliseconds to predict one sample on this machine, as `netwright resources --measure` measures them."""
