"""Small networks built from primitives by hand, with symbolic batch."""

from __future__ import annotations

import numpy as np

from netwright.compiler.autodiff import gradients
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Value
from netwright.compiler.graph.types import TensorType
from netwright.compiler.ops.base import BroadcastAttributes
from netwright.compiler.ops.products.dot import MATMUL
from netwright.compiler.ops.values.constant import IotaAttributes, splat, zeros_like
from netwright.compiler.ops.values.reduce import ReduceAttributes
from netwright.compiler.ops.views.layout import ReshapeAttributes
from netwright.compiler.ops.views.slice_pad import PadAttributes
from netwright.compiler.ops.windows.conv import ConvAttributes
from netwright.compiler.ops.windows.reduce_window import ReduceWindowAttributes
from netwright.specs.dims import DimLike, dim

N = dim("N")


def add_bias(g: Graph, x: Value, b: Value) -> Value:
    shape = g.type(x).shape
    return g.apply("add", x, g.apply("broadcast", b, attrs=BroadcastAttributes(shape, (len(shape) - 1,))))


def relu(g: Graph, x: Value) -> Value:
    return g.apply("max", x, zeros_like(g, x))


def conv_stage(
    g: Graph, x: Value, name: str, filters: int, dtype: str, border: int = 1, window: int = 2
) -> Value:
    """Padded 3×3 convolution, bias, relu, max pool."""
    edge = (0, border, border, 0)
    channels = g.type(x).shape[-1]
    w = g.input(f"{name}.kernel", TensorType(dtype, (3, 3, channels, filters)), "parameter")
    b = g.input(f"{name}.bias", TensorType(dtype, (filters,)), "parameter")
    padded = g.apply("pad", x, attrs=PadAttributes(edge, edge, (0, 0, 0, 0))) if border else x
    y = relu(g, add_bias(g, g.apply("conv", padded, w, attrs=ConvAttributes((1, 1), (1, 1))), b))
    cells = (1, window, window, 1)
    return g.apply("reduce_window", y, attrs=ReduceWindowAttributes("max", cells, cells))


def classifier(size: int = 8, dtype: str = "float32", batch: DimLike = N) -> Graph:
    """Two convolution stages and a dense layer; outputs ``logits``."""
    g = Graph("classifier")
    x = g.input("image", TensorType(dtype, (batch, size, size, 1)))
    x = conv_stage(g, x, "c1", 6, dtype)
    x = conv_stage(g, x, "c2", 16, dtype)
    features = (size // 4) ** 2 * 16
    x = g.apply("reshape", x, attrs=ReshapeAttributes((batch, features)))
    w = g.input("head.kernel", TensorType(dtype, (features, 10)), "parameter")
    b = g.input("head.bias", TensorType(dtype, (10,)), "parameter")
    g.set_output("logits", add_bias(g, g.apply("dot", x, w, attrs=MATMUL), b))
    return g


def with_training(g: Graph, rate: float = 0.01) -> Graph:
    """Adds a softmax cross-entropy loss over ``label`` and the SGD update of every parameter."""
    z = g.outputs["logits"]
    type = g.type(z)
    rows = BroadcastAttributes(type.shape, (0,))
    label = g.input("label", TensorType("int64", type.shape[:1]), "target")
    top = g.apply("stop_gradient", g.apply("reduce", z, attrs=ReduceAttributes("max", (1,))))
    shifted = g.apply("sub", z, g.apply("broadcast", top, attrs=rows))
    total = g.apply("log", g.apply("reduce", g.apply("exp", shifted), attrs=ReduceAttributes("sum", (1,))))
    log_p = g.apply("sub", shifted, g.apply("broadcast", total, attrs=rows))
    classes = g.apply("iota", attrs=IotaAttributes("int64", type.shape, 1))
    chosen = g.apply("eq", classes, g.apply("broadcast", label, attrs=rows))
    picked = g.apply("select", chosen, log_p, zeros_like(g, log_p))
    g.set_output("loss", g.apply("neg", g.apply("reduce", picked, attrs=ReduceAttributes("sum", (0, 1)))))
    names = [name for name in g.inputs if g.input_role(name) == "parameter"]
    g, cotangents = gradients(g, "loss", names)
    for name in names:
        step = g.apply("mul", splat(g, rate, g.type(cotangents[name])), cotangents[name])
        g.set_output(name, g.apply("sub", g.inputs[name], step))
    return g


def draw_inputs(g: Graph, dims: dict[str, int], seed: int = 0) -> dict[str, np.ndarray]:
    """Normal floats, integers below 10."""
    from netwright.specs.dims import evaluate

    rng = np.random.default_rng(seed)
    found = {}
    for name, value in g.inputs.items():
        type = g.type(value)
        shape = tuple(evaluate(size, dims) for size in type.shape)
        if type.dtype.startswith("float"):
            found[name] = (rng.normal(size=shape) * 0.5).astype(type.dtype)
        else:
            found[name] = rng.integers(0, 10, shape).astype(type.dtype)
    return found
