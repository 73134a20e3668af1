"""Philox gives the published words, and those of ``specs.random``."""

import numpy as np
import pytest

from netwright.compiler.loop.checks.verify import verify_function
from netwright.compiler.loop.interpreter.run import run_function
from netwright.compiler.loop.intrinsics.builder import KernelBuilder
from netwright.specs.random import philox4x32


def words(key: tuple[int, int], counters: np.ndarray, static_key: bool = True) -> np.ndarray:
    """Words [4, lanes] for counters [4, lanes]."""
    lanes = counters.shape[1]
    b = KernelBuilder("philox", {})
    source = b.buffer("x", "uint32", (4, lanes))
    target = b.buffer("y", "uint32", (4, lanes), "write")
    counter = [b.load(source, (i, 0), lanes) for i in range(4)]
    for i, word in enumerate(
        b.philox(key if static_key else [b.const(k, "uint32", lanes) for k in key], counter)
    ):
        b.store(target, (i, 0), word)
    function = b.finish()
    verify_function(function)
    found = np.zeros_like(counters)
    assert run_function(function, {"x": counters, "y": found}, {}) == 0
    return found


# Known answers from Random123's kat_vectors.
@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0,) * 4, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0xA4093822, 0x299F31D0),
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_known_answers(key: tuple[int, int], counter: tuple[int, ...], expected: tuple[int, ...]) -> None:
    found = words(key, np.array(counter, np.uint32)[:, None])
    assert found[:, 0].tolist() == list(expected)


def test_same_words_as_numpy() -> None:
    counters = np.random.default_rng(0).integers(0, 2**32, (4, 64), dtype=np.uint32)
    key = (0x12345678, 0xFFFFFFF0)
    expected = philox4x32(key, counters.T).T
    np.testing.assert_array_equal(words(key, counters), expected)
    np.testing.assert_array_equal(words(key, counters, static_key=False), expected)
