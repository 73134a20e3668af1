"""Small C programs that use the general form of a library, with embedded and with given weights; and misuse."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright.artifacts.files import Request, save
from netwright.specs.manifest import BAD_NUMBERS, MISSING_POINTER, READ_ONLY_CONTENTS

from .conftest import TINY, samples

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
STRICT = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

#: What the header says, for the entries of this model: every call is planned, with an arena of its own.
CALLS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tiny.h"

static int64_t dims[TINY_DIMS] = {6};
static void *buffers[TINY_BUFFERS];
static int64_t offsets[64];
static char barrier[64];

typedef int32_t entry(const netwright_context *, int32_t, int32_t);
typedef int64_t plan(const int64_t *, int64_t *);

static int32_t call(entry *run, plan *lay_out) {
    int64_t bytes = lay_out(dims, offsets);
    if (bytes < 0) return -1;
    char *memory = malloc((size_t)bytes + 64);
    netwright_context context;
    context.dims = dims;
    context.buffers = buffers;
    context.arena = memory + (64 - (uintptr_t)memory % 64) % 64;
    context.offsets = offsets;
    context.barrier = memset(barrier, 0, sizeof barrier);
    int32_t code = run(&context, 0, 1);
    free(memory);
    return code;
}

#define CALL(name) call(tiny_##name##_entry, tiny_##name##_plan)

/* Memory of one's own for a buffer: what a file has, a copy of what was there, or zeros. */
static void own(int number, const char *path) {
    size_t bytes = (size_t)tiny_bytes(number, dims);
    void *memory = calloc(1, bytes + 1);
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (path && (!file || fread(memory, 1, bytes, file) != bytes || getc(file) != EOF)) exit(9);
    if (file) fclose(file);
    if (!path && buffers[number]) memcpy(memory, buffers[number], bytes);
    buffers[number] = memory;
}

static void put(int number, const char *path) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(buffers[number], 1, (size_t)tiny_bytes(number, dims), file) == 0 || fclose(file)) exit(9);
}

static void inputs(void) {
    own(TINY_BUFFER_X, "x.bin");
    own(TINY_BUFFER_T, "t.bin");
    own(TINY_BUFFER_Y, NULL);
    own(TINY_BUFFER_LOSS_NUMERATOR, NULL);
    own(TINY_BUFFER_LOSS_COUNT, NULL);
    own(TINY_BUFFER_METRIC_ACCURACY_NUMERATOR, NULL);
    own(TINY_BUFFER_METRIC_ACCURACY_COUNT, NULL);
}

static void expect(int32_t code, int32_t wanted) {
    if (code == wanted) return;
    fprintf(stderr, "%d (%s) instead of %d\n", (int)code, tiny_error(code), (int)wanted);
    exit(1);
}
"""

EMBED = r"""
static void embedded(void) {
    for (int i = 0; i < TINY_BUFFERS; i++)
        if (tiny_embedded()->contents[i]) buffers[i] = (void *)(uintptr_t)tiny_embedded()->contents[i];
}
"""

EMBEDDED = r"""
int main(void) {
    if (tiny_missing()) return 3;
    embedded();
    inputs();
    expect(CALL(predict), 0);
    put(TINY_BUFFER_Y, "y.bin");
    return 0;
}
"""

EMBEDDED_THEN_WRITTEN = r"""
int main(void) {
    embedded();
    inputs();
    for (int i = 0; i < TINY_BUFFERS; i++)
        if (!buffers[i]) own(i, NULL);
    expect(CALL(prepare), 19);
    expect(CALL(train_step), 19);
    expect(CALL(loss), 0);
    expect(CALL(predict), 0);
    put(TINY_BUFFER_Y, "y.bin");
    return 0;
}
"""

TRAINED_COPIES = r"""
int main(void) {
    embedded();
    inputs();
    for (int i = 0; i < TINY_BUFFERS; i++) own(i, NULL);
    for (int step = 0; step < 3; step++) expect(CALL(train_step), 0);
    expect(CALL(prepare), 0);
    expect(CALL(predict), 0);
    put(TINY_BUFFER_Y, "y.bin");
    return 0;
}
"""

GIVEN = r"""
int main(void) {
    inputs();
    expect(CALL(predict), 17);
    expect(CALL(prepare), 17);
    own(TINY_BUFFER_HIDDEN_KERNEL, "hidden.kernel.bin");
    own(TINY_BUFFER_HIDDEN_BIAS, "hidden.bias.bin");
    own(TINY_BUFFER_HEAD_KERNEL, "head.kernel.bin");
    own(TINY_BUFFER_HEAD_BIAS, "head.bias.bin");
    expect(CALL(predict), 17); /* nothing is packed yet */
    own(TINY_BUFFER_PACKED_0, NULL);
    expect(CALL(prepare), 0);
    expect(CALL(predict), 0);
    put(TINY_BUFFER_Y, "y.bin");
    return 0;
}
"""

WRONG = r"""
int main(void) {
    static char memory[1 << 20];
    static int64_t barrier_of_two[9];
    char *arena = memory + (64 - (uintptr_t)memory % 64) % 64;
    int64_t none[1] = {0}, negative[1] = {-5}, huge[1] = {INT64_MAX};
    (void)call;
    (void)put;
    netwright_context good = {dims, buffers, arena, offsets, NULL}, bad;
    embedded();
    inputs();
    if (tiny_predict_plan(dims, offsets) > (1 << 19)) return 9;
    expect(tiny_predict_entry(&good, 0, 1), 0);
    expect(tiny_predict_entry(NULL, 0, 1), 17);
    expect(tiny_predict_entry(&good, 0, 0), 18);
    expect(tiny_predict_entry(&good, 1, 1), 18);
    expect(tiny_predict_entry(&good, -1, 1), 18);
    expect(tiny_predict_entry(&good, 0, 2), 17); /* two threads meet at a barrier */
    expect(tiny_run(tiny_predict_entry, &good, 2), 0); /* without one it is one thread's */
    expect(tiny_run(tiny_predict_entry, NULL, 2), 17);
    bad = good, bad.barrier = barrier_of_two;
    expect(tiny_run(tiny_predict_entry, &bad, 0), 0);
    expect(tiny_run(tiny_predict_entry, &bad, 3), 0);
    expect(tiny_run(tiny_predict_entry, &bad, 1 << 20), 0);
    bad.barrier = (char *)barrier_of_two + 4;
    expect(tiny_predict_entry(&bad, 0, 2), 18);
    expect(tiny_run(tiny_predict_entry, &bad, 2), 0);
    expect(tiny_stop(), 0);
    expect(tiny_stop(), 0);
    bad = good, bad.dims = NULL;
    expect(tiny_predict_entry(&bad, 0, 1), 17);
    bad = good, bad.buffers = NULL;
    expect(tiny_predict_entry(&bad, 0, 1), 17);
    bad = good, bad.arena = NULL;
    expect(tiny_predict_entry(&bad, 0, 1), 17);
    bad = good, bad.arena = arena + 4;
    expect(tiny_predict_entry(&bad, 0, 1), 18);
    bad = good, bad.offsets = NULL;
    expect(tiny_predict_entry(&bad, 0, 1), 17);
    bad = good, bad.dims = none;
    expect(tiny_predict_entry(&bad, 0, 1), 18);
    bad = good, bad.dims = negative;
    expect(tiny_predict_entry(&bad, 0, 1), 18);
    for (int i = 0; i < TINY_BUFFERS; i++) {
        void *before = buffers[i];
        buffers[i] = NULL;
        int32_t code = tiny_predict_entry(&good, 0, 1);
        if (code != 0 && code != 17) return 4;
        buffers[i] = before;
    }
    if (tiny_predict_plan(huge, offsets) >= 0 || tiny_bytes(TINY_BUFFER_Y, huge) >= 0) return 5;
    if (tiny_bytes(-1, dims) >= 0 || tiny_bytes(TINY_BUFFERS, dims) >= 0) return 6;
    expect(tiny_predict_entry(&good, 0, 1), 0);
    return 0;
}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library with weights in `embedded`, the one without in `given`, and arrays as bytes beside them."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "tiny.yaml").write_text(TINY.replace("units: 8", "units: 80").replace("[N, 4]", "[N, 40]"))
    model = netwright.load(folder / "tiny.yaml")
    program = model.compile()
    program.save_weights(folder / "w.safetensors")
    for kind, weights in (("embedded", program.weights), ("given", None)):
        place = folder / kind
        place.mkdir()
        save(model.load, model.network, weights, place / "tiny.so", Request("shared"))
        x = np.random.default_rng(1).normal(size=(6, 40)).astype(np.float32)
        arrays = {"x": x, "t": samples(6, 1)["t"], **program.weights}
        for name, array in arrays.items():
            (place / f"{name}.bin").write_bytes(np.ascontiguousarray(array).tobytes())
    return folder


def run(folder: Path, source: str) -> np.ndarray | None:
    """What the program left in y.bin."""
    (folder / "y.bin").unlink(missing_ok=True)
    (folder / "use.c").write_text(CALLS + (EMBED if "embedded()" in source else "") + source)
    command = ["cc", *STRICT, "use.c", "./tiny.so", "-o", "use"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    done = subprocess.run([folder / "use"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    found = folder / "y.bin"
    return np.frombuffer(found.read_bytes(), np.float32).reshape(6, 3) if found.exists() else None


def expected(folder: Path, steps: int = 0) -> np.ndarray:
    program = netwright.load(folder / "tiny.yaml").compile(folder / "w.safetensors")
    x = np.frombuffer((folder / "given" / "x.bin").read_bytes(), np.float32).reshape(6, 40)
    t = np.frombuffer((folder / "given" / "t.bin").read_bytes(), np.int64)
    for _ in range(steps):
        program.train_step(x=x, t=t)
    return program.predict(x=x)["y"]


@pytest.mark.parametrize(
    ("kind", "source", "steps"),
    [
        ("embedded", EMBEDDED, 0),
        ("embedded", EMBEDDED_THEN_WRITTEN, 0),
        ("embedded", TRAINED_COPIES, 3),
        ("given", GIVEN, 0),
    ],
)
def test_what_the_header_says(made: Path, kind: str, source: str, steps: int) -> None:
    assert (MISSING_POINTER, BAD_NUMBERS, READ_ONLY_CONTENTS) == (17, 18, 19)
    found = run(made / kind, source)
    assert found is not None
    np.testing.assert_array_equal(found, expected(made, steps))


def test_calls_that_cannot_be_are_error_codes(made: Path) -> None:
    run(made / "embedded", WRONG)
