"""Native streams give the bits of whole sequences, however these are cut; a thousand of them share one program."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import netwright
from netwright.runtime.sessions.stream import Stream

from .bits import differences
from .test_steps import LAYERS, spec


@pytest.mark.parametrize("number", [0, 9])
def test_bits_of_drawn_networks(number: int) -> None:
    assert differences(number, 400) == []


@pytest.fixture(scope="module")
def program() -> netwright.Program:
    return netwright.load(spec(*LAYERS)).compile(entries=["predict"], seed=4, threads=1)


def test_a_thousand_streams_over_one_program(program: netwright.Program) -> None:
    x = np.random.default_rng(6).normal(size=(1000, 24, 3)).astype(np.float32)
    streams = [program.stream() for _ in x]
    answers = np.zeros((1000, 12, 16), np.float32)

    def pushed(number: int, start: int) -> None:
        stream: Stream = streams[number]
        y = stream.push(x=x[number : number + 1, start : start + 6])["y"]
        answers[number, start // 2 : start // 2 + 3] = y[0]

    with ThreadPoolExecutor(
        4
    ) as threads:  # calls of one stream do not overlap, those of different streams do
        for start in range(0, 24, 6):
            list(threads.map(pushed, range(1000), [start] * 1000))
    np.testing.assert_array_equal(answers, program.predict(x=x)["y"])
    assert all(stream.steps == 24 for stream in streams)


def test_another_stream_costs_a_state(program: netwright.Program) -> None:
    program.stream()
    begun = time.thread_time()
    for _ in range(200):
        program.stream()
    assert time.thread_time() - begun < 0.2  # weights are neither copied nor compared
