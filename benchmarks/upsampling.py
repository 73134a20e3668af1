"""Layers that enlarge images, Netwright against ONNX Runtime, side by side on one thread.

    python benchmarks/upsampling.py [--seconds 1] [--only linear] [--layout native]


Each row is one layer at one size: a transposed convolution (`32→16 of 64²` says channels and image, `k4 s2` kernel and
stride) or a resize. Both engines take turns in one run; times are medians of this thread's CPU time, since only ratios
mean anything on a shared machine. With `--layout native` images are channels last for Netwright, as inside a network.
Without it, each model begins and ends with a transpose, and in small rows these take most of the time.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

# Must be set before NumPy and ONNX Runtime are loaded, which read it once.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from timing import medians

from netwright.onnx import import_model
from netwright.onnx.files import check


@dataclass(frozen=True)
class Case:
    """One layer: its operator, the shape of its input, its constants and attributes."""

    name: str
    op: str
    shape: tuple[int, ...]
    constants: tuple[np.ndarray | None, ...]
    attributes: dict[str, Any] = field(default_factory=dict)

    def model(self) -> onnx.ModelProto:
        """The layer as an ONNX model with a fixed image size."""
        given = [f"c{i}" if array is not None else "" for i, array in enumerate(self.constants)]
        graph = helper.make_graph(
            [helper.make_node(self.op, ["x", *given], ["y"], **self.attributes)],
            "layer",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [
                numpy_helper.from_array(a, n)
                for a, n in zip(self.constants, given, strict=True)
                if a is not None
            ],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def cases() -> Iterator[Case]:
    """All rows."""
    random = np.random.default_rng(0)
    for channels, filters, size, kernel, stride, options in (
        (64, 32, 48, 2, 2, {}),
        (64, 64, 48, 3, 2, {"pads": [1] * 4, "output_padding": [1, 1]}),
        (128, 64, 16, 4, 2, {"pads": [1] * 4}),
        (32, 3, 64, 4, 2, {"pads": [1] * 4}),
        (16, 16, 64, 5, 3, {}),
        (32, 32, 32, 3, 1, {"pads": [1] * 4}),
        (32, 32, 48, 4, 2, {"pads": [1] * 4, "group": 32}),
        (32, 32, 48, 4, 2, {"pads": [1] * 4, "group": 4}),
        (21, 21, 16, 16, 8, {"pads": [4] * 4}),
    ):
        groups = options.get("group", 1)
        weights = random.standard_normal((channels, filters // groups, kernel, kernel), np.float32)
        name = f"transposed {channels}→{filters} of {size}², k{kernel} s{stride}, {groups} groups"
        yield Case(
            name, "ConvTranspose", (1, channels, size, size), (weights,), {"strides": [stride] * 2, **options}
        )
    for channels, filters, size, kernel, stride in ((128, 64, 200, 16, 8), (48, 24, 1000, 8, 4)):
        weights = random.standard_normal((channels, filters, kernel), np.float32)
        name = f"transposed {channels}→{filters} of {size}, k{kernel} s{stride}"
        options = {"strides": [stride], "pads": [(kernel - stride) // 2] * 2}
        yield Case(name, "ConvTranspose", (1, channels, size), (weights,), options)
    weights = random.standard_normal((32, 16, 2, 2, 2), np.float32)
    yield Case(
        "transposed 32→16 of 16³, k2 s2",
        "ConvTranspose",
        (1, 32, 16, 16, 16),
        (weights,),
        {"strides": [2] * 3},
    )
    for mode, channels, size, scale, options in (
        ("linear", 64, 48, 2.0, {}),
        ("linear", 64, 48, 2.0, {"coordinate_transformation_mode": "align_corners"}),
        ("linear", 21, 28, 8.0, {}),
        ("linear", 256, 16, 1.5, {}),
        ("linear", 3, 256, 0.5, {}),
        ("linear", 3, 256, 0.25, {"antialias": 1}),
        ("cubic", 32, 48, 2.0, {}),
        ("cubic", 3, 128, 0.5, {"antialias": 1}),
        ("nearest", 64, 48, 2.0, {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
    ):
        scales = np.asarray([1, 1, scale, scale], np.float32)
        more = " ".join(str(key if value == 1 else value) for key, value in options.items())
        name = f"{mode} {channels} of {size}², ×{scale:g} {more}".strip()
        yield Case(name, "Resize", (1, channels, size, size), (None, scales), {"mode": mode, **options})


def measured(case: Case, seconds: float, layout: Literal["onnx", "native"]) -> str:
    """Measures one case and returns its row."""
    model = case.model()
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings)
    imported = import_model(model, name="layer", layout=layout)
    start = time.perf_counter()
    program = check(imported.spec).compile(dict(imported.weights), entries=["predict"], threads=1)
    compiling = time.perf_counter() - start
    x = np.random.default_rng(1).standard_normal(case.shape, np.float32)
    own = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if layout == "native" else x
    given, (output,) = {imported.inputs["x"]: own}, imported.outputs.values()
    wanted = np.asarray(session.run(None, {"x": x})[0])
    found = program.predict(**given)[output]
    found = np.moveaxis(found, -1, 1) if layout == "native" else found
    error = np.abs(found - wanted).max() / np.sqrt(np.mean(np.square(wanted)))
    ours, theirs = medians([lambda: program.predict(**given), lambda: session.run(None, {"x": x})], seconds)
    return f"{compiling:.1f} | {error:.0e} | {ours * 1e3:.2f} | {theirs * 1e3:.2f} | {ours / theirs:.2f}×"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description="Layers that make images larger against ONNX Runtime, on one thread"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a row is measured")
    parser.add_argument("--only", default="", metavar="NAME", help="rows whose name contains this")
    parser.add_argument(
        "--layout", choices=["onnx", "native"], default="onnx", help="the order of our images' axes"
    )
    options = parser.parse_args()
    print("| layer | compile, s | error | Netwright, ms | ONNX Runtime, ms | ratio |")
    print("|---|---|---|---|---|---|")
    for case in cases():
        if options.only in case.name:
            print(f"| {case.name} | {measured(case, options.seconds, options.layout)} |", flush=True)


if __name__ == "__main__":
    main()
