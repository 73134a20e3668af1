"""Random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) in NumPy.

The generator is counter-based: a number depends only on its key and counter, never on earlier draws. The key is
`key_for(seed, path)`, so every layer's parameter and every dropout has its own stream; the counter names the element.
The interpreter, the shuffling of samples and the initializers draw from here; native code computes the same words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)
ROUNDS = 10

#: The stream that shuffles the samples of an epoch.
SHUFFLE = "data.train"
#: The stream that shuffles batches of samples of similar lengths.
SHUFFLE_BATCHES = "data.batches"
#: The stream that splits are drawn from.
SPLIT = "data.split"
#: The streams that order the samples of each class: this and the class's number.
BALANCE = "data.balance"
Key = tuple[int, int]
#: How many samples of an order are drawn together.
_PIECE = 1 << 16
#: How many counters of a stream are computed together.
_PAIRS = 1 << 13

Change: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Changes each number by itself."""
OfPairs: TypeAlias = Callable[
    [NDArray[np.float64], NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]
]


def philox4x32(key: Key, counter: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Philox4x32-10: random bits `[..., 4]` uint32 for counters `[..., 4]` uint32 under a key of two 32-bit
    words.
    """
    words = np.asarray(counter, dtype=np.uint32).astype(np.uint64)
    return np.stack(_philox(key, *(words[..., i] for i in range(4))), axis=-1).astype(np.uint32)


def _philox(
    key: Key, c0: NDArray[np.uint64], c1: NDArray[np.uint64], c2: NDArray[np.uint64], c3: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """The four words of each result, for the four of each counter."""
    k0, k1 = key
    for _ in range(ROUNDS):
        left, right = c0 * _M0, c2 * _M1
        c0 = right >> _SHIFT
        c0 ^= c1
        c0 ^= np.uint64(k0)
        right &= _LOW
        c2 = left >> _SHIFT
        c2 ^= c3
        c2 ^= np.uint64(k1)
        left &= _LOW
        c1, c3 = right, left
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    return c0, c1, c2, c3


def key_for(seed: int, path: str) -> Key:
    """The key of the stream at `path` (such as `enc.kernel`): the same on every machine and in every version.

    It is blake2b's 8-byte digest of the seed (64 bits, little-endian) and the path's UTF-8 bytes, read as two
    little-endian words.
    """
    digest = hashlib.blake2b(
        (seed & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little") + path.encode(), digest_size=8
    ).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def uniform_float32(bits: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Uniform in [0, 1): the high 24 of each word's 32 bits, times 2⁻²⁴."""
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def uniform_float64(high: NDArray[np.uint32], low: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Uniform in [0, 1): the high 53 bits of the 64-bit number `high·2³² + low`, times 2⁻⁵³."""
    return _float64(high.astype(np.uint64), low.astype(np.uint64))


def _float64(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.float64]:
    both = high << _SHIFT
    both |= low
    both >>= np.uint64(11)
    return both.astype(np.float64) * 2.0**-53


def normals(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two standard normals from two uniforms by Box and Muller: sqrt(−2 ln(1 − u₁))·(cos 2πu₂, sin 2πu₂)."""
    radius = np.sqrt(-2 * np.log1p(-first))
    angle = 2 * np.pi * second
    return radius * np.cos(angle), radius * np.sin(angle)


@dataclass(frozen=True, slots=True)
class Linear:
    """mean + deviation·x; without a mean deviation·x."""

    deviation: float
    mean: float | None = None

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.deviation * x if self.mean is None else self.mean + self.deviation * x


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of random numbers: a key, and the upper half of the counter. The lower half counts elements.

    Each counter yields two float64: elements 2i and 2i + 1 of an array in row-major order come from counter i.
    """

    key: Key
    upper: tuple[int, int] = (0, 0)

    @classmethod
    def at(cls, seed: int, path: str) -> Stream:
        """The stream of a path (a parameter's full name) under a seed."""
        return cls(key_for(seed, path))

    def part(self, index: int) -> Self:
        """The stream of one part, such as a gate's slice. Parts are independent of each other and of the whole."""
        return replace(self, upper=(index + 1, self.upper[1]))

    def attempt(self, index: int) -> Self:
        """The stream for another attempt at drawing the same elements."""
        return replace(self, upper=(self.upper[0], index))

    def pairs(self, counters: NDArray[np.uint64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Both uniforms of each of these counters."""
        upper = (np.full_like(counters, word) for word in self.upper)
        c0, c1, c2, c3 = _philox(self.key, counters & _LOW, counters >> _SHIFT, *upper)
        return _float64(c0, c1), _float64(c2, c3)

    def pairs_from(self, start: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Both uniforms of each of ``count`` counters from ``start`` on."""
        return self.pairs(np.arange(start, start + count, dtype=np.uint64))

    def uniform(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Uniform float64 in [0, 1)."""
        values = np.empty(shape)
        self.fill_uniform(values)
        return values

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Standard normal float64."""
        values = np.empty(shape)
        self.fill_normal(values)
        return values

    def fill_uniform(self, values: NDArray[np.floating], change: Change | None = None) -> None:
        """Fills an array of any type with what ``change`` makes of uniform float64 in [0, 1)."""
        self._fill(values, lambda first, second: (first, second), change)

    def fill_normal(self, values: NDArray[np.floating], change: Linear | None = None) -> None:
        """Fills an array of any type with what ``change`` makes of standard normal float64."""
        self._fill(values, normals, change)

    def _fill(self, values: NDArray[np.floating], of_pairs: OfPairs, change: Change | None) -> None:
        """Fills an array with what ``of_pairs`` makes of uniforms, changed: piece by piece, so that what is computed on
        the way stays in the cache.
        """
        flat = flattened(values)
        piece = np.empty((min(_PAIRS, (flat.size + 1) // 2), 2))
        for start in range(0, (flat.size + 1) // 2, _PAIRS):
            place = flat[2 * start : 2 * (start + _PAIRS)]
            count = (place.size + 1) // 2
            piece[:count, 0], piece[:count, 1] = of_pairs(*self.pairs_from(start, count))
            numbers = piece.reshape(-1)[: place.size]
            place[...] = numbers if change is None else change(numbers)
        if not np.may_share_memory(flat, values):
            values[...] = flat.reshape(values.shape)

    def normals_at(self, elements: NDArray[np.int64]) -> NDArray[np.float64]:
        """The elements of these numbers of what ``normal`` returns."""
        counters, place = np.divmod(elements.astype(np.uint64), np.uint64(2))
        first, second = normals(*self.pairs(counters))
        return np.where(place, second, first)

    def truncated_normal(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Standard normal float64, each element drawn again (attempt 1, 2, …) until it is within [−2, 2]."""
        values = self.normal(shape).reshape(-1)
        outside = np.flatnonzero(np.abs(values) > 2)
        attempt = 0
        while outside.size:
            attempt += 1
            drawn = self.attempt(attempt).normals_at(outside)
            values[outside] = drawn
            outside = outside[np.abs(drawn) > 2]
        return values.reshape(shape)


def flattened(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """The elements of an array in one axis: the same ones, if they lie in order, else others that are not set."""
    return values.reshape(-1) if values.flags.c_contiguous else np.empty(values.size, values.dtype)


def permutation(seed: int, path: str, epoch: int, count: int) -> NDArray[np.int64]:
    """The order of `count` samples in an epoch: sorted by 64 random bits per sample, ties by position."""
    keys = permutation_keys(key_for(seed, path), epoch, count)
    return np.argsort(keys, kind="stable").astype(np.int64, copy=False)


def permutation_keys(key: Key, epoch: int, count: int) -> NDArray[np.uint64]:
    """The 64 random bits of each sample that `permutation` sorts them by."""
    stream = Stream(key, (0, epoch))
    keys = np.empty(count, dtype=np.uint64)
    for start in range(
        0, count, _PIECE
    ):  # all at once, the words on the way would take ten times as much memory
        words = np.arange(start, min(start + _PIECE, count), dtype=np.uint64)
        counter = np.empty((len(words), 4), dtype=np.uint32)
        counter[:, 0], counter[:, 1] = words & _LOW, words >> _SHIFT
        counter[:, 2], counter[:, 3] = stream.upper
        bits = philox4x32(stream.key, counter).astype(np.uint64)
        keys[start : start + _PIECE] = (bits[:, 0] << _SHIFT) | bits[:, 1]
    return keys


def sample_uniforms(key: Key, epoch: int, rows: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Uniform float64 in [0, 1), `[rows, count]`: the numbers that belong to each sample in an epoch, whatever other
    samples are asked for. Numbers 2i and 2i + 1 of a sample come from the counter (i, row low, row high, epoch).
    """
    half, numbers = (count + 1) // 2, rows.astype(np.uint64)
    drawn = np.empty((len(rows) * half, 2))
    for start in range(0, len(drawn), _PAIRS):
        samples, c0 = np.divmod(
            np.arange(start, min(start + _PAIRS, len(drawn)), dtype=np.uint64), np.uint64(half)
        )
        words = numbers[samples.astype(np.int64)]
        w0, w1, w2, w3 = _philox(key, c0, words & _LOW, words >> _SHIFT, np.full_like(c0, epoch))
        drawn[start : start + _PAIRS, 0], drawn[start : start + _PAIRS, 1] = (
            _float64(w0, w1),
            _float64(w2, w3),
        )
    return drawn.reshape(len(rows), 2 * half)[:, :count]
