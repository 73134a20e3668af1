"""The table of operators that can be folded, and helpers that its entries share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from netwright.specs.dims import Range, product

from ..errors import Refusal
from ..tensors import MAX_COMPUTED, dtype_name

Arrays = Sequence[NDArray | None]


@dataclass(frozen=True, slots=True)
class Folding:
    """The context of a fold: the operands' element types, which object arrays of open sizes don't have, and the ranges
    of the open sizes.
    """

    opset: int
    dtypes: tuple[str, ...]
    ranges: Mapping[str, Range]
    outputs: int = 1
    """The number of results of the node."""

    def dtype(self, op: str, attributes: Mapping[str, Any]) -> str:
        """The element type of the results."""
        if op == "Cast":
            return dtype_name(int(attributes.get("to", 0)))
        if op in _TRUTHS:
            return "bool"
        place = {"Where": 1, "CastLike": 1}.get(op, 0)
        return self.dtypes[place] if place < len(self.dtypes) else "int64"


_TRUTHS = frozenset(["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Not"])
Fold = Callable[[Arrays, Mapping[str, Any], Folding], "list[NDArray] | None"]

FOLDS: dict[str, Fold] = {}


def fold(*names: str) -> Callable[[Fold], Fold]:
    """Registers a function for operators."""

    def add(function: Fold) -> Fold:
        for name in names:
            FOLDS[name] = function
        return function

    return add


def integers(array: NDArray | None) -> list[int]:
    """A list of whole numbers. Raises Refusal if one is an open size."""
    if array is None:
        return []
    if array.dtype == object:
        raise Refusal("a number that has to be known depends on an open size")
    return [int(number) for number in array.reshape(-1)]


def axes_of(arrays: Arrays, position: int, attributes: Mapping[str, Any]) -> list[int] | None:
    """The operand or (before opset 13) attribute ``axes``."""
    if len(arrays) > position and arrays[position] is not None:
        return integers(arrays[position])
    return list(attributes["axes"]) if "axes" in attributes else None


def first(arrays: Arrays) -> NDArray:
    """The first operand, which must be given."""
    if not arrays or arrays[0] is None:
        raise Refusal("its first operand is missing")
    return arrays[0]


def pair(arrays: Arrays) -> tuple[NDArray, NDArray]:
    """The first two operands."""
    if len(arrays) < 2 or arrays[0] is None or arrays[1] is None:
        raise Refusal("an operand is missing")
    return arrays[0], arrays[1]


def check_size(shape: Sequence[int]) -> None:
    """Raises Refusal for an impossible shape."""
    if any(size < 0 for size in shape) or product(shape) > MAX_COMPUTED:  # type: ignore[operator]
        raise Refusal(f"the shape {list(shape)} is impossible for a constant")


def checked_axis(axis: int, rank: int, *, end: bool = False, attribute: str = "axis") -> int:
    """An axis counted from the front. Raises Refusal if there is no such axis."""
    position = axis + rank if axis < 0 else axis
    if not 0 <= position < rank + end:
        raise Refusal(f"there is no axis {axis} among {rank}", attribute)
    return position
