"""Flash, RAM and stack on a microcontroller are what the linker and an emulated Cortex-M4 say."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright import load
from netwright.artifacts.files import Request, save
from netwright.compiler.codegen.files.bare import Image
from netwright.compiler.codegen.files.platforms import chosen_target, platform_named
from netwright.compiler.frontend.network import Network, initial_values
from netwright.compiler.machine import Machine
from netwright.compiler.quantization.network import QuantizedNetwork
from netwright.errors import RequestError, SpecError
from netwright.inspection.bare import bare_exceeded, bare_footprint, keep_bare
from netwright.quantization import quantize
from netwright.templates import template

from .helpers import drawn, predicted, prepared, quantized, spec

NAME = "thumbv7em-none-eabi"
ROOT = Path(__file__).parents[2]
BOARD = ROOT / "tests" / "targets" / "board"
SPEC = spec(
    [1, 6, 6, 2],
    {"type": "conv2d", "filters": 5, "kernel_size": 3, "activation": "relu"},
    {"type": "flatten"},
    *[{"type": "dense", "units": 5, "activation": "relu"}] * 5,  # which call one kernel several times
    {"type": "dense", "units": 3},
)
RECURRENT = spec(
    [1, 7, 3],
    {
        "type": "lstm",
        "units": 6,
        "activation": "hard_swish",
        "recurrent_activation": "hard_sigmoid",
        "output_activation": "softsign",
    },
    {"type": "dense", "units": 2},
)
needs_zig = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="linking takes the extra cross"
)
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm")

_MAIN = """#include "board.h"
#include "model.h"
extern const unsigned char given[];
static float y[M_Y_SIZE];
static unsigned char arena[M_ARENA_BYTES] __attribute__((aligned(64)));
static uint32_t report[M_Y_SIZE + 2];

__attribute__((noinline)) static int32_t answered(void) {
    return m_predict(m_embedded(), (const float *)given, y, arena, sizeof arena, 1);
}

/* How many calls with something missing, and calls in the general form, do not end as they should. */
static uint32_t wrong(void) {
    static const m_model nothing;
    static float again[M_Y_SIZE];
    void *buffers[M_BUFFERS];
    int64_t offsets[M_PREDICT_SLOTS + 1];
    const m_model *model = m_embedded();
    const float *x = (const float *)given;
    for (int i = 0; i < M_BUFFERS; i++) buffers[i] = (void *)(uintptr_t)model->contents[i];
    buffers[M_BUFFER_X] = (void *)(uintptr_t)given;
    buffers[M_BUFFER_Y] = again;
    netwright_context context = {0, buffers, arena, offsets, 0};
    uint32_t count = m_predict_plan(0, offsets) < 0 || m_predict_entry(&context, 0, 1) != NETWRIGHT_OK;
    for (int i = 0; i < M_Y_SIZE; i++) count += again[i] != y[i];
    buffers[M_BUFFER_X] = 0;
    count += m_predict_entry(&context, 0, 1) != NETWRIGHT_NULL;
    count += m_predict(0, x, y, arena, sizeof arena, 1) != NETWRIGHT_NULL;
    count += m_predict(&nothing, x, y, arena, sizeof arena, 1) != NETWRIGHT_NULL;
    count += m_predict(model, 0, y, arena, sizeof arena, 1) != NETWRIGHT_NULL;
    count += m_predict(model, x, 0, arena, sizeof arena, 1) != NETWRIGHT_NULL;
    count += m_predict(model, x, y, 0, sizeof arena, 1) != NETWRIGHT_NULL;
    count += m_predict(model, x, y, arena, 64, 1) != NETWRIGHT_SMALL_MEMORY;
    count += m_predict(model, x, y, arena, m_arena_bytes(), 4) != NETWRIGHT_OK;
    return count;
}

int32_t run_network(void) {
    uint32_t before;
    __asm__ volatile("mov %0, sp" : "=r"(before)); /* nothing is below it: no interrupt comes */
    uint32_t *top = (uint32_t *)before, *end = top - 4096;
    for (uint32_t *at = end; at < top; at++) *(volatile uint32_t *)at = 0xA5C3F00D;
    int32_t code = answered();
    uint32_t *at = end;
    while (*(volatile uint32_t *)at == 0xA5C3F00D) at++;
    report[0] = before - (uint32_t)at;
    for (int i = 0; i < M_Y_SIZE; i++) report[1 + i] = ((uint32_t *)y)[i];
    report[1 + M_Y_SIZE] = wrong();
    if (!code) write_file("ANSWERS", sizeof "ANSWERS" - 1, report, sizeof report);
    return code;
}
"""


def made(written: dict[str, Any] = SPEC) -> tuple[Network, QuantizedNetwork, np.ndarray]:
    network, weights = prepared(written)
    x = drawn(network)
    return network, quantized(network, weights, x, Machine(vector_bytes=4, vector_registers=32)), x


def run_on_board(folder: Path, x: np.ndarray) -> tuple[int, np.ndarray, int]:
    """How much stack a call took, the answers, and how many other calls went wrong."""
    answers = folder / "answers.bin"
    (folder / "main.c").write_text(_MAIN.replace("ANSWERS", str(answers)))
    (folder / "given.bin").write_bytes(x.tobytes())
    (folder / "given.S").write_text(
        '.section .rodata.given,"a"\n.balign 64\n.globl given\ngiven:\n.incbin "given.bin"\n'
    )
    platform = platform_named(NAME)
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", platform.zig, f"-mcpu={platform.least}"]
    options = [
        "-Os",
        "-g",
        "-ffreestanding",
        "-nostdlib",
        "-fno-PIC",
        "-fno-unwind-tables",
        "-fno-sanitize=all",
    ]
    files = ["main.c", "given.S", str(BOARD / "start.c"), "model.a", f"-Wl,-T,{BOARD / 'board.ld'}"]
    command = [*zig, *options, f"-I{BOARD}", *files, "-o", "board.elf"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    machine = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none"]
    machine += ["-semihosting-config", "enable=on,target=native", "-kernel", "board.elf"]
    subprocess.run(machine, cwd=folder, check=True, capture_output=True, timeout=60)
    data = answers.read_bytes()
    first, *_, last = np.frombuffer(data, np.uint32)
    return int(first), np.frombuffer(data[4:-4], np.float32), int(last)


@needs_zig
@needs_qemu
@pytest.mark.parametrize("written", [SPEC, RECURRENT], ids=["convolution", "recurrence"])
def test_a_painted_stack_is_as_deep_as_the_card_says(written: dict[str, Any], tmp_path: Path) -> None:
    _, result, x = made(written)
    model = load(written)
    card = bare_footprint(result.network, result.weights, NAME)
    request = Request("static", None, ("predict",), target=NAME)
    save(model.load, result.network, result.weights, tmp_path / "model.a", request)
    taken, answers, wrong = run_on_board(tmp_path, x[:1])
    want = predicted(result.network, result.weights, x[:1])
    np.testing.assert_array_equal(answers.reshape(want.shape), want)
    assert card.stack is not None
    image = Image((tmp_path / "board.elf").read_bytes())
    assert taken == image.stack("answered")  # which has a frame, too
    assert card.stack == image.stack("m_predict")
    assert card.ram >= x[:1].nbytes + want.nbytes
    assert wrong == 0


@needs_zig
def test_the_documents_tell_how_large_a_digits_network_is(tmp_path: Path) -> None:
    """Up to what another version of LLVM may change."""
    (tmp_path / "digits.yaml").write_text(template("cnn", "digits"))
    model = load(tmp_path / "digits.yaml", dims={"N": 1})
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28, 1)).astype(np.uint8)
    np.savez(tmp_path / "data.npz", image=image)
    data = model.data({"calibration": tmp_path / "data.npz"})["calibration"]
    result = quantize(model.network, initial_values(model.network), data, target=chosen_target(NAME, None))
    card = bare_footprint(result.network, result.weights, NAME)
    text = (ROOT / "docs" / "quantization.md").read_text()
    told = re.search(r"flash +([\d,]+) bytes: code ([\d,]+).*\nRAM +([\d,]+).*\nstack +(\d+)", text)
    assert told is not None
    flash, code, ram, stack = (int(number.replace(",", "")) for number in told.groups())
    assert card.ram == ram
    assert card.stack is not None
    for actual, written in ((card.flash, flash), (card.code, code), (card.stack, stack)):
        assert abs(actual - written) <= 0.1 * written


@needs_zig
def test_a_budget_is_kept() -> None:
    limited: dict[str, Any] = {**SPEC, "budget": {"flash": "1 KiB", "ram": "100 KiB", "stack": 10}}
    _, result, _ = made()
    model = load(limited)
    card = bare_footprint(result.network, result.weights, NAME)
    messages = [error.message for error in bare_exceeded(model.load, card)]
    assert messages == [
        f"{card.flash:,} bytes of flash exceed the budget of 1,024",
        f"{card.stack:,} bytes of stack exceed the budget of 10",
    ]
    with pytest.raises(SpecError):
        keep_bare(model.load, result.network, result.weights, NAME)
    keep_bare(model.load, result.network, result.weights, "x86_64-linux-musl")


def test_what_has_no_card() -> None:
    network, weights = prepared(spec(["N", 4], {"type": "dense", "units": 2}))
    with pytest.raises(RequestError, match="--dim N=1"):
        bare_footprint(network, weights, NAME)
    with pytest.raises(RequestError, match="has a system"):
        bare_footprint(network, weights, "x86_64-linux-musl")
    assert chosen_target(NAME, None).cpu == "cortex-m4"
