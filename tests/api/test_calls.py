"""Calls from Python: the quick way with arrays that are right, and the usual way for all others; arrays for outputs."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import netwright
from netwright.program import Program
from netwright.runtime.errors import ExecutionError, InputError

from ..built_once import built_once

SPEC = {
    "netwright": 1,
    "model": "calls",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 6]}, "word": {"shape": ["N"], "dtype": "int32"}},
    "layers": [
        {"name": "words", "type": "embedding", "input_dim": 5, "output_dim": 6, "inputs": ["word"]},
        {"name": "both", "type": "add", "inputs": ["x", "words"]},
        {"name": "y", "type": "dense", "units": 3, "inputs": ["both"]},
        {"name": "z", "type": "dense", "units": 2, "inputs": ["both"]},
    ],
    "outputs": {"y": "y", "z": "z"},
}
PLAIN = {
    "netwright": 1,
    "model": "plain",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 6]}},
    "layers": [{"name": "y", "type": "dense", "units": 6}],
    "outputs": {"y": "y"},
}


def compiled(spec: dict[str, Any], **options: Any) -> Program:
    with built_once():
        return netwright.load(spec).compile(**{"threads": 1, **options})


@pytest.fixture(scope="module")
def program() -> Program:
    return compiled(SPEC)


@pytest.fixture(scope="module")
def plain() -> Program:
    return compiled(PLAIN)


@pytest.fixture(scope="module")
def reference() -> Program:
    return compiled(PLAIN, engine="reference")


def arrays(count: int, seed: int = 0) -> dict[str, NDArray]:
    random = np.random.default_rng(seed)
    x = random.standard_normal((count, 6)).astype(np.float32)
    return {"x": x, "word": random.integers(0, 5, count).astype(np.int32)}


def prepared(program: Program, count: int) -> Callable[..., int]:
    """The quick way for batches of a size."""
    given = {name: array for name, array in arrays(count).items() if name in program.network.inputs}
    for _ in range(3):
        program.predict(**given)
    latest = program.session._calls["predict"]._latest
    assert latest is not None
    assert latest.function is not None
    return latest.function


def test_the_quick_way_answers_what_the_usual_one_does(program: Program) -> None:
    for count in (1, 4, 1, 9, 4, 4, 1, 1):
        given = arrays(count, seed=count)
        first = compiled(SPEC).predict(**given)  # a program's first call is never quick
        again = program.predict(**given)
        assert list(again) == ["y", "z"]
        for name, answer in first.items():
            np.testing.assert_array_equal(again[name], answer)


VARIANTS: dict[str, Callable[[NDArray], Any]] = {
    "list": lambda x: x.tolist(),
    "float64": lambda x: x.astype(np.float64).round(2),
    "big-endian": lambda x: x.astype(">f4"),
    "columns": lambda x: np.asfortranarray(x),
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "read-only": lambda x: np.frombuffer(x.tobytes(), np.float32).reshape(x.shape),
    "unaligned": lambda x: np.frombuffer(b"\0" + x.tobytes(), np.float32, offset=1).reshape(x.shape),
    "memoryview": memoryview,
    "subclass": lambda x: x.view(np.recarray).view(type("Mine", (np.ndarray,), {})),
    "transposed twice": lambda x: x.T.T,
    "half": lambda x: x.astype(np.float16),
}


@pytest.mark.parametrize("kind", VARIANTS)
@pytest.mark.filterwarnings("ignore::netwright.runtime.errors.RoundingWarning")
def test_any_array_is_read_right(kind: str, plain: Program) -> None:
    prepared(plain, 4)
    given = VARIANTS[kind](arrays(4, seed=7)["x"])
    exact = np.array(given, dtype=np.float32)
    for _ in range(3):
        np.testing.assert_array_equal(plain.predict(x=given)["y"], plain.predict(x=exact)["y"])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (np.zeros((4, 5), np.float32), "axis 1 must be 6"),
        (np.zeros((4, 6, 1), np.float32), "must have 2 axes"),
        (np.zeros((4, 6), np.complex64), "could lose information"),
        (np.float32(1), "must have 2 axes"),
        (np.zeros((0, 6), np.float32), "N must be at least 1"),
        (object(), "could lose information"),
    ],
)
def test_wrong_arrays_are_refused_as_in_a_first_call(given: Any, text: str, plain: Program) -> None:
    prepared(plain, 4)
    with pytest.raises(InputError, match=text):
        plain.predict(x=given)
    with pytest.raises(InputError, match="missing input 'x'"):
        plain.predict()
    with pytest.raises(InputError, match="there is no input 'xs'"):
        plain.predict(xs=given)


def test_a_word_outside_the_vocabulary_is_named(program: Program) -> None:
    prepared(program, 4)
    given = {**arrays(4), "word": np.array([1, 2, 7, 0], np.int32)}
    with pytest.raises(ExecutionError, match="word: sample 2 has the index 7") as caught:
        program.predict(**given)
    assert caught.value.code == 1


def test_outputs_into_arrays_of_the_caller(program: Program, plain: Program) -> None:
    given = arrays(4, seed=3)
    expected = program.predict(**given)
    out = {"z": np.full((4, 2), np.nan, np.float32), "y": np.full((4, 3), np.nan, np.float32)}
    for _ in range(4):
        assert program.predict(**given, out=out) is out
        for name, answer in expected.items():
            np.testing.assert_array_equal(out[name], answer)
            out[name].fill(np.nan)
    y = np.zeros((8, 6), np.float32)
    for part in (y[:4], y[4:], y.view(type("Mine", (np.ndarray,), {}))[2:6]):
        assert plain.predict(x=given["x"], out=part) is part
        np.testing.assert_array_equal(part, plain.predict(x=given["x"])["y"])


def test_the_reference_writes_there_too(reference: Program, plain: Program) -> None:
    x, y = arrays(4)["x"], np.zeros((4, 6), np.float32)
    assert reference.predict(x=x, out=y) is y
    np.testing.assert_allclose(y, plain.predict(x=x)["y"], rtol=1e-5, atol=1e-6)


def read_only(array: NDArray) -> NDArray:
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("calls", [0, 3], ids=["at first", "when prepared"])
@pytest.mark.parametrize(
    ("out", "text"),
    [
        (np.zeros((4, 5), np.float32), r"'y' has the shape \[4, 5\]; it has to be \[4, 6\]"),
        (np.zeros((4, 6)), "'y' is float64; it has to be float32"),
        (np.zeros((4, 6), ">f4"), "'y' is >f4; it has to be float32"),
        (np.zeros((6, 4), np.float32).T, "C-ordered"),
        (np.zeros((8, 6), np.float32)[::2], "C-ordered"),
        (np.frombuffer(bytearray(97), np.float32, offset=1).reshape(4, 6), "C-ordered and aligned"),
        (read_only(np.zeros((4, 6), np.float32)), "'y' is read-only"),
        ([[0.0] * 6] * 4, r"has to be a NumPy array, such as np.empty\(\(4, 6\), np.float32\), not list"),
        ({"y": np.zeros((4, 6), np.float32), "w": np.zeros(1)}, "there is no output 'w'"),
        ({"w": np.zeros((4, 6), np.float32)}, "there is no output 'w'"),
        ({}, "out lacks an array for 'y'"),
    ],
)
def test_unfit_outputs_are_refused(out: Any, text: str, calls: int) -> None:
    program, x = compiled(PLAIN), arrays(4)["x"]
    for _ in range(calls):
        program.predict(x=x)
    with pytest.raises(InputError, match=text):
        program.predict(x=x, out=out)


@pytest.mark.parametrize("calls", [0, 3], ids=["at first", "when prepared"])
def test_outputs_share_no_memory(calls: int) -> None:
    program, memory = compiled(PLAIN), np.zeros((7, 6), np.float32)
    for _ in range(calls):
        program.predict(x=memory[:4])
    with pytest.raises(InputError, match="'y' shares memory with the input 'x'; give it a copy"):
        program.predict(x=memory[:4], out=memory[3:])
    both, given, pair = compiled(SPEC), arrays(2), np.zeros(10, np.float32)
    for _ in range(calls):
        both.predict(**given)
    with pytest.raises(InputError, match="'z' shares memory with the output 'y'"):
        both.predict(**given, out={"y": pair[:6].reshape(2, 3), "z": pair[5:9].reshape(2, 2)})
    with pytest.raises(InputError, match="outputs 'y', 'z': out has to be a dict"):
        both.predict(**given, out=pair)
    memory[:4] = arrays(4)["x"]
    out = {"y": pair[:6].reshape(2, 3), "z": pair[6:].reshape(2, 2)}  # next to each other
    np.testing.assert_array_equal(both.predict(**given, out=out)["y"], both.predict(**given)["y"])


def test_an_input_called_out_is_an_input() -> None:
    spec = {**PLAIN, "model": "outs", "inputs": {"out": {"shape": ["N", 6]}}}
    program, x = compiled(spec), arrays(4)["x"]
    assert program.predict(out=x)["y"].shape == (4, 6)
    with pytest.raises(InputError, match="missing input 'out'"):
        program.predict()


def test_nothing_is_kept(program: Program) -> None:
    given, out = arrays(4), {"y": np.zeros((4, 3), np.float32), "z": np.zeros((4, 2), np.float32)}
    function = prepared(program, 4)
    wrong = {**given, "word": np.full(4, 9, np.int32)}
    held = [*given.values(), *out.values(), *wrong.values()]
    before = [sys.getrefcount(array) for array in held]
    for _ in range(1000):
        program.predict(**given, out=out)
        assert function(given["x"], given["word"], out["y"], out["y"]) == -1  # refused after some were taken
        assert function(given["x"]) == function(1, 2, 3, 4) == -1
    for _ in range(10):
        with pytest.raises(ExecutionError):
            program.predict(**wrong)
    gc.collect()
    assert [sys.getrefcount(array) for array in held] == before


def test_a_program_outlives_its_scratch_memory() -> None:
    program, x = compiled(PLAIN), arrays(4)["x"]
    expected = program.predict(x=x)["y"]
    prepared(program, 4)
    program.close()
    for _ in range(3):
        np.testing.assert_array_equal(program.predict(x=x)["y"], expected)


def test_weights_that_change_are_read(plain: Program) -> None:
    program, x = compiled(PLAIN), arrays(4)["x"]
    prepared(program, 4)
    program.session.assign({name: array * 2 for name, array in program.weights.items()})
    np.testing.assert_allclose(program.predict(x=x)["y"], plain.predict(x=x)["y"] * 2, rtol=1e-6)


LARGE = {
    **PLAIN,
    "model": "large",
    "inputs": {"x": {"shape": ["N", 32, 32, 16]}},
    "layers": [
        {"name": "a", "type": "conv2d", "filters": 32, "kernel_size": 3, "padding": "same"},
        {"name": "b", "type": "conv2d", "filters": 32, "kernel_size": 3, "padding": "same"},
        {"name": "y", "type": "global_mean_pool"},
    ],
}


def large(count: int) -> NDArray:
    return np.random.default_rng(count).standard_normal((count, 32, 32, 16), np.float32)


@pytest.mark.parametrize("threads", [1, 2])
def test_several_threads_call_at_once(threads: int) -> None:
    program = compiled(LARGE, threads=threads)
    batches = [large(count) for count in (1, 2, 3, 1)]  # the scratch memory moves
    expected = [program.predict(x=batch)["y"] for batch in batches]
    wrong: list[int] = []

    def call(number: int) -> None:
        out = np.zeros_like(expected[number])
        for _ in range(20):
            out.fill(0)
            program.predict(x=batches[number], out=out)
            if not np.array_equal(out, expected[number]):
                wrong.append(number)

    callers = [threading.Thread(target=call, args=[number]) for number in range(len(batches))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_python_runs_on_meanwhile() -> None:
    program, batch = compiled(LARGE), large(64)
    prepared_calls = [program.predict(x=batch) for _ in range(3)]
    assert len(prepared_calls) == 3
    counted, ended = 0, threading.Event()

    def count() -> None:
        nonlocal counted
        while not ended.is_set():
            time.sleep(0.001)
            counted += 1

    beside = threading.Thread(target=count)
    beside.start()
    began, before = time.monotonic(), counted
    while time.monotonic() - began < 0.2:
        program.predict(x=batch)
    during = counted - before
    ended.set()
    beside.join()
    assert during >= 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_calls_on(plain: Program) -> None:
    x = arrays(4)["x"]
    prepared(plain, 4)
    expected = plain.predict(x=x)["y"]
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(plain.predict(x=x)["y"], expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_computes_in_memory_of_its_own() -> None:
    program, batch = compiled(LARGE), large(64)
    assert program.session.engine.arena_bytes("predict", {"N": 64}) > 4 << 20  # mapped, not allocated
    expected, doubled = program.predict(x=batch)["y"], program.predict(x=batch * 2)["y"]
    child = os.fork()
    given, answer = (batch, expected) if child else (batch * 2, doubled)
    right = all(np.array_equal(program.predict(x=given)["y"], answer) for _ in range(10))
    if not child:
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert right


def test_lengths_of_each_call_count() -> None:
    spec = {
        "netwright": 1,
        "model": "lengths",
        "dims": {"N": "batch", "T": "time"},
        "inputs": {"x": {"shape": ["N", "T", 3], "lengths": "n"}, "n": {"shape": ["N"], "dtype": "int64"}},
        "layers": [{"name": "y", "type": "gru", "units": 4, "return_sequences": False}],
        "outputs": {"y": "y"},
    }
    program, first = compiled(spec), compiled(spec, engine="reference")
    x = np.random.default_rng(0).standard_normal((3, 9, 3)).astype(np.float32)
    for lengths in ([1, 2, 3], [9, 1, 1], [1, 1, 1], [4, 9, 2], [2, 2, 2]):
        n = np.array(lengths)
        np.testing.assert_allclose(
            program.predict(x=x, n=n)["y"], first.predict(x=x, n=n)["y"], rtol=1e-5, atol=1e-6
        )
    for lengths in ([1, 10, 1], [-1, 1, 1], [2**62, 1, 1]):
        with pytest.raises(ExecutionError, match=r"n: sample \d has the length"):
            program.predict(x=x, n=np.array(lengths))
    assert program.session._calls["predict"]._latest is not None
