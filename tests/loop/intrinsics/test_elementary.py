"""Elementary functions: their promised accuracy over dense samples, and their values at the borders."""

import math
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import pytest

from netwright.compiler.loop.checks.verify import verify_function
from netwright.compiler.loop.interpreter.run import run_function
from netwright.compiler.loop.intrinsics.builder import KernelBuilder

COUNT = 400_000
TWO_OVER_ROOT_PI = Decimal("1.1283791670955125738961589031215451716881012586579977136881714434")
Reference = Callable[[np.ndarray], np.ndarray]


def apply(name: str, x: np.ndarray) -> np.ndarray:
    """The function in the loop interpreter, all elements as lanes of one vector."""
    b = KernelBuilder(name, {})
    source = b.buffer("x", str(x.dtype), (x.size,))
    target = b.buffer("y", str(x.dtype), (x.size,), "write")
    b.store(target, (0,), getattr(b, name)(b.load(source, (0,), x.size)))
    function = b.finish()
    verify_function(function)
    y = np.empty_like(x)
    assert run_function(function, {"x": x, "y": y}, {}) == 0
    return y


def precise_erf(x: np.ndarray) -> np.ndarray:
    """erf by its Taylor series, in decimal arithmetic."""

    def one(value: float) -> np.longdouble:
        z = Decimal(min(max(value, -7.0), 7.0))
        term, total, n = z, z, 0
        while abs(term) > abs(total) * Decimal("1e-25"):
            n += 1
            term = -term * z * z / n
            total += term / (2 * n + 1)
        return np.longdouble(str(total * TWO_OVER_ROOT_PI))

    with localcontext() as context:
        context.prec = 60
        return np.array([one(float(value)) for value in x])


REFERENCES: dict[str, Reference] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "sin": np.sin,
    "cos": np.cos,
    "erf": np.vectorize(math.erf, otypes=[np.longdouble]),
}

#: float32: promised error in units in the last place, and the ends of the interval where results are normal.
FLOAT32 = {
    "exp": (4, -87.336, 88.7228),
    "log": (4, 0, 0),
    "tanh": (6, -12, 12),
    "sigmoid": (4, -87.3, 100),
    "erf": (8, -5, 5),
    "sin": (4, -1e5, 1e5),
    "cos": (4, -1e5, 1e5),
}
FLOAT64 = {
    "exp": (8, -708.3, 709.78),
    "log": (8, 0, 0),
    "tanh": (8, -25, 25),
    "sigmoid": (8, -708, 100),
    "erf": (8, -7, 7),
    "sin": (8, -1e9, 1e9),
    "cos": (8, -1e9, 1e9),
}


def samples(dtype: str, low: float, high: float, count: int) -> np.ndarray:
    """Over the interval, around 0 and 1, and of all magnitudes; for an empty interval all positive magnitudes."""
    rng = np.random.default_rng(7)
    info = np.finfo(dtype)
    exponents = rng.integers(info.minexp, info.maxexp, count // 4)
    magnitudes = rng.uniform(1, 2, exponents.size) * 2.0**exponents
    if low == high:
        return np.concatenate(
            [magnitudes, rng.uniform(0.3, 3, count // 2), 1 + np.arange(-99, 99) * 1e-5]
        ).astype(dtype)
    signs = rng.choice([-1, 1], magnitudes.size)
    near = rng.uniform(max(low, -4), min(high, 4), count // 4)
    x = np.concatenate([rng.uniform(low, high, count // 2), near, signs * magnitudes]).astype(dtype)
    return x[(x >= low) & (x <= high) & (np.abs(x) >= info.tiny)]


def error(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """In units in the last place of the exact value."""
    info = np.finfo(found.dtype)
    magnitude = np.maximum(np.abs(exact), np.longdouble(info.tiny))
    unit = np.exp2(np.floor(np.log2(magnitude)) - info.nmant)
    return (np.abs(found.astype(np.longdouble) - exact) / unit).astype(np.float64)


@pytest.mark.parametrize("name", FLOAT32)
def test_float32_accuracy(name: str) -> None:
    promised, low, high = FLOAT32[name]
    x = samples("float32", low, high, COUNT)
    errors = error(apply(name, x), REFERENCES[name](x.astype(np.longdouble)))
    worst = int(np.argmax(errors))
    assert errors[worst] <= promised, x[worst]


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than double")
@pytest.mark.parametrize("name", FLOAT64)
def test_float64_accuracy(name: str) -> None:
    promised, low, high = FLOAT64[name]
    x = samples("float64", low, high, 4000 if name == "erf" else COUNT // 8)
    reference = precise_erf if name == "erf" else REFERENCES[name]
    errors = error(apply(name, x), reference(x.astype(np.longdouble)))
    worst = int(np.argmax(errors))
    assert errors[worst] <= promised, x[worst]


INF, NAN = math.inf, math.nan
BORDERS = {
    "exp": [(0, 1), (-0.0, 1), (INF, INF), (-INF, 0), (NAN, NAN), (1e4, INF), (-1e4, 0)],
    "log": [(1, 0), (0, -INF), (-0.0, -INF), (-1, NAN), (INF, INF), (-INF, NAN), (NAN, NAN)],
    "tanh": [(0, 0), (-0.0, -0.0), (INF, 1), (-INF, -1), (NAN, NAN), (30, 1), (-30, -1)],
    "sigmoid": [(0, 0.5), (INF, 1), (-INF, 0), (NAN, NAN), (40, 1), (-1e4, 0)],
    "erf": [(0, 0), (-0.0, -0.0), (INF, 1), (-INF, -1), (NAN, NAN), (30, 1), (-30, -1)],
    "sin": [(0, 0), (INF, NAN), (NAN, NAN)],
    "cos": [(0, 1), (-INF, NAN), (NAN, NAN)],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BORDERS)
def test_borders(name: str, dtype: str) -> None:
    x, y = (np.array(column, dtype) for column in zip(*BORDERS[name], strict=True))
    found = apply(name, x)
    np.testing.assert_array_equal(found, y)
    if name in ("tanh", "erf"):
        np.testing.assert_array_equal(np.signbit(found[:2]), [False, True])


@pytest.mark.parametrize("name", ["tanh", "erf", "sin", "cos"])
def test_magnitudes_stay_within_one(name: str) -> None:
    assert np.abs(apply(name, np.linspace(-11, 11, COUNT, dtype=np.float32))).max() <= 1


def test_only_floats() -> None:
    b = KernelBuilder("f", {})
    with pytest.raises(TypeError, match="int32"):
        b.exp(b.const(1, "int32"))
