"""Writes an ONNX graph: nodes, constants, and sizes that are open until run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd, prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import helper, numpy_helper

from netwright.specs.dims import Call, Dim, DimLike, Monomial, Shape, Unit, dim

from ..names import Names
from ..tensors import DTYPES

#: Operators that only prepare operands for others: they do not get the name of their layer.
_MOVERS = frozenset(
    ("Transpose", "Reshape", "Shape", "Squeeze", "Unsqueeze", "Expand", "Identity", "Cast", "Concat")
)
_MOVERS |= {"Slice", "Range", "Less"}
_TYPES = {name: code for code, name in DTYPES.items()}


def element_type(dtype: str) -> int:
    """ONNX's number for an element type."""
    return _TYPES[dtype]


class OnnxWriter:
    """Collects the nodes of one graph. A body shares the names and sizes of the outer graph (``outer``)."""

    def __init__(self, names: Names | None = None, outer: OnnxWriter | None = None):
        self.names = names or Names()
        self.titles = outer.titles if outer else Names()
        self.outer = outer
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, NDArray] = {}
        self.layer = ""
        self.read: set[str] = set()
        """Names that bodies and outputs read."""
        self._constants: dict[tuple, str] = {}
        self._sizes: dict[DimLike, str] = {}
        self._places: dict[str, tuple[str, int]] = {}

    def name(self, hint: str) -> str:
        """A name that is not taken yet."""
        return self.names.fresh([hint], f"{hint}_")

    def add(self, op: str, inputs: Sequence[str], hint: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Adds a node and returns the name of its first output."""
        return self.add_many(op, inputs, outputs, hint, **attributes)[0]

    def add_many(
        self, op: str, inputs: Sequence[str], outputs: int | Sequence[bool], hint: str = "", **attributes: Any
    ) -> list[str]:
        """Adds a node with several outputs. If ``outputs`` is a list, those that are False are left out."""
        wanted = [True] * outputs if isinstance(outputs, int) else list(outputs)
        stem = hint or (f"{self.layer}_{op.lower()}" if self.layer else op.lower())
        results = [self.name(stem) if needed else "" for needed in wanted]
        while results and not results[-1]:
            results.pop()
        given = {key: value for key, value in attributes.items() if value is not None}
        own = [self.layer] if self.layer and op not in _MOVERS and self.outer is None else []
        title = self.titles.fresh([*own, stem], f"{stem}_")
        self.nodes.append(helper.make_node(op, list(inputs), results, name=title, **given))
        return results

    def constant(self, values: ArrayLike, dtype: str | None = None, hint: str = "") -> str:
        """A constant tensor. Equal ones are stored once."""
        array = np.asarray(values, dtype)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            name = self.name(hint or "constant")
            self._constants[key] = name
            self.initializers[name] = array
        return self._constants[key]

    def weight(self, name: str, array: NDArray) -> str:
        """A parameter under its own name."""
        name = self.name(name)
        self.initializers[name] = array
        return name

    # Sizes.

    def know_size(self, size: str, value: str, axis: int) -> None:
        """Records that the named dim ``size`` is the size of this axis of ``value``."""
        self._places.setdefault(size, (value, axis))

    def size(self, size: DimLike) -> str:
        """A size as an int64 [1] tensor."""
        if isinstance(size, int):
            return self.constant([size], "int64")
        if self.outer is not None:
            return self.outer.size(size)
        if size not in self._sizes:
            self._sizes[size] = self._sum(size)
        return self._sizes[size]

    def numbers(self, size: DimLike) -> str:
        """0, 1, 2, … as int64, as many as ``size``."""
        limit = self.add("Reshape", [self.size(size), self.constant(np.zeros(0, np.int64))])
        return self.add("Range", [self.constant(np.int64(0)), limit, self.constant(np.int64(1))])

    def _sum(self, size: Dim) -> str:
        if str(size) in self._places:
            value, axis = self._places[str(size)]
            return self.add("Shape", [value], f"size_{size}", start=axis, end=axis + 1)
        total: str | None = None
        for monomial, factor in size.terms:
            term = self._product(monomial, factor)
            total = term if total is None else self.add("Add", [total, term], "size")
        assert total is not None
        return total

    def _product(self, monomial: Monomial, factor: int) -> str:
        """A product. For dims that are known multiples the division is exact: T//2, rather than 2·(T//4)."""
        units = [atom for atom in monomial if isinstance(atom, Unit)]
        divisor = prod(unit.size for unit in units)
        common = gcd(factor, divisor)
        factor, divisor = factor // common, divisor // common
        term = self.constant([factor], "int64") if factor != 1 or not monomial else None
        for atom in monomial:
            name = atom.name if isinstance(atom, Unit) else atom
            value = self.size(dim(name)) if isinstance(name, str) else self._call(name)
            term = value if term is None else self.add("Mul", [term, value], "size")
        assert term is not None
        return term if divisor == 1 else self.add("Div", [term, self.size(divisor)], "size")

    def _call(self, call: Call) -> str:
        if call.function == "floordiv":
            numerator, divisor = (self.size(argument) for argument in call.arguments)
            # Div rounds towards zero, which is ⌊·⌋ for non-negative numbers.
            remainder = self.add("Mod", [numerator, divisor], "size")
            return self.add("Div", [self.add("Sub", [numerator, remainder], "size"), divisor], "size")
        arguments = [self.size(argument) for argument in call.arguments]
        return self.add("Min" if call.function == "min" else "Max", arguments, "size")

    def shape(self, shape: Shape) -> str:
        """A shape as an int64 tensor."""
        if all(isinstance(size, int) for size in shape):
            return self.constant(np.array(shape, np.int64), "int64")
        return self.add("Concat", [self.size(size) for size in shape], "shape", axis=0)

    # Finishing.

    def graph(
        self,
        name: str,
        inputs: Sequence[tuple[str, str, Shape]],
        outputs: Sequence[tuple[str, str, Shape]],
    ) -> onnx.GraphProto:
        """The finished graph, with the types of inputs and outputs. Nodes that nothing reads are left out."""

        def port(name: str, dtype: str, shape: Shape) -> onnx.ValueInfoProto:
            sizes = [size if isinstance(size, int) else str(size) for size in shape]
            return helper.make_tensor_value_info(name, element_type(dtype), sizes)

        self.read |= {name for name, _, _ in outputs}
        nodes = []
        for node in reversed(self.nodes):
            if self.read.intersection(node.output):
                self.read.update(node.input)
                nodes.append(node)
        if self.outer is not None:
            self.outer.read |= self.read
        tensors = [
            numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
            for name, array in self.initializers.items()
            if name in self.read
        ]
        return helper.make_graph(
            nodes[::-1], name, [port(*row) for row in inputs], [port(*row) for row in outputs], tensors
        )


def renamed(nodes: Sequence[onnx.NodeProto], names: Mapping[str, str]) -> None:
    """Renames values, in place."""
    for node in nodes:
        for position, name in enumerate(node.input):
            node.input[position] = names.get(name, name)
        for position, name in enumerate(node.output):
            node.output[position] = names.get(name, name)
