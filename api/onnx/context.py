"""What a converter works with: the operands of one node, and methods to make layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from netwright.specs.dims import DimLike, Shape
from netwright.specs.models.layers.base import WEIGHTS

from .arrange import arranged, held_of, settled
from .errors import NeedsValue, Refusal
from .fold import checked_axis
from .numbers import decimal
from .operands import Held, Known, Merged, Value
from .reading import Node, UnreadableTensor
from .tensors import MAX_ELEMENTS

if TYPE_CHECKING:
    from .conversion import Conversion
    from .network import NetworkWriter


class Context:
    """A node that is being converted. Its results go to ``results``, one entry for each output."""

    def __init__(
        self,
        writer: NetworkWriter,
        node: Node,
        operands: Sequence[Value | None],
        opset: int,
        wanted: Sequence[bool],
        sole: Sequence[bool],
        runtime: Mapping[str, frozenset[str]],
        captured: Mapping[str, Value],
        conversion: Conversion,
    ):
        self.writer, self.node, self.opset = writer, node, opset
        self.operands, self.wanted = operands, wanted
        self.sole = sole
        """For each operand, whether this node is its only reader."""
        self.runtime = runtime
        """For each value, the inputs of the model that it depends on."""
        self.captured = captured
        """What the graphs among the attributes read from the outer graph."""
        self.conversion = conversion
        """Converts the graphs among the attributes."""
        self.results: list[Value | None] = [None] * len(node.outputs)
        self.names: list[str] = []
        """Names for a layer made here, the best one first."""

    @property
    def readers(self) -> frozenset[str]:
        """The operators that read the first result, if it belongs to the model's main graph."""
        return frozenset(node.op for node in self.conversion.following.get(self.node.outputs[0], ()))

    @property
    def readers_behind_shapes(self) -> frozenset[str]:
        """Those that read it, also through reshapes."""
        readers, waiting = set[str](), [self.node.outputs[0]]
        while waiting:
            for node in self.conversion.following.get(waiting.pop(), ()):
                if node.op in ("Reshape", "Squeeze", "Unsqueeze"):
                    waiting += node.outputs[:1]
                else:
                    readers.add(node.op)
        return frozenset(readers)

    # Attributes.

    def attribute(self, name: str, default: Any = None) -> Any:
        """The value of an attribute. Raises Refusal for a tensor that can't be read."""
        value = self.node.attributes.get(name, default)
        if isinstance(value, UnreadableTensor):
            raise Refusal(value.reason, name)
        return value

    def integer(self, name: str, default: int) -> int:
        """An attribute that is a whole number. Raises Refusal."""
        value = self.attribute(name, default)
        if not isinstance(value, int):
            raise Refusal(f"a whole number is expected, this is {value!r}", name)
        return value

    def number(self, name: str, default: float) -> float:
        """An attribute that is a number: the decimal number closest to the float32 in the file. Raises Refusal."""
        value = self.attribute(name, default)
        if isinstance(value, int) or not isinstance(value, float):
            raise Refusal(f"a number is expected, this is {value!r}", name)
        return decimal(value)

    def integers(self, name: str, default: Sequence[int] | None = None) -> list[int] | None:
        """An attribute that is a list of whole numbers. Raises Refusal."""
        value = self.attribute(name, default)
        if value is None:
            return None
        if not isinstance(value, tuple | list) or not all(isinstance(number, int) for number in value):
            raise Refusal(f"a list of whole numbers is expected, this is {value!r}", name)
        return list(value)

    def text(self, name: str, default: str, *choices: str) -> str:
        """An attribute that is a word. Raises Refusal if it is not one of the choices."""
        value = self.attribute(name, default)
        if value not in choices:
            raise Refusal(f"there is {', '.join(choices)}, not {value!r}", name)
        return value

    def axis(self, default: int, rank: int, name: str = "axis", *, end: bool = False) -> int:
        """An attribute that is an axis, counted from the front. Raises Refusal."""
        return checked_axis(self.integer(name, default), rank, end=end, attribute=name)

    # Operands.

    def has(self, position: int) -> bool:
        """Whether an operand is given."""
        return position < len(self.operands) and self.operands[position] is not None

    def value(self, position: int = 0) -> Value:
        """An operand as it is. Raises Refusal if it is missing."""
        value = self.operands[position] if position < len(self.operands) else None
        if value is None:
            raise Refusal(f"operand {position} is missing")
        return value

    def tensor(self, position: int = 0) -> Known | Held | Merged:
        """An operand that is a tensor with elements. Raises Refusal."""
        value = self.value(position)
        return value if isinstance(value, Known | Held | Merged) else self.settled(value)

    def held(self, position: int = 0) -> Held:
        """An operand as a tensor of the network. A constant becomes a layer. Raises Refusal."""
        return held_of(self.writer, self.value(position))

    def known(self, position: int) -> NDArray | None:
        """An operand's value if it is known at import time (an object array if it contains open sizes)."""
        value = self.operands[position] if self.has(position) else None
        return value.array if isinstance(value, Known) else None

    def runtime_input(self, position: int) -> bool:
        """Whether an operand is an input of the model, whose value the caller may be asked for."""
        name = self.node.inputs[position]
        return self.runtime.get(name) == frozenset({name})

    def array(self, position: int, what: str) -> NDArray:
        """An operand that must be constant. Raises NeedsValue if it is computed, Refusal for open sizes."""
        value = self.value(position)
        if not isinstance(value, Known):
            name = self.node.inputs[position]
            raise NeedsValue(name, what, self.runtime.get(name, frozenset()))
        if value.is_open:
            raise Refusal(f"{what} has to be constant, it depends on an open size")
        return value.array

    def sizes(self, position: int, what: str) -> list[DimLike]:
        """An operand of whole numbers, which may be open sizes. Raises NeedsValue, Refusal."""
        value = self.value(position)
        if not isinstance(value, Known):
            name = self.node.inputs[position]
            raise NeedsValue(name, what, self.runtime.get(name, frozenset()))
        flat = value.array.reshape(-1)
        return list(flat) if value.is_open else [int(size) for size in flat]

    def is_computed(self, position: int) -> bool:
        """Whether an operand is only known at run time."""
        return self.has(position) and not isinstance(self.operands[position], Known)

    def start(self, position: int, axis: int = 0) -> tuple[NDArray, bool] | None:
        """An operand that is known at import time and the same for all samples (its ``axis``). Returns the value of one
        sample, and whether the file has it in that form.
        """
        value = self.value(position)
        if isinstance(value, Known):
            array = value.array
            if value.is_open or not array.size or 0 < array.ndim <= axis:
                return None
            first = array.take([0], axis) if array.ndim else array
            return (first, False) if (array == first).all() else None
        held = value.source if isinstance(value, Merged) else value
        if not isinstance(held, Held):
            return None
        known = self.writer.stretched.get(held.ref)
        if not isinstance(known, Known) or known.is_open:
            return None
        if known.array.size > 1 and held.axes != tuple(range(held.rank)):
            return None
        return known.array, known.array.size > 1 or known.array.ndim == 1

    def shape(self, position: int = 0) -> Shape:
        """The logical shape of an operand."""
        return self.value(position).shape

    def dtype(self, position: int = 0) -> str:
        """The element type of an operand."""
        return self.value(position).dtype

    def floats(self, position: int = 0) -> None:
        """Raises Refusal unless an operand is of a float type."""
        if (dtype := self.dtype(position)) not in ("float32", "float64"):
            raise Refusal(f"operand {position} is {dtype}, not floats")

    # Results.

    def layer(
        self,
        type: str,
        inputs: Sequence[str],
        keys: Mapping[str, Any] | None = None,
        weights: Mapping[str, NDArray] | None = None,
        **options: Any,
    ) -> str:
        """Adds a layer and returns the reference to its output. Raises Refusal."""
        sources = [value.name for value in self.operands if isinstance(value, Known)] if weights else []
        return self.writer.add(
            type, inputs, keys or {}, weights or {}, self.names, sources=sources, **options
        )

    def with_computed(
        self,
        type: str,
        inputs: Sequence[str],
        keys: Mapping[str, Any],
        computed: Mapping[str, str],
        **options: Any,
    ) -> str:
        """Adds a layer, some of whose parameters other layers compute: references by their names. Raises Refusal."""
        if not computed:
            return self.layer(type, inputs, keys, **options)
        given = {**options.pop("given", {}), **{f"{WEIGHTS}{name}": ref for name, ref in computed.items()}}
        return self.layer(type, inputs, {**keys, "weights": dict(computed)}, given=given, **options)

    def arranged(self, value: Held, axes: Sequence[int | None]) -> str:
        """A reference to a tensor held under these axes."""
        return arranged(self.writer, value, tuple(axes))

    def settled(self, value: Value) -> Held:
        """A value as a tensor of the network."""
        return held_of(self.writer, value) if isinstance(value, Known) else settled(self.writer, value)

    def held_as(self, ref: str, axes: Sequence[int | None], rank: int | None = None) -> Held:
        """The value behind a reference, with these logical axes; missing ones have size 1."""
        type = self.writer.sketch.type_of(ref)
        rank = rank if rank is not None else 1 + max((axis for axis in axes if axis is not None), default=-1)
        shape: list[DimLike] = [1] * rank
        for axis, size in zip(axes, type.shape, strict=True):
            if axis is not None:
                shape[axis] = size
            elif size != 1:
                raise AssertionError(f"an axis of size {size} has no logical axis")
        return Held(ref, type.dtype, tuple(shape), tuple(axes))

    def give(self, value: Value, position: int = 0) -> None:
        """Sets a result of the node. Raises Refusal for one that is too large."""
        if not isinstance(value, Known) and prod(s for s in value.shape if isinstance(s, int)) > MAX_ELEMENTS:
            raise Refusal(f"a result of shape {[str(size) for size in value.shape]} is too large")
        if position < len(self.results):
            self.results[position] = value

    def wants(self, position: int) -> bool:
        """Whether an output is read."""
        return position < len(self.wanted) and self.wanted[position]

    def refuse_outputs(self, count: int) -> None:
        """Raises Refusal if outputs after the first ``count`` are read."""
        if any(self.wanted[count:]):
            raise Refusal(f"output {count} is read")
