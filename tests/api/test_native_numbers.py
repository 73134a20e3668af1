"""Numbers by compiled code are those of NumPy, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import netwright
from netwright.compiler.frontend.network import initial_values
from netwright.specs.random import Linear, Stream, normals
from netwright.weights import native_numbers
from netwright.weights import network as network_weights
from netwright.weights.native_numbers import COUNTERS, NativeStream, native_stream

#: Elements: whole calls, and some that fill half of one.
SIZES = (4 * COUNTERS, 7 * COUNTERS + 5)


def filled(stream: Stream, size: int, change: Linear | None, dtype: str = "float32") -> np.ndarray:
    values = np.empty(size, dtype)
    stream.fill_normal(values, change)
    return values


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "change",
    [
        None,
        Linear(0.02),
        Linear(-3.0, 0.5),
        Linear(3e-7, 1.0),
        Linear(1e-30),
        Linear(1e-18),
        Linear(1e38),
        Linear(0.0, 2.0),
    ],
)
def test_normals(size: int, change: Linear | None) -> None:
    native, numpy = native_stream(3, "a.kernel").part(1), Stream.at(3, "a.kernel").part(1)
    with np.errstate(over="ignore"):
        given, wanted = filled(native, size, change), filled(numpy, size, change)
    np.testing.assert_array_equal(given.view(np.uint32), wanted.view(np.uint32))


def test_threads() -> None:
    wanted = filled(Stream.at(6, "t"), SIZES[1], Linear(0.5))
    for threads in (2, 3):
        np.testing.assert_array_equal(filled(native_stream(6, "t", threads), SIZES[1], Linear(0.5)), wanted)


@pytest.mark.parametrize("size", SIZES)
def test_float64(size: int) -> None:
    native, numpy = native_stream(4, "b").attempt(2), Stream.at(4, "b").attempt(2)
    np.testing.assert_array_equal(native.uniform((size,)), numpy.uniform((size,)))
    np.testing.assert_array_equal(native.normal((size,)), numpy.normal((size,)))
    np.testing.assert_array_equal(native.truncated_normal((size,)), numpy.truncated_normal((size,)))


def test_far_counters() -> None:
    native, numpy = native_stream(5, "c"), Stream.at(5, "c")
    for start in (2**32 - COUNTERS // 2, 2**40):
        for given, wanted in zip(
            native.pairs_from(start, COUNTERS), numpy.pairs_from(start, COUNTERS), strict=True
        ):
            np.testing.assert_array_equal(given, wanted)


def test_numpy_decides_where_bounds_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    normals_at = NativeStream.normals_at

    def counted(stream: NativeStream, elements: np.ndarray) -> np.ndarray:
        asked.append(elements.size)
        return normals_at(stream, elements)

    monkeypatch.setattr(NativeStream, "normals_at", counted)
    wanted = filled(Stream.at(1, "d"), 2**18, Linear(0.1))
    for tolerance in (native_numbers.TOLERANCE, 2.0**-26, 2.0**-20):
        monkeypatch.setattr(native_numbers, "TOLERANCE", tolerance)
        np.testing.assert_array_equal(filled(native_stream(1, "d"), 2**18, Linear(0.1)), wanted)
    few, more, most = asked
    assert few < 2**18 / 1000 < more < most


def test_our_numbers_are_closer_than_the_tolerance() -> None:
    """Errors as large as the tolerance would give another float32 for one number in 30,000."""
    native, numpy, others, count = native_stream(8, "e"), Stream.at(8, "e"), 0, 2**21
    assert native.session is not None
    for start in range(0, count // 2, COUNTERS):
        given = {
            "words": np.array([*native.key, 0, 0, start], np.uint64),
            "linear": np.array([0.0, 1.0, 0.0]),
        }
        bounds = native.session.run("normals", given)
        np.testing.assert_array_equal(bounds["lower"], bounds["upper"])
        exact = np.stack(normals(*numpy.pairs_from(start, COUNTERS)), axis=-1).reshape(-1)
        others += np.count_nonzero(bounds["lower"] != exact.astype(np.float32))
    assert others < count / 30_000 / 10


def test_a_network_of_many_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_weights, "_MANY", 1)
    layers = [
        {"name": "a", "type": "dense", "units": 300, "kernel_init": "he_normal", "bias_init": "normal"},
        {"name": "b", "type": "dense", "units": 280},
        {"name": "c", "type": "reshape", "shape": ["N", 10, 28]},
        {"name": "d", "type": "lstm", "units": 130, "kernel_init": "glorot_normal"},
        {"name": "e", "type": "dense", "units": 300, "kernel_init": "truncated_normal"},
    ]
    spec = {
        "netwright": 1,
        "model": "many",
        "dims": {"N": "batch"},
        "inputs": {"x": {"shape": ["N", 200]}},
        "layers": layers,
        "outputs": {"y": "e"},
    }
    model = netwright.load(spec)
    weights = model.compile(entries=["predict"], seed=7).weights
    for name, array in initial_values(model.network, 7).items():
        np.testing.assert_array_equal(weights[name], array)
        assert weights[name].dtype == array.dtype
