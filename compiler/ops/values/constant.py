"""Values without operands: ``constant``, ``iota`` and ``dim_value``, with helpers that add constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape, evaluate, product

from ...formulas import Fourier
from ...graph.graph import Graph
from ...graph.node import Attributes, Value
from ...graph.rules import ShapeError
from ...graph.types import DTYPES, TensorType
from ..base import Sample, sizes
from ..contexts import EvaluationContext
from ..protocols import Generator, NotAffine


@dataclass(frozen=True, slots=True)
class ConstantAttributes(Attributes):
    """Little-endian ``data`` of the whole array, or of the one element that fills ``shape``, which may then be
    symbolic. The ``formula`` gives the same data, if there is one."""

    dtype: str
    shape: Shape
    data: bytes
    formula: Fourier | None = None

    @classmethod
    def of(cls, array: np.ndarray) -> ConstantAttributes:
        """The constant ``array``; if its elements are all equal, it is stored as one element."""
        data = array.tobytes()
        element = data[: array.itemsize]
        if array.size > 0 and data == element * array.size:
            data = element
        return cls(array.dtype.name, array.shape, data)

    @classmethod
    def by(cls, formula: Fourier, dtype: str) -> ConstantAttributes:
        """The table that a formula gives."""
        made = cls.of(formula.table(dtype))
        return cls(dtype, formula.shape, made.data, formula if made.scalar is None else None)

    @property
    def scalar(self) -> float | int | bool | None:
        """The number that fills the constant; None if its elements differ."""
        if len(self.data) != np.dtype(self.dtype).itemsize:
            return None
        return np.frombuffer(self.data, self.dtype)[0].item()

    def array(self, dims: Mapping[str, int]) -> np.ndarray:
        """The elements, with ``shape`` evaluated under ``dims``; read-only."""
        shape = tuple(evaluate(size, dims) for size in self.shape)
        values = np.frombuffer(self.data, self.dtype)
        return np.broadcast_to(values[0], shape) if self.scalar is not None else values.reshape(shape)

    def fields(self) -> dict[str, Any]:
        if self.formula is not None:
            return {"dtype": self.dtype, "fourier": self.formula.fields}
        scalar = self.scalar
        if scalar is None or np.asarray(scalar, self.dtype).tobytes() != self.data:
            return {"dtype": self.dtype, "shape": self.shape, "data": self.data}
        return {"dtype": self.dtype, "shape": self.shape, "value": scalar}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> ConstantAttributes:
        if "fourier" in fields:
            return cls.by(Fourier(*fields["fourier"]), fields["dtype"])
        if "value" not in fields:
            return cls(**fields)
        dtype, shape, value = (fields[name] for name in ("dtype", "shape", "value"))
        if len(fields) > 3:
            raise TypeError("a constant has dtype, shape and value, or dtype, shape and data")
        return cls(dtype, shape, np.asarray(value, dtype).tobytes())


class Constant(Generator):
    """A constant array, or one number in every element."""

    name = "constant"
    attributes = ConstantAttributes
    cheap = True

    def infer(self, attrs: ConstantAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        if attrs.dtype not in DTYPES:
            raise ShapeError(f"constant of an unknown dtype {attrs.dtype!r}")
        itemsize = np.dtype(attrs.dtype).itemsize
        if len(attrs.data) != itemsize and product(attrs.shape) * itemsize != len(attrs.data):
            raise ShapeError(f"constant of shape {attrs.shape} with {len(attrs.data)} bytes of data")
        return [TensorType(attrs.dtype, attrs.shape)]

    def evaluate(
        self, context: EvaluationContext, attrs: ConstantAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        return [attrs.array(context.dims)]

    def number(self, attrs: ConstantAttributes) -> float | int | bool | None:
        return attrs.scalar

    def resized(self, attrs: ConstantAttributes, shape: Shape) -> ConstantAttributes | None:
        return None if attrs.scalar is None else ConstantAttributes(attrs.dtype, shape, attrs.data)

    def table(self, attrs: ConstantAttributes) -> np.ndarray | None:
        return attrs.array({}) if attrs.scalar is None else None

    def formula(self, attrs: ConstantAttributes) -> Fourier | None:
        return attrs.formula

    def emit_at(
        self,
        builder: Any,
        attrs: ConstantAttributes,
        operands: Sequence[Any],
        type: TensorType,
        index: Sequence[Any],
        lanes: int,
    ) -> Any:
        """Only for a constant filled with one number; lowering makes a buffer of any other."""
        if attrs.scalar is None:
            raise NotAffine(self.name)
        return builder.const(attrs.scalar, attrs.dtype, lanes)

    def samples(self) -> Sequence[Sample]:
        ramp = np.arange(6, dtype=np.float32).reshape(2, 3)
        return [
            Sample((), ConstantAttributes.of(ramp)),
            Sample((), ConstantAttributes.of(np.full((3,), 7, np.int64))),
            Sample((), ConstantAttributes.of(np.asarray(True))),
            Sample((), ConstantAttributes.of(np.zeros((0, 2)))),
            Sample((), ConstantAttributes.by(Fourier(3, 3, 5, "hann"), "float32")),
        ]


def constant(graph: Graph, array: np.ndarray) -> Value:
    """Appends the constant ``array``."""
    return graph.apply("constant", attrs=ConstantAttributes.of(array))


def splat(graph: Graph, number: float | int | bool, type: TensorType) -> Value:
    """Appends a constant of ``type`` with ``number`` in every cell."""
    data = np.asarray(number, type.dtype).tobytes()
    return graph.apply("constant", attrs=ConstantAttributes(type.dtype, type.shape, data))


def splat_like(graph: Graph, number: float | int | bool, value: Value) -> Value:
    """Appends a constant of the type of ``value`` with ``number`` in every cell."""
    return splat(graph, number, graph.type(value))


def zeros_like(graph: Graph, value: Value) -> Value:
    """Appends zeros of the type of ``value``."""
    return splat(graph, 0, graph.type(value))


@dataclass(frozen=True, slots=True)
class IotaAttributes(Attributes):
    """Type of the result, and the axis whose index its elements hold."""

    dtype: str
    shape: Shape
    axis: int


class Iota(Generator):
    """Each element is its own index along ``axis``."""

    name = "iota"
    attributes = IotaAttributes
    cheap = True
    positional = False

    def infer(self, attrs: IotaAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        if not 0 <= attrs.axis < len(attrs.shape):
            raise ShapeError(f"iota along axis {attrs.axis} of shape {attrs.shape}")
        if attrs.dtype not in DTYPES or attrs.dtype == "bool":
            raise ShapeError(f"iota of dtype {attrs.dtype!r}")
        return [TensorType(attrs.dtype, attrs.shape)]

    def evaluate(
        self, context: EvaluationContext, attrs: IotaAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        shape = sizes(context, attrs.shape)
        column = [1] * len(shape)
        column[attrs.axis] = -1
        return [np.broadcast_to(np.arange(shape[attrs.axis], dtype=attrs.dtype).reshape(column), shape)]

    def emit_at(
        self,
        builder: Any,
        attrs: IotaAttributes,
        operands: Sequence[Any],
        type: TensorType,
        index: Sequence[Any],
        lanes: int,
    ) -> Any:
        return builder.lane_index(index[attrs.axis], attrs.dtype, lanes)

    def samples(self) -> Sequence[Sample]:
        return [
            Sample((), IotaAttributes("int64", (5,), 0)),
            Sample((), IotaAttributes("float32", (2, 3, 4), 1)),
        ]


@dataclass(frozen=True, slots=True)
class DimValueAttributes(Attributes):
    """The ``size`` whose value is wanted, and the dtype of the result."""

    size: DimLike
    dtype: str


class DimValue(Generator):
    """A size as a scalar, such as the count by which a mean over an open axis divides."""

    name = "dim_value"
    attributes = DimValueAttributes
    cheap = True

    def infer(self, attrs: DimValueAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        if attrs.dtype not in DTYPES or attrs.dtype == "bool":
            raise ShapeError(f"dim_value of dtype {attrs.dtype!r}")
        return [TensorType(attrs.dtype, ())]

    def evaluate(
        self, context: EvaluationContext, attrs: DimValueAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        return [np.asarray(evaluate(attrs.size, context.dims), attrs.dtype)]

    def emit_at(
        self,
        builder: Any,
        attrs: DimValueAttributes,
        operands: Sequence[Any],
        type: TensorType,
        index: Sequence[Any],
        lanes: int,
    ) -> Any:
        return builder.index_value(attrs.size, attrs.dtype, lanes)

    def samples(self) -> Sequence[Sample]:
        return [Sample((), DimValueAttributes(12, "float32")), Sample((), DimValueAttributes(3, "int64"))]
