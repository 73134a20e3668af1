"""The functions of a library, called as its header says, and what they answer to mistakes."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest

import netwright
from netwright.specs.manifest import ERRORS, LIBRARY_ERRORS

from .conftest import WARNINGS, Made

READ = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "@.h"

enum { N = 2, T = 7 };
static float motion[N * T * 4], answer[N * T * 3];

static void load(const char *path, void *into, size_t bytes) {
    FILE *file = fopen(path, "rb");
    if (!file || fread(into, 1, bytes, file) != bytes || getc(file) != EOF) exit(9);
    fclose(file);
}

static void expect(int32_t code, int32_t wanted, int line) {
    if (code == wanted) return;
    fprintf(stderr, "line %d: %d (%s) instead of %d\n", line, (int)code, gait_error(code), (int)wanted);
    exit(1);
}
#define EXPECT(code, wanted) expect(code, wanted, __LINE__)

static void *need(size_t bytes) {
    void *memory = bytes ? malloc(bytes) : NULL;
    if (!memory) exit(8);
    return memory;
}

static void print(const float *values) {
    for (int i = 0; i < N * T * 3; i++) printf("%.9g ", (double)values[i]);
    printf("\n");
}
"""

EMBEDDED = r"""
static float again[N * T * 3];
static int64_t meant[N * T];

int main(void) {
    load("motion.bin", motion, sizeof motion);
    load("meant.bin", meant, sizeof meant);
    size_t bytes = gait_arena_bytes(N, T);
    char *arena = need(bytes + 1);
    const gait_model *model = gait_embedded();
    EXPECT(gait_predict(model, motion, answer, N, T, arena, bytes, 1), NETWRIGHT_OK);
    print(answer);
    EXPECT(gait_predict(model, motion, again, N, T, arena + 1, bytes, 0), NETWRIGHT_OK);
    if (memcmp(answer, again, sizeof answer)) return 2;
    EXPECT(gait_predict(NULL, motion, answer, N, T, arena, bytes, 1), NETWRIGHT_NULL);
    EXPECT(gait_predict(model, NULL, answer, N, T, arena, bytes, 1), NETWRIGHT_NULL);
    EXPECT(gait_predict(model, motion, NULL, N, T, arena, bytes, 1), NETWRIGHT_NULL);
    EXPECT(gait_predict(model, motion, answer, N, T, NULL, bytes, 1), NETWRIGHT_NULL);
    EXPECT(gait_predict(model, motion, answer, N, T, arena, bytes - 1, 1), NETWRIGHT_SMALL_MEMORY);
    EXPECT(gait_predict(model, motion, answer, N, T, arena, 0, 1), NETWRIGHT_SMALL_MEMORY);
    EXPECT(gait_predict(model, motion, answer, 0, T, arena, bytes, 1), NETWRIGHT_SIZE);
    EXPECT(gait_predict(model, motion, answer, N, INT64_MAX / 2, arena, bytes, 1), NETWRIGHT_TOO_LARGE);
    if (gait_arena_bytes(0, 1) || gait_arena_bytes(1, -1) || gait_arena_bytes(1, INT64_MAX)) return 3;
    if (strcmp(gait_class_label(2), "r\"un") || gait_class_label(3) || gait_class_label(-1)) return 4;

    /* step by step, chunks of 2, 1 and 4; each sequence of the batch has rows of its own */
    gait_stream *stream;
    char *remembered = need(gait_stream_bytes(N) + 3);
    EXPECT(gait_stream_begin(&stream, remembered, gait_stream_bytes(N) - 1, N), NETWRIGHT_SMALL_MEMORY);
    EXPECT(gait_stream_begin(&stream, NULL, 1000, N), NETWRIGHT_NULL);
    EXPECT(gait_stream_begin(&stream, remembered, 1000000, 0), NETWRIGHT_SIZE);
    EXPECT(gait_stream_begin(&stream, remembered + 3, gait_stream_bytes(N), N), NETWRIGHT_OK);
    static const int chunks[] = {2, 1, 4};
    void *scratch = need(gait_step_arena_bytes(N, 4));
    for (int chunk = 0, at = 0; chunk < 3; at += chunks[chunk++]) {
        float steps[N * T * 4], out[N * T * 3];
        int count = chunks[chunk];
        for (int n = 0; n < N; n++)
            memcpy(steps + n * count * 4, motion + (n * T + at) * 4, (size_t)count * 4 * sizeof(float));
        EXPECT(gait_step(stream, model, steps, out, count, scratch, gait_step_arena_bytes(N, 4), 1), NETWRIGHT_OK);
        for (int n = 0; n < N; n++)
            memcpy(again + (n * T + at) * 3, out + n * count * 3, (size_t)count * 3 * sizeof(float));
    }
    print(again);

    /* training: the embedded weights stay, those that are learned answer from then on */
    gait_training *training;
    char *memory = need(gait_training_bytes() + 5);
    size_t room = gait_train_step_arena_bytes(N, T);
    void *work = need(room);
    gait_model learned;
    EXPECT(gait_training_begin(&training, model, memory, 100), NETWRIGHT_SMALL_MEMORY);
    EXPECT(gait_training_begin(&training, NULL, memory, gait_training_bytes()), NETWRIGHT_NULL);
    EXPECT(gait_training_begin(&training, model, memory + 5, gait_training_bytes()), NETWRIGHT_OK);
    for (int step = 0; step < 3; step++) {
        EXPECT(gait_train_step(training, motion, meant, N, T, work, room, 1), NETWRIGHT_OK);
        printf("%.9g %.9g ", gait_training_loss(training), gait_training_accuracy(training));
    }
    printf("\n");
    meant[0] = 3;
    EXPECT(gait_train_step(training, motion, meant, N, T, work, room, 1), NETWRIGHT_INDEX);
    EXPECT(gait_training_model(training, &learned), NETWRIGHT_OK);
    EXPECT(gait_predict(&learned, motion, answer, N, T, arena, bytes, 1), NETWRIGHT_OK);
    print(answer);
    EXPECT(gait_predict(model, motion, again, N, T, arena, bytes, 1), NETWRIGHT_OK);
    print(again);
    return 0;
}
"""

FILES = r"""
int main(void) {
    load("motion.bin", motion, sizeof motion);
    size_t bytes = gait_arena_bytes(N, T);
    void *arena = need(bytes);
    gait_model model, other;
    EXPECT(gait_open(&model, "none.weights"), NETWRIGHT_CANNOT_READ);
    EXPECT(gait_open(&model, "."), NETWRIGHT_NO_WEIGHTS);
    EXPECT(gait_open(&model, "motion.bin"), NETWRIGHT_NO_WEIGHTS);
    EXPECT(gait_open(&model, "cut.weights"), NETWRIGHT_NO_WEIGHTS);
    EXPECT(gait_open(&model, "other.weights"), NETWRIGHT_OTHER_WEIGHTS);
    EXPECT(gait_open(&model, "libfile.weights"), NETWRIGHT_OK);
    EXPECT(gait_open(&other, "new.weights"), NETWRIGHT_OK);
    EXPECT(gait_predict(&model, motion, answer, N, T, arena, bytes, 1), NETWRIGHT_OK);
    print(answer);
    EXPECT(gait_predict(&other, motion, answer, N, T, arena, bytes, 1), NETWRIGHT_OK);
    print(answer);
    gait_close(&model);
    EXPECT(gait_predict(&model, motion, answer, N, T, arena, bytes, 1), NETWRIGHT_NULL);
    gait_close(&model);
    gait_close(&other);

    FILE *file = fopen("new.weights", "rb");
    static char content[1 << 20];
    char *start = content + (64 - (uintptr_t)content % 64) % 64;
    size_t size = fread(start, 1, sizeof content - 64, file);
    fclose(file);
    EXPECT(gait_read(&model, start + 1, size - 1), NETWRIGHT_NO_WEIGHTS);
    EXPECT(gait_read(&model, start, 63), NETWRIGHT_NO_WEIGHTS);
    EXPECT(gait_read(&model, start, size - 64), NETWRIGHT_NO_WEIGHTS);
    EXPECT(gait_read(&model, start, size), NETWRIGHT_OK);
    EXPECT(gait_predict(&model, motion, answer, N, T, arena, bytes, 1), NETWRIGHT_OK);
    print(answer);
    start[20] ^= 1;
    EXPECT(gait_read(&model, start, size), NETWRIGHT_OTHER_WEIGHTS);
    return 0;
}
"""

OWN = r"""
int main(void) {
    static float kernel[4 * 144], recurrent[48 * 144], bias[144], recurrent_bias[144], head[48 * 3], head_bias[3];
    load("motion.bin", motion, sizeof motion);
    load("rnn.kernel.bin", kernel, sizeof kernel);
    load("rnn.recurrent_kernel.bin", recurrent, sizeof recurrent);
    load("rnn.bias.bin", bias, sizeof bias);
    load("rnn.recurrent_bias.bin", recurrent_bias, sizeof recurrent_bias);
    load("head.kernel.bin", head, sizeof head);
    load("head.bias.bin", head_bias, sizeof head_bias);
    gait_weights weights = {kernel, recurrent, bias, recurrent_bias, head, NULL};
    size_t size = gait_prepare_bytes(), bytes = gait_arena_bytes(N, T);
    void *packed = malloc(size + 1), *arena = need(bytes);
    gait_model model;
    EXPECT(gait_prepare(&model, &weights, packed, size), NETWRIGHT_NULL);
    weights.head_bias = head_bias;
    if (size) EXPECT(gait_prepare(&model, &weights, packed, size - 1), NETWRIGHT_SMALL_MEMORY);
    EXPECT(gait_prepare(&model, &weights, packed, size), NETWRIGHT_OK);
    EXPECT(gait_predict(&model, motion, answer, N, T, arena, bytes, 1), NETWRIGHT_OK);
    print(answer);
    return 0;
}
"""


def numbers(line: str) -> np.ndarray:
    return np.array(line.split(), np.float32)


def program(made: Made, name: str, header: str, source: str, *arguments: str) -> list[np.ndarray]:
    (made.folder / f"{name}.c").write_text(READ.replace("@", header) + source)
    made.compiled(name, *arguments)
    return [numbers(line) for line in made.run(made.folder / name).splitlines()]


def test_embedded_weights_streams_and_training(made: Made) -> None:
    whole, steps, reports, learned, before = program(made, "embedded", "libgait", EMBEDDED, "-L.", "-lgait")
    want = made.program.predict(motion=made.motion)["class"].ravel()
    np.testing.assert_array_equal(whole, want)
    np.testing.assert_array_equal(before, want)
    np.testing.assert_allclose(steps, want, rtol=1e-5, atol=1e-6)
    other = netwright.load(made.folder / "gait.yaml").compile()
    for loss, accuracy in reports.reshape(3, 2):
        report = other.train_step(motion=made.motion, meant=made.meant)
        np.testing.assert_allclose([loss, accuracy], [report["loss"], report["accuracy"]], rtol=1e-6)
    np.testing.assert_array_equal(learned, other.predict(motion=made.motion)["class"].ravel())


def test_weights_from_files(made: Made) -> None:
    content = (made.folder / "new.weights").read_bytes()
    (made.folder / "cut.weights").write_bytes(content[:-64])
    first, second, read = program(made, "files", "libfile", FILES, "libfile.a", "-pthread", "-lm")
    np.testing.assert_array_equal(first, made.program.predict(motion=made.motion)["class"].ravel())
    half = {name: array * np.float32(0.5) for name, array in made.program.weights.items()}
    want = netwright.load(made.folder / "gait.yaml").compile(half).predict(motion=made.motion)["class"]
    np.testing.assert_array_equal(second, want.ravel())
    np.testing.assert_array_equal(read, want.ravel())


def test_weights_of_the_caller(made: Made) -> None:
    (answer,) = program(made, "own", "libown", OWN, "-L.", "-lown")
    np.testing.assert_array_equal(answer, made.program.predict(motion=made.motion)["class"].ravel())


def test_what_is_not_wanted_takes_no_space(made: Made) -> None:
    """Entries that are left out, and code and originals of packed weights, are not in the object."""
    text = (made.folder / "small.h").read_text()
    assert "gait_embedded" in text
    for absent in ("train", "step", "gait_prepare", "gait_weights", "loss"):
        assert absent not in text, absent
    listed = subprocess.run(["nm", "small.o"], cwd=made.folder, capture_output=True, text=True, check=True)
    assert "gait_predict_entry" in listed.stdout
    assert "prepare" not in listed.stdout
    weights = sum(array.nbytes for array in made.program.weights.values())
    assert "GAIT_BUFFER_PACKED_0" in text
    assert "GAIT_BUFFER_RNN_KERNEL" not in text
    # what predict and step read in the same order is there once
    assert (made.folder / "other.weights").stat().st_size == (made.folder / "new.weights").stat().st_size
    stored = (made.folder / "new.weights").stat().st_size - 64
    assert weights <= stored < 1.1 * weights + 64 * 8
    assert not re.search(r"\b(malloc|calloc|free)\b", listed.stdout)


@pytest.mark.parametrize("standard", ["c99", "c11", "c++17"])
def test_headers_compile_without_warnings(made: Made, standard: str) -> None:
    plus = standard.startswith("c++")
    if shutil.which("c++" if plus else "cc") is None:
        pytest.skip("no C++ compiler")
    source = made.folder / f"header.{'cc' if plus else 'c'}"
    for name in ("libgait", "libfile", "libown", "small"):
        source.write_text(
            f'#include "{name}.h"\n' * 2 + "int main(void) { return gait_error(0)[0] != 'n'; }\n"
        )
        command = ["c++" if plus else "cc", f"-std={standard}", *WARNINGS, "-fsyntax-only", source.name]
        done = subprocess.run(command, cwd=made.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        text = (made.folder / f"{name}.h").read_text()
        assert max(map(len, text.splitlines())) <= 120
        assert "@" not in text


def test_each_code_has_a_name_and_a_text(made: Made) -> None:
    text = (made.folder / "libgait.h").read_text()
    codes = {int(code) for code in re.findall(r"NETWRIGHT_[A-Z_]+ = (\d+)", text)}
    assert codes == {0, *ERRORS, *LIBRARY_ERRORS}
