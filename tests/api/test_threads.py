"""The pool of threads as users meet it: from several Python threads, through forks, at exit, beside other processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import netwright

from ..forked import forked

SPEC = """
netwright: 1
model: images
dims: {N: batch}
inputs: {x: {shape: [N, 12, 12, 3]}}
layers:
  - {name: first, type: conv2d, filters: 32, kernel_size: 3, padding: same, activation: relu}
  - {name: second, type: conv2d, filters: 32, kernel_size: 3, padding: same, activation: relu}
  - {name: pooled, type: global_mean_pool}
  - {name: y, type: dense, units: 10}
outputs: {y: y}
"""
TASKS = Path("/proc/self/task")
on_linux = pytest.mark.skipif(not TASKS.is_dir(), reason="reads /proc")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "images.yaml"
    path.write_text(SPEC)
    return path


def images(count: int) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, 12, 12, 3), np.float32)


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return forked(*arguments, code=code)


@contextmanager
def busy() -> Iterator[None]:
    """As many other processes that compute as there are processors."""
    code = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
    others = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


@on_linux
def test_thousands_of_calls_with_forks_in_between(spec: Path, deep: bool) -> None:
    script = Path(__file__).with_name("threads_stress.py").read_text(encoding="utf-8")
    done = python(script, spec, 10_000 if deep else 3000)
    assert done.returncode == 0, done.stderr
    left, grown, forks = (int(part.split()[-1]) for part in clean(done.stdout))
    assert (left, forks > 0) == (0, True)
    assert grown < 32


def clean(line: str) -> list[str]:
    return [part.replace(" MB", "") for part in line.strip().split(", ")]


def test_results_do_not_depend_on_the_number(spec: Path) -> None:
    model = netwright.load(spec)
    x = images(9)
    one, *others = (
        model.compile(threads=count, seed=1, entries=["predict"]).predict(x=x)["y"]
        for count in (1, 2, 3, 7, 40, None)
    )
    for other in others:
        np.testing.assert_array_equal(one, other)


@on_linux
def test_workers_are_there_for_work_that_pays_and_end_with_the_last_program(spec: Path) -> None:
    code = """
import gc, os, sys, numpy as np, netwright
def count():
    return len(os.listdir("/proc/self/task"))
model = netwright.load(sys.argv[1])
one, two = (model.compile(threads=4, entries=["predict"]) for _ in range(2))
x = np.ones((32, 12, 12, 3), np.float32)
before = count()
tiny = netwright.load(sys.argv[2]).compile(threads=4, entries=["predict"])
tiny.predict(x=np.ones((1, 4), np.float32))
assert count() == before, "work of nanoseconds is not divided"
one.predict(x=x); two.predict(x=x)
assert count() == before + 3, (count(), before)  # shared by all programs
tiny.close(); one.close()
assert count() == before + 3
two.close()
assert count() == before, (count(), before)
for _ in range(20):  # where other processes run, a call may be better alone, but trials come
    two.predict(x=x)
assert count() == before + 3
del two
gc.collect()
assert count() == before, "a program that is gone is closed"
print("well")
"""
    tiny = spec.with_name("tiny.yaml")
    tiny.write_text(
        "netwright: 1\nmodel: tiny\ndims: {N: batch}\ninputs: {x: {shape: [N, 4]}}\n"
        "layers: [{name: y, type: dense, units: 3}]\noutputs: {y: y}\n"
    )
    done = python(code, spec, tiny)
    assert done.stdout == "well\n", done.stderr


def test_the_interpreter_ends_while_others_compute(spec: Path) -> None:
    """Workers asleep, and a Python thread in the middle of a call."""
    code = """
import sys, threading, numpy as np, netwright
program = netwright.load(sys.argv[1]).compile(threads=3, entries=["predict"])
x = np.ones((64, 12, 12, 3), np.float32)
program.predict(x=x)
def work():
    while True:
        program.predict(x=x)
if sys.argv[2] == "running":
    threading.Thread(target=work, daemon=True).start()
print("well", flush=True)
"""
    for moment in ("asleep", "running", "running"):
        done = python(code, spec, moment)
        assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr


def test_python_goes_on_while_native_code_runs(spec: Path) -> None:
    program = netwright.load(spec).compile(threads=2, entries=["predict"])
    x, ticks, done = images(2000), 0, threading.Event()

    def call() -> None:
        program.predict(x=x)
        done.set()

    program.predict(x=x)
    thread = threading.Thread(target=call)
    thread.start()
    while not done.is_set():
        ticks += 1
        time.sleep(0.0005)
    thread.join()
    assert ticks > 3


def test_more_threads_than_processors_do_not_spin(spec: Path) -> None:
    """Processor time, of all threads together: as much as one thread takes, and none between calls."""
    code = """
import sys, time, numpy as np, netwright
program = netwright.load(sys.argv[1]).compile(threads=int(sys.argv[2]), entries=["predict"])
x = np.ones((16, 12, 12, 3), np.float32)
program.predict(x=x)
before = time.process_time()
for _ in range(100):
    program.predict(x=x)
between = time.process_time()
time.sleep(0.5)
print(between - before, time.process_time() - between)
"""
    one, many = (
        [float(text) for text in python(code, spec, count).stdout.split()]
        for count in (1, 4 * (os.cpu_count() or 1))
    )
    assert many[0] < 2 * one[0] + 0.1
    assert many[1] < 0.05


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_an_executable_on_a_busy_machine(spec: Path, deep: bool) -> None:
    program = netwright.load(spec).compile(entries=["predict"], threads=1)
    x = images(64)
    np.save(spec.with_name("x.npy"), x)
    expected = program.predict(x=x)["y"]
    built = spec.with_name("images")
    program.save(built)
    for threads in ["4"] * (20 if deep else 2) + ["1", "auto", "64"]:
        command = [built, "-i", "x=x.npy", "-o", "y.npy", "--threads", threads]
        with busy():
            done = subprocess.run(command, cwd=spec.parent, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        np.testing.assert_allclose(np.load(spec.with_name("y.npy")), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_library_brings_its_own_workers(spec: Path) -> None:
    """Called through Python's runtime, which has no compiler then, and the same on any number."""
    program = netwright.load(spec).compile(entries=["predict"], threads=1)
    x = images(32)
    np.save(spec.with_name("x.npy"), x)
    library = spec.with_name("images.so")
    program.save(library, "shared")
    code = """
import os, sys, numpy as np
from netwright.runtime.sessions.session import Session
from netwright.runtime.engines.shared import load_shared
x = np.load("x.npy")
before = len(os.listdir("/proc/self/task"))
engine = load_shared("images.so", threads=3)
session = Session(engine, engine.embedded)
y = session.predict(x=x)["y"]
assert len(os.listdir("/proc/self/task")) == before + 2
assert "llvmlite" not in sys.modules
child = os.fork()
if child == 0:
    again = session.predict(x=x)["y"]
    os._exit(0 if np.array_equal(again, y) else 1)
assert os.waitpid(child, 0)[1] == 0
engine.close()
assert len(os.listdir("/proc/self/task")) == before
np.save("y.npy", y)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=spec.parent, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(spec.with_name("y.npy")), program.predict(x=x)["y"])
