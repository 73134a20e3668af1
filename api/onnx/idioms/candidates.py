"""What a cluster may be: an ONNX operator with its attributes and constants, and the function it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .evaluation import erf

Function = Callable[[NDArray], NDArray]
#: The name for a normalization over any axes, which ONNX has no operator for.
AXES_NORMALIZATION = "AxesNormalization"


@dataclass(frozen=True)
class Candidate:
    """An operator that a cluster is compared with."""

    op: str
    compute: Function
    attributes: dict[str, Any] = field(default_factory=dict)
    constants: tuple[NDArray, ...] = ()


def activations(f: Function) -> Iterator[Candidate]:
    """Activations that an elementwise function may be. Their parameters are derived from a few of its values."""

    def logistic(x: NDArray) -> NDArray:
        return 0.5 * (1 + np.tanh(0.5 * x))

    def hard(x: NDArray, slope: float, middle: float) -> NDArray:
        return np.clip(slope * x + middle, 0, 1)

    root = np.sqrt(2 / np.pi)
    yield Candidate("Gelu", lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))), {"approximate": "none"})
    inner = lambda x: root * (x + 0.044715 * x**3)  # noqa: E731
    yield Candidate("Gelu", lambda x: 0.5 * x * (1 + np.tanh(inner(x))), {"approximate": "tanh"})
    yield Candidate("HardSwish", lambda x: x * hard(x, 1 / 6, 0.5))
    soft = lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))  # noqa: E731
    yield Candidate("Mish", lambda x: x * np.tanh(soft(x)))
    yield Candidate("Sigmoid", logistic)
    yield Candidate("Softplus", soft)
    yield Candidate("Softsign", lambda x: x / (1 + np.abs(x)))
    at_zero, near_zero, at_one = (float(value) for value in f(np.asarray([0.0, 1e-3, 1.0])))
    if 0 < at_one < 1:
        alpha = float(np.float32(np.log(at_one / (1 - at_one))))
        alpha = round(alpha, 5)
        yield Candidate("Swish", lambda x: x * logistic(alpha * x), {"alpha": alpha})
    slope = round((near_zero - at_zero) * 1e3, 8)
    sixth = abs(slope - 1 / 6) < 1e-7
    slope = 1 / 6 if sixth else slope
    if slope > 0:
        rise, middle = float(slope), round(at_zero, 8)
        yield Candidate("HardSigmoid", lambda x: hard(x, rise, middle), {"alpha": rise, "beta": middle})


def normalizations(
    f: Function, shape: Sequence[int], axis: int, small: Sequence[float]
) -> Iterator[Candidate]:
    """Normalizations along the last axis that a function may be.

    ``small`` are its constants that may be an epsilon. Scale and bias are derived from its values.
    """
    constant = np.ones(shape)
    x = np.random.default_rng(7).normal(size=shape) * 2 + 0.5
    beta = np.ravel(f(constant)[(0,) * (len(shape) - 1)])
    value = f(x)
    for epsilon in (*small, 0.0):

        def centered(x: NDArray, e: float = epsilon) -> NDArray:
            return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + e)

        def scaled(x: NDArray, e: float = epsilon) -> NDArray:
            return x / np.sqrt((x * x).mean(-1, keepdims=True) + e)

        if np.isfinite(beta).all() and beta.size == shape[-1]:
            gamma = np.ravel(((value - beta) / centered(x))[(0,) * (len(shape) - 1)])
            computed = lambda x, g=gamma, b=beta, n=centered: n(x) * g + b  # noqa: E731
            yield Candidate("LayerNormalization", computed, {"axis": axis, "epsilon": epsilon}, (gamma, beta))
        gamma = np.ravel((value / scaled(x))[(0,) * (len(shape) - 1)])
        rooted = lambda x, g=gamma, n=scaled: n(x) * g  # noqa: E731
        yield Candidate("RMSNormalization", rooted, {"axis": axis, "epsilon": epsilon}, (gamma,))

    def softmax(x: NDArray) -> NDArray:
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    yield Candidate("Softmax", softmax, {"axis": axis})


def over_axes(
    f: Function, shape: Sequence[int], axes: Sequence[int], places: Sequence[int], small: Sequence[float]
) -> Iterator[Candidate]:
    """Normalizations over any axes that a function of arrays of this shape may be.

    ``places`` are those axes along which scale and bias vary. Both are derived from its values, with as many axes as
    needed.
    """
    apart = tuple(0 if axis in places else slice(0, 1) for axis in range(len(shape)))
    first = min(places, default=len(shape))

    def read(array: NDArray) -> NDArray:
        kept = array[tuple(slice(None) if axis in places else cut for axis, cut in enumerate(apart))]
        return kept.reshape(kept.shape[first:])

    along = tuple(axes)
    beta = read(f(np.ones(shape)))
    x = np.random.default_rng(7).normal(size=shape) * 2 + 0.5
    value = f(x)
    plain = not places
    for kind in ("layer", "rms"):
        for epsilon in (*small, 0.0):

            def normal(x: NDArray, e: float = epsilon, centered: bool = kind == "layer") -> NDArray:
                x = x - x.mean(along, keepdims=True) if centered else x
                return x / np.sqrt((x * x).mean(along, keepdims=True) + e)

            shift = beta if kind == "layer" else np.zeros_like(beta)
            gamma = read((value - shift) / normal(x))
            computed = lambda x, g=gamma, b=shift, n=normal: n(x) * g + b  # noqa: E731
            attributes: dict[str, Any] = {"kind": kind, "axes": along, "epsilon": epsilon}
            if plain and (abs(gamma - 1) > 1e-6 or abs(shift) > 1e-7):
                continue
            constants = () if plain else (gamma,) if not np.abs(shift).max() > 1e-9 else (gamma, beta)
            yield Candidate(AXES_NORMALIZATION, computed, attributes, constants)
