"""Evaluates what a loop's body computes from the number of the step alone, and finds how many steps there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.specs.dims import Dim, DimLike

from ..errors import Refusal
from ..fold.ratio import Ratio
from ..operands import Known, Value, dims_array
from ..reading import Body, Node

if TYPE_CHECKING:
    from ..conversion import Conversion

#: Up to this number steps are counted one by one.
MOST_COUNTED = 100_000
#: Operators that keep a comparison of counters monotone: once it has become false, it stays false.
_MONOTONE = frozenset(
    ("Add", "And", "Cast", "Identity", "Less", "LessOrEqual", "Squeeze", "Unsqueeze", "Reshape")
)


class Steps:
    """The names in a body that depend only on the number of the step.

    ``conversion`` has the values of the outer graph and those in the body that are the same in each step.
    """

    def __init__(self, conversion: Conversion, body: Body, nodes: list[Node], starts: Mapping[str, Value]):
        self.conversion, self.body = conversion, body
        self.sources: dict[str, str] = {}
        for node in body.nodes:
            if node.op == "Identity" and not node.domain and len(node.inputs) == 1:
                self.sources[node.outputs[0]] = self.source(node.inputs[0])
        self.makers = {name: node for node in nodes for name in node.outputs if name}
        number, self.condition = body.inputs[:2]
        self.counters: dict[str, tuple[DimLike, DimLike, str]] = {number: (0, 1, "int64")}
        """The start of a counter, its increment per step, and its type."""
        for name, result in zip(body.inputs[2:], body.outputs[1:], strict=False):
            if (counter := self._counter(name, self.source(result), starts.get(name))) is not None:
                self.counters[name] = counter
        self.nodes: list[Node] = []
        """The nodes that compute with the number of the step alone."""
        self.names = set(self.counters)
        for node in nodes:
            if node.reads and all(not n or n in self.names or self._known(n) for n in node.reads):
                self.nodes.append(node)
                self.names.update(node.outputs)
        self._kept: dict[DimLike, Mapping[str, Known]] = {}

    def source(self, name: str) -> str:
        """Follows a name through Identity nodes."""
        return self.sources.get(name, name)

    def _known(self, name: str) -> bool:
        return isinstance(self.conversion.values.get(name), Known)

    def _number(self, name: str) -> DimLike | None:
        """A known whole number."""
        value = self.conversion.values.get(self.source(name))
        return whole(value) if isinstance(value, Known) else None

    def _counter(self, name: str, result: str, start: Value | None) -> tuple[DimLike, DimLike, str] | None:
        node = self.makers.get(result)
        if not isinstance(start, Known) or node is None or node.op not in ("Add", "Sub"):
            return None
        own = [self.source(operand) == name for operand in node.inputs]
        first, added = whole(start), self._number(node.inputs[1 if own[0] else 0])
        if first is None or added is None or own.count(True) != 1 or (node.op == "Sub" and not own[0]):
            return None
        return first, -added if node.op == "Sub" else added, start.dtype

    def at(self, step: DimLike) -> Mapping[str, Known]:
        """The values of all these names at a step. Values that can't be computed are missing."""
        if step not in self._kept:
            self._kept[step] = self._computed(step)
        return self._kept[step]

    def _computed(self, step: DimLike) -> Mapping[str, Known]:
        constants: dict[str, Known] = {}
        for name, (start, added, dtype) in self.counters.items():
            array = dims_array([start + step * added]).reshape(())
            constants[name] = Known(array if array.dtype == object else array.astype(dtype), dtype)
        with self.conversion.scope(Body((), (), tuple(self.nodes), {})):
            values = self.conversion.values
            values.update(constants)
            for node in self.nodes:
                self.conversion.visit(node)
            names = (name for node in self.nodes for name in node.outputs if name)
            constants |= {name: value for name in names if isinstance(value := values.get(name), Known)}
        return constants

    # The number of steps.

    def count(self, most: DimLike | None, first: bool) -> DimLike:
        """How many steps there are. ``most`` limits them, ``first`` says whether there is one at all. Raises
        Refusal.
        """
        if not first:
            return 0
        further = self.source(self.body.outputs[0])
        if further == self.condition or self._holds(further):
            if most is None:
                raise Refusal("the loop never ends")
            return most
        if further not in self.names:
            raise Refusal("whether there is a further step depends on what is computed")
        if not isinstance(most, Dim) and (counted := self._counted(further, most)) is not None:
            return counted
        if not all(node.op in _MONOTONE for node in self._behind(further)):
            raise Refusal("whether there is a further step is no comparison of a counter")
        for candidate in [most] if most is not None else self._bounds(further):
            last = most is not None or self._value(further, candidate - 1) is False
            if last and self._value(further, candidate - 2) is True:
                return candidate
        raise Refusal("the number of steps is not known")

    def _holds(self, name: str) -> bool:
        value = self.conversion.values.get(name)
        return isinstance(value, Known) and not value.is_open and bool(value.array.all())

    def _value(self, name: str, step: DimLike) -> bool | None:
        """A truth value at a step, if it is known."""
        value = self.at(step).get(name)
        return None if value is None or value.is_open or value.array.size != 1 else bool(value.array.all())

    def _counted(self, further: str, most: int | None) -> int | None:
        """The number of steps, counted one by one."""
        limit = MOST_COUNTED if most is None else most
        if limit > MOST_COUNTED:
            return None
        for step in range(limit):
            value = self._value(further, step)
            self._kept.clear()
            if value is None:
                return None
            if not value:
                return step + 1
        return most

    def _behind(self, name: str) -> list[Node]:
        """The nodes of the body that compute a value."""
        nodes, waiting, seen = [], [name], set[str]()
        while waiting:
            value = waiting.pop()
            if value in self.makers and value in self.names and value not in seen:
                seen.add(value)
                nodes.append(self.makers[value])
                waiting += self.makers[value].reads
        return nodes

    def _bounds(self, name: str) -> list[DimLike]:
        """The open sizes that counters are compared with."""
        limits: list[DimLike] = []
        for node in self._behind(name):
            if node.op in ("Less", "LessOrEqual"):
                known = [self.conversion.values.get(operand) for operand in node.inputs]
                sizes = [_size(value) for value in known]
                limits += [limit for size in sizes if isinstance(size, Dim) for limit in (size, size + 1)]
        return limits

    def position(self, name: str) -> tuple[DimLike, int] | None:
        """A position that moves by 1 or −1 in each step: its start, and the direction."""
        if self.source(name) not in self.names and name not in self.names:
            return None
        if any(node.op in ("Mul", "Mod", "Div") for node in self._behind(name)):
            return None
        first, second, third = (whole(self.at(step).get(name)) for step in range(3))
        if first is None or second is None or third is None or second - first != third - second:
            return None
        moved = second - first
        return (first, moved) if isinstance(moved, int) and moved in (1, -1) else None


def _size(value: Any) -> Any:
    """The open size that a number is, even as a float."""
    number = value.array.reshape(-1)[0] if isinstance(value, Known) and value.array.size == 1 else None
    return number.numerator if isinstance(number, Ratio) and number.denominator == 1 else number


def whole(value: Any) -> DimLike | None:
    """A known whole number, which may be an open size."""
    if not isinstance(value, Known) or value.array.size != 1 or value.array.dtype.kind not in "iuO":
        return None
    number = value.array.reshape(-1)[0]
    return number if isinstance(number, Dim) else int(np.int64(number))
