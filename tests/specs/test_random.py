"""Random bits against the published known answers, and the initializers against their formulas."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from netwright.specs.models.initializers import (
    Chrono,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Identity,
    LecunNormal,
    LecunUniform,
    Normal,
    Ones,
    Orthogonal,
    TruncatedNormal,
    Uniform,
    Zeros,
    fans,
    initialize,
)
from netwright.specs.random import Stream, key_for, permutation, philox4x32, uniform_float32, uniform_float64


@pytest.mark.parametrize(
    ("key", "counter", "bits"),
    [
        ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0xA4093822, 0x299F31D0),
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_known_answers(key, counter, bits) -> None:
    assert tuple(philox4x32(key, np.array(counter, dtype=np.uint32))) == bits


def test_counters_are_independent_of_their_arrangement() -> None:
    counters = np.arange(48, dtype=np.uint32).reshape(3, 4, 4)
    bits = philox4x32((1, 2), counters)
    assert bits.shape == (3, 4, 4)
    for index in np.ndindex(3, 4):
        assert (philox4x32((1, 2), counters[index]) == bits[index]).all()


def test_keys_are_stable() -> None:
    assert key_for(0, "a.kernel") == key_for(0, "a.kernel")
    assert len({key_for(seed, path) for seed in (0, 1, 2**63) for path in ("a", "b", "a.b", "")}) == 12
    assert key_for(7, "enc.kernel") == (897295412, 1987978307)


def test_numbers_are_stable() -> None:
    first = Stream.at(7, "enc.kernel").uniform((3,))
    assert [value.hex() for value in first] == [
        "0x1.3bc4ec7d732b0p-3",
        "0x1.c71849957f1f2p-2",
        "0x1.6e8e369aca745p-1",
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("initializer", [GlorotUniform(), HeNormal(), Orthogonal(), Normal(mean=1.0)])
def test_values_fill_whatever_holds_them(initializer, dtype) -> None:
    """An array that does not lie in order, and one of more than one piece."""
    shape = (260, 130)
    wanted = initializer.draw(Stream.at(2, "w"), shape).astype(dtype)
    held = np.full((*shape[:1], 3 * shape[1]), 7, dtype)
    initializer.fill(Stream.at(2, "w"), held[:, 130:260])
    np.testing.assert_array_equal(held[:, 130:260], wanted)
    assert (held[:, :130] == 7).all()
    assert (held[:, 260:] == 7).all()
    together = initialize((initializer, Zeros(), initializer), Stream.at(2, "w"), held.shape, dtype)
    for gate in (0, 2):
        part = initializer.draw(Stream.at(2, "w").part(gate), shape).astype(dtype)
        np.testing.assert_array_equal(together[:, 130 * gate : 130 * (gate + 1)], part)


def test_uniforms_are_below_one() -> None:
    top = np.array([0xFFFFFFFF, 0], dtype=np.uint32)
    assert uniform_float32(top).tolist() == [1 - 2**-24, 0]
    assert uniform_float64(top, top).tolist() == [1 - 2**-53, 0]


def test_a_stream_does_not_depend_on_the_shape() -> None:
    stream = Stream.at(3, "p")
    assert (stream.uniform((4, 5)).ravel() == stream.uniform((21,))[:20]).all()
    assert (stream.normal((3,)) == stream.normal((4,))[:3]).all()
    assert (stream.part(0).uniform((9,)) != stream.uniform((9,))).any()
    assert stream.uniform((0, 3)).shape == (0, 3)


def test_permutations() -> None:
    first, again, other = (permutation(5, "shuffle", epoch, 1000) for epoch in (1, 1, 2))
    assert sorted(first) == list(range(1000))
    assert (first == again).all()
    assert (first != other).any()
    assert permutation(5, "shuffle", 0, 0).tolist() == []


def test_large_permutations_sort_the_bits_of_all_samples() -> None:
    """Bits are drawn piece by piece, which must not show: here are all of them at once."""
    count, epoch = (1 << 16) + 9, 3
    counter = np.zeros((count, 4), np.uint32)
    counter[:, 0], counter[:, 3] = np.arange(count), epoch
    bits = philox4x32(key_for(5, "shuffle"), counter).astype(np.uint64)
    order = np.argsort((bits[:, 0] << np.uint64(32)) | bits[:, 1], kind="stable")
    np.testing.assert_array_equal(permutation(5, "shuffle", epoch, count), order)


def test_fans() -> None:
    assert fans((3, 4)) == (3, 4)
    assert fans((5, 5, 3, 8)) == (75, 200)
    assert fans((7,)) == (7, 7)
    assert fans(()) == (1, 1)


@pytest.mark.parametrize(
    ("initializer", "low", "high", "deviation"),
    [
        (Uniform(low=-1, high=3), -1, 3, 4 / math.sqrt(12)),
        (Normal(mean=0, stddev=2), -math.inf, math.inf, 2),
        (TruncatedNormal(stddev=0.5), -1, 1, 0.5 * 0.8796),
        (GlorotUniform(), -math.sqrt(6 / 500), math.sqrt(6 / 500), math.sqrt(2 / 500)),
        (GlorotNormal(), -math.inf, math.inf, math.sqrt(2 / 500)),
        (HeUniform(), -math.sqrt(6 / 200), math.sqrt(6 / 200), math.sqrt(2 / 200)),
        (HeNormal(), -math.inf, math.inf, math.sqrt(2 / 200)),
        (LecunUniform(), -math.sqrt(3 / 200), math.sqrt(3 / 200), math.sqrt(1 / 200)),
        (LecunNormal(), -math.inf, math.inf, math.sqrt(1 / 200)),
    ],
    ids=lambda value: getattr(value, "type", None),
)
def test_distributions(initializer, low, high, deviation) -> None:
    values = initializer.draw(Stream.at(1, "w"), (200, 300))
    assert values.dtype == np.float64
    assert low <= values.min()
    assert values.max() <= high
    assert values.std() == pytest.approx(deviation, rel=0.02)
    centre = (low + high) / 2 if math.isfinite(low) else 0
    assert values.mean() == pytest.approx(centre, abs=0.03 * deviation)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (3, 2, 4)])
def test_orthogonal(shape) -> None:
    values = Orthogonal(gain=2).draw(Stream.at(1, "w"), shape).reshape(-1, shape[-1]) / 2
    rows, columns = values.shape
    product = values.T @ values if rows >= columns else values @ values.T
    assert np.allclose(product, np.eye(min(rows, columns)))


def test_identity() -> None:
    # Gates at these biases keep a state for 2, 4 and 6 steps, and let in as little.
    keep = 1 / (1 + np.exp(-Chrono(steps=7).draw(Stream.at(0, ""), (3,))))
    np.testing.assert_allclose(1 / (1 - keep), [1 + 11 / 6, 1 + 3.5, 1 + 31 / 6])
    np.testing.assert_allclose(Chrono(steps=7, gain=-1).draw(Stream.at(0, ""), (3,)), np.log(1 / keep - 1))
    assert (Identity(gain=3).draw(Stream.at(0, ""), (2, 3)) == 3 * np.eye(2, 3)).all()
    kernel = Identity().draw(Stream.at(0, ""), (3, 2, 2))
    assert (kernel[1] == np.eye(2)).all()
    assert kernel.sum() == 2


def test_gates_are_their_own_matrices() -> None:
    stream = Stream.at(0, "lstm.recurrent_kernel")
    values = initialize((Orthogonal(),) * 4, stream, (8, 32), "float64")
    for gate in np.split(values, 4, axis=1):
        assert np.allclose(gate @ gate.T, np.eye(8))
    bias = initialize((Zeros(), Ones(), Zeros(), Zeros()), stream, (12,))
    assert bias.dtype == np.float32
    assert bias.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    with pytest.raises(ValueError):
        initialize((Zeros(), Ones()), stream, (3,))


def test_orthogonal_values_do_not_depend_on_processors() -> None:
    """OpenBLAS divides a decomposition among as many threads as there are processors, and rounds other sums then."""
    code = (
        "import hashlib\nfrom netwright.specs.models.initializers import Orthogonal\n"
        "from netwright.specs.random import Stream\n"
        "values = Orthogonal().draw(Stream.at(0, 'w'), (700, 700))\n"
        "print(hashlib.sha256(values.tobytes()).hexdigest())"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(answers) == 1
