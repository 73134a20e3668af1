"""Engines on several threads: signals in the middle of calls, forks while others call, workers that are taken."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

from netwright.runtime.sessions.session import Session

from .harness import Model

SPEC: dict[str, Any] = {
    "netwright": 1,
    "model": "stacked",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 24]}},
    "layers": [
        *({"name": f"d{number}", "type": "dense", "units": 32, "activation": "tanh"} for number in range(6)),
        {"name": "head", "type": "dense", "units": 3},
    ],
    "outputs": {"y": "head"},
}


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(SPEC)


def session(model: Model, threads: int) -> Session:
    return Session(model.new_engine(threads), model.weights())


def given(count: int) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(count).standard_normal((count, 24), np.float32)}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_a_signal_at_any_moment_leaves_the_engine_usable(model: Model) -> None:
    class Alarm(Exception):
        pass

    armed = False

    def ring(number: int, frame: object) -> None:
        nonlocal armed
        if armed:  # the timer may run out while it is being switched off
            armed = False
            raise Alarm

    own, inputs, rung = session(model, 3), given(64), 0
    expected = session(model, 1).predict(**inputs)["y"]
    before = signal.signal(signal.SIGALRM, ring)
    try:
        for delay in np.linspace(1e-6, 2e-3, 300):
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, delay)
                for _ in range(20):
                    own.predict(**inputs)
                armed = False
            except Alarm:
                rung += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            np.testing.assert_array_equal(own.predict(**inputs)["y"], expected)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rung > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_computes_whatever_its_parent_was_at(model: Model) -> None:
    """Forked while other threads are in calls of the same engine, which they hold, and have its workers."""
    own, inputs = session(model, 2), given(64)
    expected = own.predict(**inputs)["y"]
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            own.predict(**inputs)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                same = all(np.array_equal(own.predict(**inputs)["y"], expected) for _ in range(5))
                os._exit(0 if same else 1)
            deadline = time.monotonic() + 30
            while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
                if time.monotonic() > deadline:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    pytest.fail("a child hangs")
                time.sleep(0.002)
            assert ended[1] == 0
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_engines_of_one_process_take_turns_with_the_workers(model: Model) -> None:
    """Two engines called at once: one has the workers, the other computes alone; nobody waits and all is the same."""
    owns, counts = [session(model, 4) for _ in range(3)], (1, 33, 200)
    expected = [session(model, 1).predict(**given(count))["y"] for count in counts]
    wrong: list[int] = []

    def work(own: Session, count: int, want: np.ndarray) -> None:
        inputs = given(count)
        for _ in range(300):
            if not np.array_equal(own.predict(**inputs)["y"], want):
                wrong.append(count)

    threads = [threading.Thread(target=work, args=each) for each in zip(owns, counts, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_engine_that_was_closed_computes_again(model: Model) -> None:
    own, inputs = session(model, 2), given(16)
    expected = own.predict(**inputs)["y"]
    for _ in range(3):
        assert isinstance(own.engine, type(model.engine()))
        own.engine.close()
        np.testing.assert_array_equal(own.predict(**inputs)["y"], expected)
