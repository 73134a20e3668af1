"""Initializers: how a parameter's first values are drawn, each with its exact formula.

Each class is both the model of what a user writes (`he_normal`, or `{type: constant, value: 0.1}`) and the NumPy code
that draws the values. Values are drawn in float64 from the parameter's own random stream and cast at the end, so
float32 and float64 models start from the same numbers.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..one_thread import one_thread
from ..random import Linear, Stream
from .base import Number, Positive, Size, SpecModel, by_name


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Fan-in and fan-out of a weight array.

    `[F, H]` (dense): F and H. `[*kernel, c_in, c_out]` (convolution): the kernel's size times c_in, and times
    c_out. `[H]`: H and H. `[]`: 1 and 1.
    """
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field = prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


class InitializerSpec(SpecModel):
    """Base of the initializers."""

    def draw(self, stream: Stream, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Draws float64 values of the given shape."""
        values = np.empty(shape)
        self.fill(stream, values)
        return values

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        """Draws values in float64, and casts them to the type of the array that they fill."""
        raise TypeError(f"{type(self).__name__} draws nothing")


class Zeros(InitializerSpec):
    """All 0."""

    type: Literal["zeros"] = "zeros"

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        values[...] = 0


class Ones(InitializerSpec):
    """All 1."""

    type: Literal["ones"] = "ones"

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        values[...] = 1


class Constant(InitializerSpec):
    """All `value`."""

    type: Literal["constant"] = "constant"
    value: Number
    """The value of every element."""

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        values[...] = np.float64(self.value)


class Uniform(InitializerSpec):
    """low + (high − low)·u, u uniform in [0, 1)."""

    type: Literal["uniform"] = "uniform"
    low: Number = -0.05
    """The lower bound, inclusive."""
    high: Number = 0.05
    """The upper bound, exclusive."""

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        stream.fill_uniform(values, Linear(self.high - self.low, self.low))


class Normal(InitializerSpec):
    """mean + stddev·z, z standard normal."""

    type: Literal["normal"] = "normal"
    mean: Number = 0.0
    """The mean."""
    stddev: Positive = 0.05
    """The standard deviation."""

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        stream.fill_normal(values, Linear(self.stddev, self.mean))


class TruncatedNormal(InitializerSpec):
    """mean + stddev·z, z standard normal, drawn again until |z| ≤ 2. `stddev` is that of the untruncated
    normal.
    """

    type: Literal["truncated_normal"] = "truncated_normal"
    mean: Number = 0.0
    """The mean."""
    stddev: Positive = 0.05
    """The standard deviation before truncation."""

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        values[...] = self.mean + self.stddev * stream.truncated_normal(values.shape)


class GlorotUniform(InitializerSpec):
    """Uniform in [−l, l), l = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    type: Literal["glorot_uniform"] = "glorot_uniform"

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        _fill_symmetric(stream, values, sqrt(6 / max(1, sum(fans(values.shape)))))


class GlorotNormal(InitializerSpec):
    """Normal with mean 0 and standard deviation sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    type: Literal["glorot_normal"] = "glorot_normal"

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        stream.fill_normal(values, Linear(sqrt(2 / max(1, sum(fans(values.shape))))))


class HeUniform(InitializerSpec):
    """Uniform in [−l, l), l = sqrt(6 / fan_in) (He et al., 2015)."""

    type: Literal["he_uniform"] = "he_uniform"

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        _fill_symmetric(stream, values, sqrt(6 / max(1, fans(values.shape)[0])))


class HeNormal(InitializerSpec):
    """Normal with mean 0 and standard deviation sqrt(2 / fan_in) (He et al., 2015)."""

    type: Literal["he_normal"] = "he_normal"

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        stream.fill_normal(values, Linear(sqrt(2 / max(1, fans(values.shape)[0]))))


class LecunUniform(InitializerSpec):
    """Uniform in [−l, l), l = sqrt(3 / fan_in) (LeCun et al., 1998)."""

    type: Literal["lecun_uniform"] = "lecun_uniform"

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        _fill_symmetric(stream, values, sqrt(3 / max(1, fans(values.shape)[0])))


class LecunNormal(InitializerSpec):
    """Normal with mean 0 and standard deviation sqrt(1 / fan_in) (LeCun et al., 1998)."""

    type: Literal["lecun_normal"] = "lecun_normal"

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        stream.fill_normal(values, Linear(sqrt(1 / max(1, fans(values.shape)[0]))))


class Orthogonal(InitializerSpec):
    """gain·Q, Q with orthonormal rows or columns, whichever are fewer (Saxe et al., 2014).

    All axes but the last are flattened into rows. Q is the orthonormal factor of the QR decomposition of a
    standard normal matrix with at least as many rows as columns, each column's sign chosen so that R's
    diagonal is positive.
    """

    type: Literal["orthogonal"] = "orthogonal"
    gain: Number = 1.0
    """The factor on the orthonormal matrix."""

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        columns = values.shape[-1] if values.shape else 1
        rows = prod(values.shape[:-1])
        normal = stream.normal((max(rows, columns), min(rows, columns)))
        with one_thread():
            q, r = np.linalg.qr(normal)
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        values[...] = (self.gain * (q if rows >= columns else q.T)).reshape(values.shape)


class Identity(InitializerSpec):
    """gain·I on the last two axes, 0 elsewhere; of a convolution's kernel, at its centre cell (each size
    halved).
    """

    type: Literal["identity"] = "identity"
    gain: Number = 1.0
    """The value on the diagonal."""

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        if values.ndim < 2:
            values[...] = np.float64(self.gain)
            return
        values[...] = 0
        centre = tuple(size // 2 for size in values.shape[:-2])
        values[centre] = self.gain * np.eye(*values.shape[-2:])


class Chrono(InitializerSpec):
    """gain·log u, u at equal distances from 1 to steps − 1: biases of gates that keep a state for 2 to `steps` steps
    (after Tallec and Ollivier, 2018, who draw u). With gain −1, biases of gates that let as little in.
    """

    type: Literal["chrono"] = "chrono"
    steps: Annotated[Size, Field(ge=2)]
    """The longest time to remember, in steps."""
    gain: Number = 1.0
    """The factor on the logarithm."""

    def fill(self, stream: Stream, values: NDArray[np.floating]) -> None:
        places = (np.arange(values.size) + 0.5) / max(values.size, 1)
        values[...] = (self.gain * np.log(1 + (self.steps - 2) * places)).reshape(values.shape)


def _fill_symmetric(stream: Stream, values: NDArray[np.floating], limit: float) -> None:
    stream.fill_uniform(values, lambda u: limit * (2 * u - 1))


AnyInitializer = (
    Zeros
    | Ones
    | Constant
    | Uniform
    | Normal
    | TruncatedNormal
    | GlorotUniform
    | GlorotNormal
    | HeUniform
    | HeNormal
    | LecunUniform
    | LecunNormal
    | Orthogonal
    | Identity
    | Chrono
)
Initializer = Annotated[AnyInitializer, Field(discriminator="type"), by_name(AnyInitializer)]
"""An initializer by name, or as an object with arguments."""


def initialize(
    initializers: tuple[InitializerSpec, ...], stream: Stream, shape: tuple[int, ...], dtype: str = "float32"
) -> NDArray[np.floating]:
    """The initial values of a parameter: see ``fill``."""
    values = np.empty(shape, dtype)
    fill(initializers, stream, values)
    return values


def fill(initializers: tuple[InitializerSpec, ...], stream: Stream, values: NDArray[np.floating]) -> None:
    """Draws the initial values of a parameter in float64, and casts them to the type of the array that they fill.

    Several initializers apply to as many equal slices of the last axis (a recurrent layer's gates). Each slice is drawn
    as a separate matrix, from its own part of the stream. Raises `ValueError` if the last axis does not divide evenly.
    """
    if len(initializers) == 1:
        initializers[0].fill(stream, values)
        return
    if not values.shape or values.shape[-1] % len(initializers):
        raise ValueError(f"{values.shape} has no {len(initializers)} equal slices")
    size = values.shape[-1] // len(initializers)
    for i, initializer in enumerate(initializers):
        initializer.fill(stream.part(i), values[..., i * size : (i + 1) * size])
