"""Whether native streams give a sequence's bits, however it is cut into chunks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import numpy as np
from numpy.typing import NDArray

import netwright
from netwright.runtime.sessions.stream import Stream

from .networks import drawn


def pushed(stream: Stream, x: NDArray, sizes: Sequence[int]) -> NDArray:
    """The answers to a sequence in chunks of these sizes, put together."""
    ends = np.cumsum((0, *sizes))
    assert ends[-1] == x.shape[1]
    parts = [stream.push(x=x[:, start:end]).get("y") for start, end in pairwise(ends)]
    answered = [part for part in parts if part is not None]
    if answered[-1].ndim < 3:
        return answered[-1]
    return np.concatenate(answered, 1)


def chunks(steps: int, random: Random) -> list[int]:
    """Sizes of chunks: many short ones, and some long ones."""
    sizes: list[int] = []
    while (left := steps - sum(sizes)) > 0:
        sizes.append(min(left, random.choice((1, 1, 1, 2, 3, 7, 8, 9, 33, 250))))
    return sizes


def differences(number: int, steps: int, dtype: str = "float32") -> list[str]:
    """In what the answers of a drawn network differ: step by step, in chunks, and as a whole."""
    spec = drawn(number)
    spec["inputs"]["x"]["dtype"] = dtype
    program = netwright.load(spec).compile(entries=["predict"], seed=number, threads=1)
    random, found = Random(number), []
    for samples in (1, 3):
        one = program.stream()
        length = -(-steps // one.group) * one.group
        shape = (samples, length, spec["inputs"]["x"]["shape"][2])
        x = np.random.default_rng(number).normal(size=shape).astype(dtype)
        whole = program.predict(x=x)["y"]
        answers = {
            "single steps": pushed(one, x, [1] * length),
            "chunks": pushed(program.stream(), x, chunks(length, random)),
            "one chunk": pushed(program.stream(), x, [length]),
        }
        for name, array in answers.items():
            if array.shape != whole.shape:
                found.append(f"{number}, {samples} samples: {name} {array.shape}, not {whole.shape}")
            elif not np.array_equal(array, whole, equal_nan=True):
                differing = np.mean(array != whole)
                found.append(f"{number}, {samples} samples: {name} differ in {differing:.1%} of the answers")
    return found
