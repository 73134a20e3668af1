"""Threads that stay on processors of their own, where that is asked for."""

from __future__ import annotations

import os
import sys
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
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="threads are pinned on Linux alone")
CODE = """
import os, sys, numpy as np, netwright
def affinities():
    return sorted((sorted(os.sched_getaffinity(int(task))) for task in os.listdir("/proc/self/task")), key=str)
own = sorted(os.sched_getaffinity(0))
model = netwright.load(sys.argv[1])
free, single = (model.compile(threads=count, seed=1, entries=["predict"]) for count in (2, 1))
x = np.ones((32, 12, 12, 3), np.float32)
free.predict(x=x)
assert affinities() == [own, own], "nothing is pinned unless it is asked for"
pinned = model.compile(threads=2, pin=True, seed=1, entries=["predict"])
for _ in range(20):
    assert np.array_equal(pinned.predict(x=x)["y"], single.predict(x=x)["y"])
assert affinities() == [own[:1], own[1:2]], affinities()
child = os.fork()
if child == 0:
    same = np.array_equal(pinned.predict(x=x)["y"], single.predict(x=x)["y"])
    os._exit(0 if same and all(len(one) == 1 for one in affinities()) else 1)
assert os.waitpid(child, 0)[1] == 0
for program in (free, pinned):
    program.close()
assert affinities() == [own[:1]]
print("well")
"""

CHANGES = """
import os, sys, time, numpy as np, netwright
def tasks():
    return [int(task) for task in os.listdir("/proc/self/task")]
def call():
    for _ in range(20):
        time.sleep(0.0003)  # so that the worker sleeps, and is called all the same
        assert np.array_equal(two.predict(x=x)["y"], expected)
own = sorted(os.sched_getaffinity(0))
model = netwright.load(sys.argv[1])
two, single = (model.compile(threads=count, seed=1, entries=["predict"]) for count in (2, 1))
x = np.ones((32, 12, 12, 3), np.float32)
expected = single.predict(x=x)["y"]
call()
assert len(tasks()) == 2
for allowed in (own, own[:1], own[1:], own):
    for task in tasks():
        os.sched_setaffinity(task, allowed)
    call()
    until = time.monotonic() + 30  # a worker that comes too late for a call takes back what it may use, too
    while any(sorted(os.sched_getaffinity(task)) != allowed for task in tasks()):
        assert time.monotonic() < until, allowed
two.close()
print("well")
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "images.yaml"
    path.write_text(SPEC)
    return path


@on_linux
@pytest.mark.skipif(len(getattr(os, "sched_getaffinity", lambda _: [])(0)) < 2, reason="needs two processors")
def test_each_thread_has_a_processor_of_its_own(spec: Path) -> None:
    done = forked(spec, code=CODE)
    assert done.stdout == "well\n", done.stderr


@on_linux
@pytest.mark.skipif(len(getattr(os, "sched_getaffinity", lambda _: [])(0)) < 2, reason="needs two processors")
def test_where_threads_may_run_is_up_to_the_user(spec: Path) -> None:
    """Also while the program runs: the pool sends a worker to other processors, and leaves nothing changed."""
    done = forked(spec, code=CHANGES)
    assert done.stdout == "well\n", done.stderr


@on_linux
def test_the_command_line(spec: Path) -> None:
    program = netwright.load(spec).compile(threads=1, seed=1, entries=["predict"])
    x = np.ones((32, 12, 12, 3), np.float32)
    np.save(spec.with_name("x.npy"), x)
    program.save_weights(spec.with_name("w.safetensors"))
    files = ["images.yaml", "--weights", "w.safetensors", "-i", "x=x.npy", "-o", "y.npy"]
    done = forked("run", *files, "--threads", 2, "--pin", cwd=spec.parent)
    if (os.cpu_count() or 1) > 1:
        assert done.returncode == 0, done.stderr
        np.testing.assert_array_equal(np.load(spec.with_name("y.npy")), program.predict(x=x)["y"])


@on_linux
def test_more_threads_than_processors_are_refused(spec: Path) -> None:
    with pytest.raises(netwright.RequestError, match="pin: 1000 threads need as many processors"):
        netwright.load(spec).compile(threads=1000, pin=True)
