"""Expressions: native code against NumPy, operation by operation and dtype by dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import numpy as np
import pytest

from netwright.compiler.codegen.llvm.statements import write_kernel
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.loop import ir
from netwright.compiler.loop.builder import Builder
from netwright.specs.dims import dim

from .codegen_harness import run_kernel

N = dim("N")
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
FLOATS = ["float32", "float64"]


def samples(dtype: str, seed: int, count: int = 83) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.integers(0, 2, count).astype(bool)
    if dtype in FLOATS:
        x = (rng.standard_normal(count) * 10 ** rng.uniform(-3, 3, count)).astype(dtype)
        x[:8] = [0.0, -0.0, np.inf, -np.inf, np.nan, 0.5, -2.5, 1e30]
        return rng.permutation(x)
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, count, dtype=dtype, endpoint=True)
    x[:6] = [0, 1, info.max, info.min, 7, 100]
    return rng.permutation(x)


#: What is computed of the operands, and its dtype.
Operation: TypeAlias = tuple[Callable[..., ir.Expr], str]


def elementwise(operations: Mapping[str, Operation], source: list[str], lanes: int) -> ir.Function:
    """A kernel out[i] = build(b, x0[i], x1[i], …) over N elements for each operation, ``lanes`` at a time with a
    masked tail."""
    b = Builder("kernel", {"N": 1})
    inputs = [b.buffer(f"x{number}", dtype, (N,)) for number, dtype in enumerate(source)]
    outputs = {name: b.buffer(name, dtype, (N,), "write") for name, (_, dtype) in operations.items()}
    with b.loop("i", 0, N, lanes) as i:
        count = None if lanes == 1 else N - i
        operands = [b.load(x, (i,), lanes, count=count, other=1) for x in inputs]
        for name, (build, _) in operations.items():
            b.store(outputs[name], (i,), build(b, *operands), count=count)
    return b.finish()


def apply_all(
    operations: Mapping[str, Operation], arrays: list[np.ndarray], lanes: int
) -> dict[str, np.ndarray]:
    """The results of all operations by one kernel: most of the time goes into compiling it."""
    kernel = elementwise(operations, [x.dtype.name for x in arrays], lanes)
    out = {name: np.zeros(len(arrays[0]), dtype) for name, (_, dtype) in operations.items()}
    named = {f"x{number}": x for number, x in enumerate(arrays)} | out
    assert run_kernel(kernel, {"N": len(arrays[0])}, named) == 0
    return out


def called(name: str) -> Callable[..., ir.Expr]:
    """What the builder's method of this name makes of the operands."""
    return lambda b, *operands: getattr(b, name)(*operands)


def of_the_first(build: Callable[..., ir.Expr]) -> Callable[..., ir.Expr]:
    """What is computed of the first of several operands."""
    return lambda b, first, *others: build(b, first)


def apply(build, arrays: list[np.ndarray], result: str, lanes: int) -> np.ndarray:
    return apply_all({"out": (build, result)}, arrays, lanes)["out"]


@pytest.mark.parametrize("lanes", [1, 8, 16])
@pytest.mark.parametrize("dtype", FLOATS)
def test_float_operations(dtype: str, lanes: int) -> None:
    x, y = samples(dtype, 1), samples(dtype, 2)
    cases = {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "div": np.divide,
        "max": np.maximum,
        "min": np.minimum,
    }
    unary = {
        "neg": np.negative,
        "abs": np.abs,
        "sqrt": np.sqrt,
        "floor": np.floor,
        "round": np.rint,
    }
    operations: dict[str, Operation] = {name: (called(name), dtype) for name in cases}
    operations |= {name: (of_the_first(called(name)), dtype) for name in unary}
    operations["relu"] = (lambda b, p, q: b.max(p, b.like(0.0, p)), dtype)
    found = apply_all(operations, [x, y], lanes)
    with np.errstate(all="ignore"):
        for name, reference in cases.items():
            np.testing.assert_array_equal(found[name], reference(x, y), err_msg=name)
        for name, reference in unary.items():
            np.testing.assert_array_equal(found[name], reference(x), err_msg=name)
        np.testing.assert_array_equal(found["relu"], np.maximum(x, 0))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_operations(dtype: str) -> None:
    x, y = samples(dtype, 3), samples(dtype, 4)
    cases = {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "max": np.maximum,
        "min": np.minimum,
        "bit_and": np.bitwise_and,
        "bit_or": np.bitwise_or,
        "bit_xor": np.bitwise_xor,
    }
    with np.errstate(all="ignore"):
        for lanes in (1, 16):
            found = apply_all({name: (called(name), dtype) for name in cases}, [x, y], lanes)
            for name, reference in cases.items():
                np.testing.assert_array_equal(found[name], reference(x, y), err_msg=name)
        divisors = (1, 7, 64, 100)
        operations: dict[str, Operation] = {
            "shr": (lambda b, p: b.shr(p, b.like(3, p)), dtype),
            "shl": (lambda b, p: b.shl(p, b.like(3, p)), dtype),
            "logical_not": (called("logical_not"), dtype),
            "abs": (called("abs"), dtype),
        }
        for divisor in divisors:
            operations[f"div{divisor}"] = (lambda b, p, d=divisor: b.div(p, b.like(d, p)), dtype)
            operations[f"rem{divisor}"] = (lambda b, p, d=divisor: b.rem(p, b.like(d, p)), dtype)
        found = apply_all(operations, [x], 16)
        for divisor in divisors:
            exact = np.array([abs(int(v)) // divisor * (1 if v > 0 else -1) for v in x], dtype=dtype)
            np.testing.assert_array_equal(found[f"div{divisor}"], exact)
            np.testing.assert_array_equal(found[f"rem{divisor}"], x - exact * np.array(divisor, dtype))
        np.testing.assert_array_equal(found["shr"], x >> np.array(3, dtype=dtype))
        np.testing.assert_array_equal(found["shl"], x << np.array(3, dtype=dtype))
        np.testing.assert_array_equal(found["logical_not"], ~x)
        np.testing.assert_array_equal(found["abs"], np.abs(x))


def test_division_by_what_may_be_zero_is_refused() -> None:
    x = np.ones(3, np.int32)
    division: Operation = (lambda b, p, q: b.div(p, q), "int32")
    with pytest.raises(TypeError, match="positive constant"):
        write_kernel(elementwise({"out": division}, ["int32"] * 2, 1), "k", host_target())
    assert (apply(lambda b, p: b.div(p, b.like(1, p)), [x], "int32", 1) == x).all()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8", "int64", "uint64"])
def test_compare_and_select(dtype: str) -> None:
    x, y = samples(dtype, 5), samples(dtype, 6)
    y[::3] = x[::3]
    cases = {
        "eq": np.equal,
        "ne": np.not_equal,
        "lt": np.less,
        "le": np.less_equal,
        "gt": np.greater,
        "ge": np.greater_equal,
    }
    selects: dict[str, Operation] = {
        f"select_{name}": (lambda b, p, q, name=name: b.select(getattr(b, name)(p, q), p, q), dtype)
        for name in cases
    }
    for lanes in (1, 16):
        found = apply_all({name: (called(name), "bool") for name in cases} | selects, [x, y], lanes)
        for name, reference in cases.items():
            np.testing.assert_array_equal(found[name], reference(x, y), err_msg=name)
            np.testing.assert_array_equal(
                found[f"select_{name}"], np.where(reference(x, y), x, y), err_msg=name
            )


@pytest.mark.parametrize("source", ["bool", *INTEGERS, *FLOATS])
def test_casts(source: str) -> None:
    x = samples(source, 7)
    targets = ["bool", *INTEGERS, *FLOATS]
    casts: dict[str, Operation] = {
        target: (lambda b, p, target=target: b.cast(p, target), target) for target in targets
    }
    for lanes in (1, 8):
        found = apply_all(casts, [x], lanes)
        for target in targets:
            with np.errstate(all="ignore"):
                if source in FLOATS and target in INTEGERS:  # truncates and saturates; NaN is 0
                    info = np.iinfo(target)
                    want = np.array(
                        [
                            0 if v != v else min(max(int(np.clip(float(v), -1e25, 1e25)), info.min), info.max)
                            for v in x
                        ],
                        dtype=target,
                    )
                else:
                    want = x.astype(target)
            np.testing.assert_array_equal(found[target], want, err_msg=f"{source} to {target}")


def test_bitcast_broadcast_ramp_and_index_values() -> None:
    x = samples("float32", 8)
    got = apply(lambda b, p: b.bitcast(p, "uint32"), [x], "uint32", 16)
    np.testing.assert_array_equal(got, x.view(np.uint32))

    b = Builder("kernel", {"N": 1})
    x_, out = b.buffer("x0", "float32", (N,)), b.buffer("out", "float32", (N, 16), "write")
    with b.loop("i", 0, N) as i:
        scalar = b.broadcast(b.load(x_, (i,)), 16)
        value = b.add(scalar, b.add(b.ramp("float32", 16), b.index_value(i * 2 + 1, "float32", 16)))
        b.store(out, (i, 0), value)
    x = np.arange(5, dtype=np.float32) * 100
    out = np.zeros((5, 16), np.float32)
    assert run_kernel(b.finish(), {"N": 5}, {"x0": x, "out": out}) == 0
    np.testing.assert_array_equal(out, x[:, None] + np.arange(16) + (np.arange(5) * 2 + 1)[:, None])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("lanes", [2, 8, 16])
def test_lanes_are_reduced_in_halves(dtype: str, lanes: int) -> None:
    x = samples(dtype, 9, lanes * 5)
    if dtype != "int32":
        x = np.where(np.isfinite(x), x, 1).astype(dtype)
    for op, reference in {"add": np.add, "max": np.maximum, "min": np.minimum}.items():
        b = Builder("kernel", {"N": 1})
        x_, out = b.buffer("x0", dtype, (N, lanes)), b.buffer("out", dtype, (N,), "write")
        with b.loop("i", 0, N) as i:
            b.store(out, (i,), b.reduce_lanes(op, b.load(x_, (i, 0), lanes)))
        got = np.zeros(5, dtype)
        assert run_kernel(b.finish(), {"N": 5}, {"x0": x, "out": got}) == 0
        want = x.reshape(5, lanes)
        with np.errstate(all="ignore"):
            while want.shape[1] > 1:
                want = reference(want[:, : want.shape[1] // 2], want[:, want.shape[1] // 2 :])
        np.testing.assert_array_equal(got, want[:, 0])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
@pytest.mark.parametrize("order", [(3, 7), (0, 4, 1, 5, 2, 6, 3, 7), (5,)])
def test_lanes_are_picked_from_two_vectors(dtype: str, order: tuple[int, ...]) -> None:
    b = Builder("kernel", {})
    x_, out = b.buffer("x0", dtype, (8,)), b.buffer("out", dtype, (len(order),), "write")
    b.store(out, (0,), b.shuffle(b.load(x_, (0,), 4), b.load(x_, (4,), 4), order))
    x = np.arange(10, 18).astype(dtype)
    got = np.zeros(len(order), dtype)
    assert run_kernel(b.finish(), {}, {"x0": x, "out": got}) == 0
    np.testing.assert_array_equal(got, x[list(order)])


@pytest.mark.parametrize("access", ["read", "readwrite"])
@pytest.mark.parametrize("stride", [2, 3, 4, 5])
@pytest.mark.parametrize("lanes", [2, 4, 16])
def test_loads_of_lanes_that_stand_apart(
    access: Literal["read", "readwrite"], stride: int, lanes: int
) -> None:
    """The last lane is the last element there is."""
    b, size = Builder("kernel", {}), 3 + stride * (lanes - 1) + 1
    x_, out = b.buffer("x0", "float32", (size,), access), b.buffer("out", "float32", (lanes,), "write")
    b.store(out, (0,), b.load(x_, (3,), lanes, stride=stride))
    x, got = np.arange(size, dtype=np.float32), np.zeros(lanes, np.float32)
    assert run_kernel(b.finish(), {}, {"x0": x, "out": got}) == 0
    np.testing.assert_array_equal(got, x[3::stride])


def test_fma_rounds_once() -> None:
    x = np.full(16, 1 + 2.0**-12, dtype=np.float32)
    got = apply(lambda b, p, q: b.fma(p, q, b.like(-1.0, p)), [x, x], "float32", 16)
    exact = np.float32((1 + 2.0**-12) ** 2 - 1)
    np.testing.assert_array_equal(got, np.full(16, exact))
    separate = apply(lambda b, p, q: b.add(b.mul(p, q), b.like(-1.0, p)), [x, x], "float32", 16)
    np.testing.assert_array_equal(separate, x * x - np.float32(1))  # never contracted by itself
