"""Every elementwise function at zeros, infinities, NaN, denormals and the largest numbers, against NumPy.

The interpreter and native code, in whole vectors and in what is left over. Native code takes denormals for zeros, as
operands and as results, so a denormal may count as one there. The sign of a zero is compared where it is the
function's own: for those that are odd.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest

from netwright.compiler.autodiff import gradients
from netwright.compiler.frontend.equations.functions import JOINT, POINTWISE, SHAPED
from netwright.compiler.frontend.functions.activation import activate
from netwright.compiler.frontend.functions.arithmetic import constant_power, floor_divide, power
from netwright.compiler.frontend.tensor import Tensor
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import FLOATS, TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.protocols import Elementwise
from netwright.compiler.ops.registry import primitives
from netwright.compiler.ops.values.cast import CastAttributes
from netwright.compiler.ops.values.quantize import QuantizeAttributes
from netwright.compiler.ops.values.reduce import ReduceAttributes
from netwright.compiler.pipeline import GRAPH
from netwright.specs.models.activations import ActivationSpec

from ..lowering.engines import run_native
from .references import (
    ARGUMENTS,
    JOINT_REFERENCES,
    ODD,
    REFERENCES,
    ROUNDED,
    Reference,
)


def points(dtype: str) -> np.ndarray:
    info = np.finfo(dtype)
    middle = [1e-30, 1e-8, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 20.0, 100.0, 1e4]
    positive = [
        0.0,
        info.smallest_subnormal,
        info.tiny / 8,
        info.tiny,
        *middle,
        1e20,
        info.max / 2,
        info.max,
        np.inf,
    ]
    return np.array([*positive, *(-x for x in positive), np.nan], dtype)


def pairs(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(points(dtype), points(dtype))
    return x.ravel().copy(), y.ravel().copy()


LOGICAL = {"logical_not", "logical_and", "logical_or", "logical_xor"}
TRIPLES = {"clip"}


def results(build: Callable[..., Tensor], *arrays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the interpreter and native code make of a function of tensors."""
    graph = Graph("f")
    inputs = {f"x{i}": array for i, array in enumerate(arrays)}
    tensors = [
        Tensor(graph, graph.input(name, TensorType(a.dtype.name, a.shape))) for name, a in inputs.items()
    ]
    graph.set_output("y", build(*tensors).value)
    return evaluate(graph, inputs)["y"], run_native(GRAPH.run(graph), inputs, {})["y"]


def flushed(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x)


def precise(reference: Reference, *arrays: np.ndarray) -> np.ndarray:
    """In float64, or of float64's own."""
    with np.errstate(all="ignore"):
        found = np.asarray(reference(*(array.astype(np.float64) for array in arrays)))
        return found if found.dtype == bool else found.astype(arrays[0].dtype)


def same(
    found: np.ndarray, wanted: np.ndarray, tolerance: float, signed: bool, absolute: float = 0
) -> np.ndarray:
    if wanted.dtype == bool:
        return found == wanted
    tiny = float(np.finfo(wanted.dtype).tiny)
    with np.errstate(all="ignore"):
        near = np.abs(found - wanted) <= tolerance * np.abs(wanted) + 4 * tiny + absolute
        near &= np.isfinite(wanted) & np.isfinite(found)
    good = near | (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    if signed:
        good &= (wanted != 0) | (found != 0) | (np.signbit(found) == np.signbit(wanted))
    return good


def check(
    build: Callable[..., Tensor],
    reference: Reference,
    *arrays: np.ndarray,
    signed: bool = False,
    absolute: float = 0,
    where: Callable[..., np.ndarray] | None = None,
    native_where: Callable[..., np.ndarray] | None = None,
) -> None:
    """``where`` leaves out arguments of which nothing is promised."""
    tolerance = 2e-5 if arrays[0].dtype == np.float32 else 1e-11
    kept = np.ones(len(arrays[0]), bool) if where is None else where(*arrays)
    wanted = precise(reference, *arrays)
    interpreted, native = results(build, *arrays)
    good = same(interpreted, wanted, tolerance, signed, absolute) | ~kept
    assert good.all(), [
        (*(a[i] for a in arrays), interpreted[i], wanted[i]) for i in np.flatnonzero(~good)[:5]
    ]
    if native_where is not None:
        kept &= native_where(*arrays)
    good = same(native, wanted, tolerance, signed, absolute)
    for some in range(1 << len(arrays)):  # any of the operands may have been flushed
        operands = [flushed(a) if some >> i & 1 else a for i, a in enumerate(arrays)]
        good |= same(native, precise(reference, *operands), tolerance, signed, absolute)
    good |= ~kept
    assert good.all(), [(*(a[i] for a in arrays), native[i], wanted[i]) for i in np.flatnonzero(~good)[:5]]


def test_every_function_has_a_reference() -> None:
    """A new function is listed here, with NumPy's formula, or this fails."""
    assert {*POINTWISE, *SHAPED, "linear"} - LOGICAL == REFERENCES.keys()
    assert JOINT.keys() - LOGICAL - TRIPLES <= JOINT_REFERENCES.keys()
    kinds = {cls.model_fields["type"].default for cls in _activations()}
    assert kinds - {"softmax", "log_softmax", "hardmax"} <= REFERENCES.keys()


def _activations() -> list[type[ActivationSpec]]:
    return [cls for cls in ActivationSpec.__subclasses__() if "Layer" not in cls.__name__]


@pytest.mark.alike(2)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_functions_of_one_argument(name: str, dtype: str) -> None:
    arguments = ARGUMENTS.get(name, {})
    function = {**POINTWISE, **SHAPED, "linear": lambda x: x}[name]
    check(
        lambda x: function(x, *arguments.values()),
        lambda x: REFERENCES[name](x, *arguments.values()),
        points(dtype),
        signed=name in ODD,
        absolute=2 * np.finfo(dtype).eps if name in ROUNDED else 0,
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("cls", _activations(), ids=lambda cls: cls.__name__)
def test_activations(cls: type[ActivationSpec], dtype: str) -> None:
    spec = cls()
    kind = spec.type  # type: ignore[attr-defined]
    if kind in ("softmax", "log_softmax", "hardmax"):
        pytest.skip("not elementwise")
    keys = [value for name, value in spec.model_dump().items() if name not in ("type", "approximate")]
    check(
        lambda x: activate(x, spec),
        lambda x: REFERENCES[kind](x, *keys),
        points(dtype),
        absolute=2 * np.finfo(dtype).eps if kind in ROUNDED else 0,
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", sorted(JOINT_REFERENCES))
def test_functions_of_two_arguments(name: str, dtype: str) -> None:
    digits = {"float32": 24, "float64": 53}[dtype]
    tiny = np.finfo(dtype).tiny

    def exact(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Quotients of few digits: a remainder is what x − y·⌊x / y⌋ computes, and then no more than that."""
        with np.errstate(all="ignore"):
            quotient = x / y
            few = np.abs(quotient) < 2.0 ** (digits // 3)
            return (
                (few & ((x == 0) | (np.abs(quotient) >= tiny))) | ~np.isfinite(x) | ~np.isfinite(y) | (y == 0)
            )

    function = {**JOINT, "pow": power, "floor_divide": floor_divide}[name]
    quotients = name in ("mod", "fmod", "floor_divide")
    check(
        function,
        JOINT_REFERENCES[name],
        *pairs(dtype),
        where=exact if quotients else _moderate,
        native_where=_no_zero_below if name == "pow" else None,
    )


def _no_zero_below(x: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Negative zeros, and denormals that become such: powers leave their sign out."""
    return ~(np.signbit(x) & (np.abs(x) < np.finfo(x.dtype).tiny))


def _moderate(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Powers that are not near the border of what there are numbers for: |y·log x| has only so many digits."""
    with np.errstate(all="ignore"):
        exponent = np.abs(y.astype(np.float64) * np.log(np.abs(x.astype(np.float64))))
    border = math.log(np.finfo(x.dtype).max)
    return ~((x == 0) & np.signbit(x)) & ~((exponent > border * 0.9) & (exponent < border * 1.2))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("exponent", [0, 1, 2, 3, -1, -2, 0.3, 9, -0.5])
def test_constant_powers(exponent: float, dtype: str) -> None:
    def moderate(x: np.ndarray) -> np.ndarray:
        return _moderate(x, np.full_like(x, exponent)) & ~((exponent == -0.5) & (x == -np.inf))

    check(
        lambda x: constant_power(x, exponent),
        lambda x: np.power(x, float(exponent)),
        points(dtype),
        where=moderate,
        native_where=_no_zero_below,
    )


@pytest.mark.parametrize("dtype", FLOATS)
def test_clip(dtype: str) -> None:
    low, high = np.full(len(points(dtype)), -2.0, dtype), np.full(len(points(dtype)), 1e4, dtype)
    check(lambda x, a, b: JOINT["clip"](x, a, b), np.clip, points(dtype), low, high)


def _primitives() -> list[Elementwise]:
    return [
        one for one in primitives() if isinstance(one, Elementwise) and any(s.operands for s in one.samples())
    ]


@pytest.mark.alike(2)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("primitive", _primitives(), ids=lambda one: one.name)
def test_primitives_in_native_code(primitive: Elementwise, dtype: str) -> None:
    """Every elementwise primitive of the registry, against its own evaluation in NumPy."""
    types = primitive.samples()[0].operands
    floats = [type.dtype in FLOATS for type in types]
    if not any(floats):
        pytest.skip("of truth values")
    if primitive.name == "quantize":
        pytest.skip("gives bytes: tests/quantization compares them exactly")
    if primitive.name == "narrow" and dtype == "float64":
        pytest.skip("takes float32")
    x, y = pairs(dtype)
    drawn = iter([x, y, x[::-1].copy()])
    arrays = [next(drawn) if is_float else np.arange(len(x)) % 3 == 0 for is_float in floats]
    attrs = (
        CastAttributes("float32" if dtype == "float64" else "float64") if primitive.name == "cast" else None
    )
    kept = np.ones(len(x), bool)
    if primitive.name == "cast" and dtype == "float64":
        kept = ~((np.abs(x) > 3e38) & (np.abs(x) < np.inf))  # beyond the other type

    def build(*tensors: Tensor) -> Tensor:
        first, *others = tensors
        return first.apply(primitive.name, *others, attrs=attrs)

    interpreted, native = results(build, *arrays)
    tolerance = 2e-5 if dtype == "float32" else 1e-11
    if interpreted.dtype == np.uint16:  # bfloat16
        np.testing.assert_array_equal(native, interpreted)
        return
    good = same(native, interpreted, tolerance, False) | ~kept
    for some in range(1 << len(arrays)):
        operands = [
            flushed(a) if is_float and some >> i & 1 else a
            for i, (a, is_float) in enumerate(zip(arrays, floats, strict=True))
        ]
        good |= same(native, results(build, *operands)[0], tolerance, False)
    assert good.all(), [
        (*(a[i] for a in arrays), native[i], interpreted[i]) for i in np.flatnonzero(~good)[:5]
    ]


#: Slopes at ∞ and −∞, where the formula has one there.
SLOPES = {
    "tanh": (0, 0),
    "sigmoid": (0, 0),
    "relu": (1, 0),
    "softplus": (1, 0),
    "leaky_relu": (1, 0.1),
    "elu": (1, 0),
    "selu": (1.05, 0),
    "celu": (1, 0),
    "hard_sigmoid": (0, 0),
    "exp": (np.inf, 0),
    "erf": (0, 0),
    "atan": (0, 0),
    "asinh": (0, 0),
    "abs": (1, -1),
    "affine": (2, 2),
    "thresholded_relu": (1, 0),
    "shrink": (1, 1),
    "scaled_tanh": (0, 0),
}


@pytest.mark.alike(2)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", sorted(SLOPES))
def test_slopes_at_infinities(name: str, dtype: str) -> None:
    _check_slopes(name, np.array([np.inf, -np.inf], dtype), np.array(SLOPES[name], dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["sin", "tan", "asin", "atan", "sinh", "asinh", "atanh", "tanh", "softsign"])
def test_slopes_at_zero(name: str, dtype: str) -> None:
    """Odd functions made of |x|: 1 there, not 0."""
    zeros = np.array([0.0, -0.0, 1e-6, -1e-6], dtype)
    wanted = np.ones(4, dtype) if name != "softsign" else 1 / (1 + np.abs(zeros)) ** 2
    _check_slopes(name, zeros, wanted)


def _check_slopes(name: str, x: np.ndarray, wanted: np.ndarray) -> None:
    graph = Graph("f")
    tensor = Tensor(graph, graph.input("x", TensorType(x.dtype.name, x.shape)))
    y = {**POINTWISE, **SHAPED}[name](tensor, *ARGUMENTS.get(name, {}).values())
    graph.set_output("total", graph.apply("reduce", y.value, attrs=ReduceAttributes("sum", (0,))))
    graph, found = gradients(graph, "total", ["x"])
    graph.drop_output("total")
    graph.set_output("slope", found["x"])
    for results in (evaluate(graph, {"x": x}), run_native(GRAPH.run(graph), {"x": x}, {})):
        np.testing.assert_allclose(results["slope"], wanted, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_bytes_of_special_values(dtype: str) -> None:
    """Infinities and what is beyond the bytes become the last ones; NaN becomes the same byte everywhere."""
    x = np.concatenate([points("float32"), -points("float32")]).astype(np.float32)
    attrs = QuantizeAttributes(0.25, 3, dtype)
    interpreted, native = results(lambda value: value.apply("quantize", attrs=attrs), x)
    np.testing.assert_array_equal(native, interpreted)
    info = np.iinfo(dtype)
    assert set(interpreted[np.isposinf(x)]) == {info.max}
    assert set(interpreted[np.isneginf(x)]) == {info.min}
