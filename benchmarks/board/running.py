"""`board`: LeNet on an emulated Cortex-M4 beside onnx2c, in floats and in bytes: flash, RAM, stack, and instructions.

Takes the extra `cross`, qemu-system-arm, arm-none-eabi-gcc, and onnx2c on the PATH. onnx2c gets our ONNX export, in
bytes after ONNX Runtime has quantized it; what it writes is compiled by GCC at -Os and at -O3. All are called by the
same few lines, whose flash is not counted.
"""

from __future__ import annotations

import argparse
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import netwright
from netwright.artifacts.files import Request, save
from netwright.compiler.codegen.files.bare import Image
from netwright.compiler.codegen.files.platforms import chosen_target
from netwright.compiler.frontend.network import initial_values
from netwright.onnx import export_model
from netwright.quantization import quantize

from ..peers import UnknownName

ROOT = Path(__file__).parents[2]
_BOARD = ROOT / "tests" / "targets" / "board"
_TARGET = "thumbv7em-none-eabi"
_TOOLS = ("qemu-system-arm", "arm-none-eabi-gcc", "onnx2c")
_GCC = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=softfp", "-mfpu=fpv4-sp-d16", "-w"]
_GCC += ["-ffunction-sections", "-fdata-sections", "-fshort-enums", f"-I{_BOARD}"]
_LINK = ["-nostartfiles", "-Wl,--gc-sections", f"-Wl,-T,{_BOARD / 'board.ld'}"]
_QEMU = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none"]
_QEMU += ["-icount", "shift=0", "-semihosting-config", "enable=on,target=native", "-kernel"]
#: With one nanosecond per instruction, the board's clock of 25 MHz ticks once in 40 instructions.
_PER_TICK = 40
_OURS = """#include "model.h"
static unsigned char arena[LENET_ARENA_BYTES] __attribute__((aligned(64)));
int32_t answer(const void *image, float *logits) {
    return lenet_predict(lenet_embedded(), image, logits, arena, sizeof arena, 1);
}
"""
_THEIRS = """#include <stdint.h>
void entry(const void *, void *);
int32_t answer(const void *image, float *logits) { return entry(image, logits), 0; }
"""
_NOTHING = "#include <stdint.h>\nint32_t answer(const void *image, float *logits) { return 0; }\n"


@dataclass(frozen=True, slots=True)
class Taken:
    """What one call takes: bytes, and instructions; and its answers."""

    name: str
    flash: int
    ram: int
    stack: int
    instructions: int
    answers: NDArray


def measured(options: argparse.Namespace) -> int:
    """Prints the table. Exit code 1 if answers in floats differ. Raises UnknownName if something is missing."""
    if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        raise UnknownName(f"{', '.join(missing)}: not on the PATH")
    print(f"{'lenet':26} {'flash':>9} {'RAM':>8} {'stack':>7} {'instructions':>13}")
    answers: list[NDArray] = []
    with tempfile.TemporaryDirectory() as folder:
        for taken in _all(Path(folder)):
            numbers = f"{taken.flash:9,} {taken.ram:8,} {taken.stack:7,} {taken.instructions:13,}"
            print(f"{taken.name:26} {numbers}", flush=True)
            answers += [taken.answers] if "float" in taken.name else []
    return 0 if all(np.allclose(other, answers[0], atol=1e-4) for other in answers) else 1


def _all(folder: Path) -> Iterator[Taken]:
    model = netwright.load(ROOT / "examples" / "lenet" / "lenet.yaml", dims={"N": 1})
    rng = np.random.default_rng(0)
    weights = initial_values(model.network)
    image = rng.standard_normal((1, 28, 28, 1)).astype(np.float32)
    (folder / "given.bin").write_bytes(image.tobytes())
    (folder / "given.S").write_text(
        '.section .rodata.given,"a"\n.balign 4\n.globl given\ngiven:\n.incbin "given.bin"\n'
    )
    export_model(model, weights).save(folder / "float.onnx")
    _quantized_onnx(folder, image)
    np.savez(folder / "data.npz", image=image)
    data = model.data({"calibration": folder / "data.npz"})["calibration"]
    made = quantize(model.network, weights, data, target=chosen_target(_TARGET, None))
    for name, network, values in (("float", model.network, weights), ("int8", made.network, made.weights)):
        request = Request("static", None, ("predict",), target=_TARGET)
        save(model.load, network, dict(values), folder / "model.a", request)
        yield _taken(folder, f"{name} netwright", _OURS, "model.a")
        with (folder / "net.c").open("w") as written:
            subprocess.run(["onnx2c", f"{name}.onnx"], cwd=folder, stdout=written, check=True)
        for level in ("-Os", "-O3"):
            _run([*_GCC, level, "-c", "net.c", "-o", "net.o"], folder)
            yield _taken(folder, f"{name} onnx2c, gcc {level}", _THEIRS, "net.o")


def _taken(folder: Path, name: str, calling: str, *files: str) -> Taken:
    sizes = []
    for source, linked in ((_NOTHING, ()), (calling, files)):
        (folder / "answer.c").write_text(source)
        parts = [str(Path(__file__).parent / "counted.c"), "answer.c", "given.S", str(_BOARD / "start.c")]
        _run([*_GCC, "-Os", *_LINK, *parts, *linked, "-lm", "-o", "board.elf"], folder)
        sections = Image((folder / "board.elf").read_bytes()).sections
        flash = sum(sections.get(section, 0) for section in (".text", ".rodata", ".ARM.exidx", ".data"))
        sizes.append((flash, sections.get(".bss", 0) + sections.get(".data", 0)))
    _run([*_QEMU, "board.elf"], folder)
    data = (folder / "answers.bin").read_bytes()
    stack, ticks = struct.unpack_from("<2I", data)
    (flash, ram), (more_flash, more_ram) = sizes
    answers = np.frombuffer(data, np.float32, 10, 8)
    return Taken(name, more_flash - flash, more_ram - ram, stack, ticks * _PER_TICK, answers)


def _quantized_onnx(folder: Path, image: NDArray) -> None:
    """Writes the network in bytes for onnx2c, which has no products of ONNX Runtime's own with an added bias."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Once(CalibrationDataReader):
        samples = iter([{"image": image}])

        def get_next(self) -> dict[str, NDArray] | None:
            return next(self.samples, None)

    model = onnx.load(folder / "float.onnx")
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type != "Gemm":
            nodes.append(node)
            continue
        product = f"{node.output[0]}_product"
        nodes.append(onnx.helper.make_node("MatMul", node.input[:2], [product], name=product))
        nodes.append(onnx.helper.make_node("Add", [product, node.input[2]], node.output, name=node.name))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, folder / "split.onnx")
    quantize_static(
        folder / "split.onnx", folder / "int8.onnx", Once(), quant_format=QuantFormat.QOperator,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QUInt8,
        op_types_to_quantize=["Conv", "MatMul", "MaxPool"],
    )  # fmt: skip


def _run(command: Sequence[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
