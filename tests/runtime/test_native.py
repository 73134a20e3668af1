"""The native engine against a small C library that follows the ABI, with one thread and with two."""

import shutil
import signal
import subprocess
import threading

import numpy as np
import pytest

from netwright.runtime.engines.native import NativeEngine
from netwright.runtime.engines.shared import load_shared
from netwright.runtime.errors import ExecutionError
from netwright.runtime.sessions.session import Session
from netwright.specs.manifest import ABI_VERSION, DimInfo, Manifest

from .numpy_engine import buffer

COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler (cc)")

# predict: y = scale·x + bias, computed through the arena, each thread half of the rows, a barrier between;
# labels outside 0…9 give code 1. bump: step += 1.
SOURCE = r"""
#include <stdint.h>
#include <stdatomic.h>
typedef struct {
    const int64_t *dims; void *const *buffers; void *arena; const int64_t *offsets; void *barrier;
} context;

static void wait_all(void *block, int32_t nthreads) {
    if (nthreads == 1) return;
    atomic_int *arrived = block, *generation = (atomic_int *)block + 1;
    int mine = atomic_load(generation);
    if (atomic_fetch_add(arrived, 1) + 1 == nthreads) {
        atomic_store(arrived, 0);
        atomic_fetch_add(generation, 1);
    } else while (atomic_load(generation) == mine) ;
}

int32_t affine_predict(const context *c, int32_t tid, int32_t nthreads) {
    int64_t n = c->dims[0], per = (n + nthreads - 1) / nthreads, end = (tid + 1) * per < n ? (tid + 1) * per : n;
    const float *x = c->buffers[0], *scale = c->buffers[3], *bias = c->buffers[4], *zero = c->buffers[6];
    const int64_t *label = c->buffers[1];
    float *y = c->buffers[2], *scratch = (float *)((char *)c->arena + c->offsets[0]);
    int32_t code = ((uintptr_t)c->arena & 63) ? 99 : 0;
    for (int64_t i = tid * per; i < end; i++)
        for (int j = 0; j < 3; j++) scratch[i * 3 + j] = x[i * 3 + j] * scale[j];
    wait_all(c->barrier, nthreads);
    /* the other thread's rows: wrong unless the barrier held */
    for (int64_t k = tid * per; k < end; k++) {
        int64_t i = n - 1 - k;
        for (int j = 0; j < 3; j++) y[i * 3 + j] = scratch[i * 3 + j] + bias[j] + zero[0];
        if (label[i] < 0 || label[i] > 9) code = 1;
    }
    return code;
}
int64_t affine_predict_plan(const int64_t *dims, int64_t *offsets) {
    offsets[0] = 64;
    return dims[0] == 54321 ? -1 : dims[0] == 12345 ? (int64_t)1 << 60 : 64 + dims[0] * 12;
}
int32_t affine_bump(const context *c, int32_t tid, int32_t nthreads) {
    if (tid == nthreads - 1) *(int64_t *)c->buffers[5] += nthreads;
    return 0;
}
int64_t affine_bump_plan(const int64_t *dims, int64_t *offsets) { return 0; }
static const float bias[3] = {0.5, 0, -1}, scale[3] = {1, 2, 3}, zero[1] = {0};
const void *const affine_data[] = {0, 0, 0, scale, bias, 0, zero};
const char affine_manifest[] = "MANIFEST";
"""


def manifest(abi: int = ABI_VERSION) -> Manifest:
    return Manifest.model_validate(
        {
            "abi": abi,
            "netwright": "0.1.0",
            "model": "affine",
            "target": "native",
            "dims": [DimInfo(name="N")],
            "buffers": [
                buffer("x", "input", "N 3"),
                buffer("label", "input", "N", "int64"),
                buffer("y", "output", "N 3"),
                buffer("layer.scale", "parameter", "3"),
                buffer("layer.bias", "parameter", "3"),
                buffer("optimizer.step", "state", "", "int64"),
                buffer("constant.0", "constant", "1"),
            ],
            "entries": [
                {
                    "name": "predict",
                    "symbol": "affine_predict",
                    "reads": ["x", "label", "layer.scale", "layer.bias", "constant.0"],
                    "writes": ["y"],
                    "slots": 1,
                },
                {
                    "name": "bump",
                    "symbol": "affine_bump",
                    "reads": ["optimizer.step"],
                    "writes": ["optimizer.step"],
                    "slots": 0,
                },
            ],
        }
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    text = manifest().model_dump_json().replace("\\", "\\\\").replace('"', '\\"')
    (folder / "affine.c").write_text(SOURCE.replace("MANIFEST", text))
    path = folder / "affine.so"
    subprocess.run([COMPILER, "-O1", "-shared", "-fPIC", "-o", path, folder / "affine.c"], check=True)
    return path


@pytest.fixture(params=[1, 2], ids=["one-thread", "two-threads"])
def engine(request, library):
    return load_shared(library, threads=request.param)


VALUES = {"layer.scale": np.array([1, 2, 3], np.float32), "layer.bias": np.array([0.5, 0, -1], np.float32)}


def expected(x):
    return x * VALUES["layer.scale"] + VALUES["layer.bias"]


def test_predict(engine):
    session = Session(engine, VALUES)
    for count in (1, 2, 7, 2, 1000, 7, 500_000):  # the last arena is mapped with huge pages
        x = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
        y = session.predict(x=x, label=np.arange(count) % 10)["y"]
        np.testing.assert_array_equal(y, expected(x))
    assert engine.arena_bytes("predict", {"N": 7}) == 64 + 7 * 12


def test_embedded_values_make_a_session(engine):
    session = Session(engine, engine.embedded)
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(session.predict(x=x, label=[0, 1])["y"], expected(x))
    with pytest.raises(ValueError, match="read-only"):
        engine.embedded["layer.scale"][0] = 7


def test_state_is_written_in_place(engine):
    session = Session(engine, VALUES | {"optimizer.step": np.int64(5)})
    for _ in range(3):
        session.run("bump", {})
    assert session.state["optimizer.step"] == 5 + 3 * engine.threads


def test_error_code_becomes_its_text(engine):
    with pytest.raises(
        ExecutionError, match=r"affine.predict: an index in the data is out of range"
    ) as caught:
        Session(engine, VALUES).predict(x=np.zeros((4, 3), np.float32), label=[0, 1, 2, 10])
    assert caught.value.code == 1


def test_two_sessions_share_an_engine(engine):
    one = Session(engine, VALUES)
    two = Session(engine, {name: -array for name, array in VALUES.items()})
    x, label = np.ones((2, 3), np.float32), np.zeros(2, np.int64)
    for _ in range(3):
        np.testing.assert_array_equal(one.predict(x=x, label=label)["y"], expected(x))
        np.testing.assert_array_equal(two.predict(x=x, label=label)["y"], -expected(x))


def test_python_threads_take_turns(engine):
    session, wrong = Session(engine, VALUES), []

    def work(count):
        x = np.full((count, 3), count, np.float32)
        for _ in range(50):
            if not np.array_equal(session.predict(x=x, label=np.zeros(count, np.int64))["y"], expected(x)):
                wrong.append(count)

    threads = [threading.Thread(target=work, args=(count,)) for count in (1, 3, 64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_a_signal_at_any_moment_leaves_the_engine_usable(engine):
    class Alarm(Exception):
        pass

    def ring(number, frame):
        raise Alarm

    session, x = Session(engine, VALUES), np.ones((64, 3), np.float32)
    label, rung = np.zeros(64, np.int64), 0
    before = signal.signal(signal.SIGALRM, ring)
    try:
        for delay in np.linspace(1e-6, 4e-4, 300):
            try:
                signal.setitimer(signal.ITIMER_REAL, delay)
                for _ in range(20):
                    session.predict(x=x, label=label)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Alarm:
                rung += 1
            np.testing.assert_array_equal(session.predict(x=x, label=label)["y"], expected(x))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rung > 0


def test_arrays_are_checked_before_native_code_sees_them(engine):
    good = {
        "x": np.zeros((2, 3), np.float32),
        "label": np.zeros(2, np.int64),
        "y": np.zeros((2, 3), np.float32),
        **VALUES,
    }
    engine.run("predict", {"N": 2}, good)
    frozen = np.zeros((2, 3), np.float32)
    frozen.flags.writeable = False
    for change, message in (
        ({"x": np.zeros((1, 3), np.float32)}, r"'x' must be float32 \[2, 3\], not float32 \[1, 3\]"),
        ({"label": np.zeros(2, np.int32)}, r"'label' must be int64 \[2\], not int32"),
        ({"y": np.zeros((3, 2), np.float32).T}, "'y' must be C-ordered"),
        ({"y": frozen}, "'y' is written, but the array is read-only"),
        ({"layer.bias": np.zeros(4, np.float32)}, r"'layer.bias' must be float32 \[3\]"),
    ):
        with pytest.raises(ExecutionError, match=message):
            engine.run("predict", {"N": 2}, good | change)
    engine.run("predict", {"N": 2}, good)
    with pytest.raises(ExecutionError, match="buffer 'y' was not given"):
        engine.run("predict", {"N": 2}, {name: array for name, array in good.items() if name != "y"})
    with pytest.raises(ExecutionError, match="needs a value for dim N"):
        engine.run("predict", {}, good)


def test_memory_that_does_not_exist_is_refused(engine):
    session = Session(engine, VALUES)
    for count, message in ((12345, "scratch memory"), (54321, "N = 54321 needs more memory than can be")):
        with pytest.raises(ExecutionError, match=message):
            session.predict(x=np.zeros((count, 3), np.float32), label=np.zeros(count, np.int64))
    assert session.predict(x=np.zeros((1, 3), np.float32), label=[0])["y"].shape == (1, 3)


def test_abi_version_is_checked():
    with pytest.raises(ExecutionError, match="compile it again"):
        NativeEngine(manifest(ABI_VERSION + 1), {}, {})


def test_constants_must_come_with_the_code(engine):
    bare = NativeEngine(engine.manifest, {"predict": 1}, {})
    with pytest.raises(ExecutionError, match=r"came without its constant 'constant\.0'"):
        Session(bare, VALUES).predict(x=np.ones((2, 3), np.float32), label=[0, 1])


def test_load_shared_refuses_other_files(tmp_path, library):
    other = tmp_path / "other.so"
    other.write_bytes(b"not a library")
    with pytest.raises(ExecutionError, match="not a shared library"):
        load_shared(other)
    with pytest.raises(ExecutionError, match="no model called 'b'"):
        load_shared(library, model="b")
    source = tmp_path / "plain.c"
    source.write_text("int plain(void) { return 1; }")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", tmp_path / "plain.so", source], check=True)
    with pytest.raises(ExecutionError, match="holds no model"):
        load_shared(tmp_path / "plain.so")
