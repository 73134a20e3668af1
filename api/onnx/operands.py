"""The values that names of an ONNX graph stand for during an import: known or computed.

A computed tensor has the *logical* axes of ONNX and is *held* in another order: images with logical axes [N, C, H, W]
are held as [N, H, W, C], since features are last here. The order in which a value is held can change freely, so a
Transpose, Squeeze or Unsqueeze costs nothing, and two that cancel leave no trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Dim, DimLike, Shape

from .fold.ratio import Ratio
from .stored import Constants


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Known:
    """A value that is known at import time. An object array contains numbers that depend on open sizes: Dims and, for
    floats, Ratios of them.
    """

    array: NDArray
    dtype: str
    name: str = ""
    """Its name in the ONNX file."""

    @classmethod
    def of(cls, array: NDArray, name: str = "") -> Known:
        """A value without open sizes."""
        return cls(array, str(array.dtype), name)

    @property
    def shape(self) -> Shape:
        return self.array.shape

    @property
    def is_open(self) -> bool:
        """Whether it depends on open sizes."""
        return self.array.dtype == object


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor computed at run time.

    Axis i of the layer's output is the logical axis ``axes[i]``, or an axis of size 1 without a logical one (None).
    Logical axes of size 1 may be missing in ``axes``.
    """

    ref: str
    dtype: str
    shape: Shape
    axes: tuple[int | None, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def held_shape(self) -> Shape:
        """The shape of the layer's output."""
        return tuple(1 if axis is None else self.shape[axis] for axis in self.axes)


@dataclass(frozen=True, slots=True)
class Merged:
    """A deferred Flatten, which joins the trailing axes of ``source`` into one.

    A dense layer after it reads the source as it is held and reorders the rows of its kernel instead.
    """

    source: Held
    shape: Shape
    start: int
    """The first logical axis of the source that is joined."""

    @property
    def dtype(self) -> str:
        return self.source.dtype

    @property
    def rank(self) -> int:
        return len(self.shape)


@dataclass(frozen=True, slots=True)
class Vacant:
    """A tensor without elements that has open sizes besides its 0. Nothing can be computed with it, but others can be
    appended.
    """

    dtype: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Listed:
    """A sequence of tensors: ``items``, or the parts of ``whole`` along its first axis, whose number may be open."""

    element: str
    """The element type of its tensors."""
    items: tuple[Tensor, ...] = ()
    whole: Tensor | None = None

    @property
    def dtype(self) -> str:
        return f"seq({self.element})"

    @property
    def shape(self) -> Shape:
        return ()

    @property
    def count(self) -> DimLike:
        """How many tensors there are."""
        return len(self.items) if self.whole is None else self.whole.shape[0]


Tensor = Known | Held | Merged | Vacant
Value = Tensor | Listed


class KnownConstants(Mapping[str, Known]):
    """A graph's constants as values. The same object is returned as long as somebody holds it."""

    def __init__(self, constants: Constants):
        self._constants = constants
        self._alive: WeakValueDictionary[str, Known] = WeakValueDictionary()
        self._kept: list[Known] = []

    def __getitem__(self, name: str) -> Known:
        value = self._alive.get(name)
        if value is None:
            value = self._alive[name] = Known.of(self._constants[name], name)
            if not self._constants.is_stored(name):
                self._kept.append(value)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._constants)

    def __len__(self) -> int:
        return len(self._constants)

    def __contains__(self, name: object) -> bool:
        return name in self._constants


def dims_array(sizes: Shape | list[DimLike]) -> NDArray:
    """Sizes as an int64 array, or as an object array if some are open."""
    if any(isinstance(size, Dim) for size in sizes):
        array = np.empty(len(sizes), object)
        array[:] = list(sizes)
        return array
    return np.array(sizes, np.int64)


def known_dims(array: NDArray, dtype: str = "int64", name: str = "") -> Known:
    """The result of arithmetic with open sizes; a plain array if none is left."""
    if array.dtype == object and not any(
        isinstance(size, Dim) or (isinstance(size, Ratio) and size.is_open) for size in array.flat
    ):
        with np.errstate(all="ignore"):
            array = array.astype(np.float64 if dtype.startswith("float") else dtype).astype(dtype)
    return Known(array, dtype, name)


def is_one(size: DimLike) -> bool:
    """Whether a size is certainly 1."""
    return isinstance(size, int) and size == 1


def empty(shape: Shape, dtype: str) -> Known | Vacant:
    """The tensor without elements for a shape that has a 0."""
    if any(isinstance(size, Dim) for size in shape):
        return Vacant(dtype, tuple(shape))
    return Known.of(np.zeros(tuple(int(size) for size in shape), dtype))  # type: ignore[arg-type]
