"""Single layers that enlarge images, as ONNX models.

Their times in the layout `onnx` include a Transpose at either end, which in small rows takes most of the time;
`--layout native` leaves these out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class Layer:
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


def layers() -> Iterator[Layer]:
    """Transposed convolutions and resizes; `32→16 of 64²` says channels and image, `k4 s2` kernel and stride."""
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
        yield Layer(
            name, "ConvTranspose", (1, channels, size, size), (weights,), {"strides": [stride] * 2, **options}
        )
    for channels, filters, size, kernel, stride in ((128, 64, 200, 16, 8), (48, 24, 1000, 8, 4)):
        weights = random.standard_normal((channels, filters, kernel), np.float32)
        name = f"transposed {channels}→{filters} of {size}, k{kernel} s{stride}"
        options = {"strides": [stride], "pads": [(kernel - stride) // 2] * 2}
        yield Layer(name, "ConvTranspose", (1, channels, size), (weights,), options)
    weights = random.standard_normal((32, 16, 2, 2, 2), np.float32)
    yield Layer(
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
        yield Layer(name, "Resize", (1, channels, size, size), (None, scales), {"mode": mode, **options})
