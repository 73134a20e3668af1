"""Exports layers for which ONNX has an operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from netwright.compiler.graph.node import Value
from netwright.specs.models.activations import (
    ActivationSpec,
    Elu,
    LeakyRelu,
    Linear,
    LogSoftmax,
    Relu,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from netwright.specs.models.layers.activation import ActivationLayer
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.models.layers.conv import Convolution
from netwright.specs.models.layers.conv_transpose import ConvTranspose
from netwright.specs.models.layers.dense import Dense, Embedding
from netwright.specs.models.layers.normalization import BatchNorm, Dropout
from netwright.specs.models.layers.pool import GlobalMaxPool, GlobalMeanPool, MaxPool, MeanPool, Pool
from netwright.specs.models.layers.quantizing import FakeQuantize
from netwright.specs.models.layers.shaping import Add, Concat, Flatten, Multiply
from netwright.specs.models.layers.statistics import LayerNorm, LocalResponseNorm

from .context import Exporter

Inputs = Sequence[Value]
Ports = Mapping[str, Value]
ExportLayer = Callable[[Exporter, Any, Inputs, Ports], bool]
"""Exports a layer; returns False if it must be exported by its primitives."""


def activation(e: Exporter, name: str, spec: ActivationSpec, rank: int, first: bool) -> str | None:
    """An activation of a value that may be channels first; None if ONNX has no such activation."""
    match spec:
        case Linear():
            return name
        case Relu():
            return e.writer.add("Relu", [name])
        case LeakyRelu(negative_slope=slope):
            return e.writer.add("LeakyRelu", [name], alpha=slope)
        case Elu(alpha=alpha):
            return e.writer.add("Elu", [name], alpha=alpha)
        case Sigmoid():
            return e.writer.add("Sigmoid", [name])
        case Tanh():
            return e.writer.add("Tanh", [name])
        case Softplus():
            return e.writer.add("Softplus", [name])
        case Softmax(axis=axis) | LogSoftmax(axis=axis):
            axis = axis % rank
            if first and axis:
                axis = 1 if axis == rank - 1 else axis + 1
            op = "Softmax" if isinstance(spec, Softmax) else "LogSoftmax"
            return e.writer.add(op, [name], axis=axis)
    return None


def _has(spec: ActivationSpec) -> bool:
    return isinstance(
        spec, Linear | Relu | LeakyRelu | Elu | Sigmoid | Tanh | Softplus | Softmax | LogSoftmax
    )


def _parameter(e: Exporter, layer: LayerSpec, name: str) -> np.ndarray:
    return np.asarray(e.weights[f"{layer.share or layer.name}.{name}"])


def _weight(e: Exporter, layer: LayerSpec, name: str, array: np.ndarray) -> str:
    """A parameter under its own name. A shared one is stored once."""
    return e.writer.constant(array, hint=f"{layer.share or layer.name}.{name}")


def export_fake_quantize(e: Exporter, spec: FakeQuantize, inputs: Inputs, ports: Ports) -> bool:
    """QuantizeLinear and DequantizeLinear for 8 bits; for other widths, the arithmetic itself."""
    (x,) = inputs
    if spec.bits != 8:
        return False
    dtype = "int8" if spec.signed else "uint8"
    if spec.scale is None:
        scale, zero = _parameter(e, spec, "scale"), _parameter(e, spec, "zero_point")
    else:
        scale = np.asarray(spec.scale, e.dtype(x))
        zero = np.broadcast_to(np.asarray(spec.zero_point), scale.shape)
    limits = np.iinfo(dtype)
    if (zero < limits.min).any() or (zero > limits.max).any() or (zero != np.rint(zero)).any():
        return False
    names = [e.writer.constant(scale), e.writer.constant(zero.astype(dtype))]
    keys: dict[str, Any] = {} if spec.axis is None else {"axis": spec.axis % e.rank(x)}
    codes = e.writer.add("QuantizeLinear", [e.last(x), *names], **keys)
    e.give(ports[""], e.writer.add("DequantizeLinear", [codes, *names], **keys))
    return True


def export_dense(e: Exporter, spec: Dense, inputs: Inputs, ports: Ports) -> bool:
    """Gemm for matrices, MatMul and Add for more axes."""
    if not _has(spec.activation):
        return False
    (x,), rank = inputs, e.rank(inputs[0])
    names = [e.last(x), _weight(e, spec, "kernel", _parameter(e, spec, "kernel"))]
    bias = _weight(e, spec, "bias", _parameter(e, spec, "bias")) if spec.use_bias else None
    if rank == 2:
        result = e.writer.add("Gemm", names + ([bias] if bias else []))
    else:
        result = e.writer.add("MatMul", names)
        result = e.writer.add("Add", [result, bias]) if bias else result
    done = activation(e, result, spec.activation, rank, False)
    assert done is not None
    e.give(ports[""], done)
    return True


def _pads(
    padding: Sequence[Any], spans: Sequence[int], strides: Sequence[int]
) -> tuple[str | None, list[int] | None] | None:
    """auto_pad and pads; None if ONNX can't express the padding."""
    gaps = any(stride > span for stride, span in zip(strides, spans, strict=True))
    if gaps and any(entry in ("same_upper", "same_lower") for entry in padding):
        return None  # ONNX Runtime computes negative padding then
    if all(entry in ("same_upper", "same_lower", "valid") for entry in padding) and len(set(padding)) == 1:
        word = str(padding[0])
        return (None, None) if word == "valid" else (word.upper(), None)
    low, high = [], []
    for entry, span in zip(padding, spans, strict=True):
        if entry in ("same_upper", "same_lower"):
            return None
        pair = {
            "valid": (0, 0),
            "causal": (span - 1, 0),
            "same": ((span - 1) // 2, span - 1 - (span - 1) // 2),
        }
        before, after = pair[entry] if isinstance(entry, str) else entry
        low.append(before)
        high.append(after)
    return None, [*low, *high]


def export_convolution(e: Exporter, spec: Convolution, inputs: Inputs, ports: Ports) -> bool:
    """Conv, channels first."""
    spans = [(size - 1) * step + 1 for size, step in zip(spec.window, spec.dilations, strict=True)]
    pads = _pads(spec.padding, spans, spec.strides)
    if pads is None or not _has(spec.activation) or isinstance(spec, ConvTranspose):
        return False
    if pads[0] is not None and set(spec.dilations) != {1}:  # ONNX Runtime does not implement it
        return False
    kernel = np.moveaxis(_parameter(e, spec, "kernel"), (-1, -2), (0, 1))
    names = [e.first(inputs[0]), _weight(e, spec, "kernel", kernel)]
    if spec.use_bias:
        names.append(_weight(e, spec, "bias", _parameter(e, spec, "bias")))
    result = e.writer.add(
        "Conv",
        names,
        kernel_shape=list(spec.kernel_size),
        strides=list(spec.strides),
        dilations=list(spec.dilations),
        group=spec.groups,
        auto_pad=pads[0],
        pads=pads[1],
    )
    done = activation(e, result, spec.activation, spec.rank + 2, True)
    assert done is not None
    e.give_first(ports[""], done)
    return True


def export_pool(e: Exporter, spec: Pool, inputs: Inputs, ports: Ports) -> bool:
    """MaxPool or AveragePool, if rounding and padding mean the same there."""
    pads = _pads(spec.padding, spec.window, spec.strides)
    ceil = spec.rounding == "ceil" and not _whole(e, spec, inputs[0])
    if (
        pads is None
        or (ceil and not _ceils_alike(spec, pads))
        or set(spec.dilations) != {1}
        or len(ports) > 1
    ):
        return False
    if not isinstance(spec, MaxPool | MeanPool) or (isinstance(spec, MeanPool) and spec.count_include_pad):
        return False
    kind = "MaxPool" if isinstance(spec, MaxPool) else "AveragePool"
    result = e.writer.add(
        kind,
        [e.first(inputs[0])],
        kernel_shape=list(spec.window),
        strides=list(spec.strides),
        auto_pad=pads[0],
        pads=pads[1],
        ceil_mode=1 if ceil else None,
    )
    e.give_first(ports[""], result)
    return True


def _ceils_alike(spec: Pool, pads: tuple[str | None, list[int] | None]) -> bool:
    """Whether no window starts past the input. ONNX's own shape inference is inconsistent about windows that do."""
    high = pads[1][spec.rank :] if pads[1] else [0] * spec.rank
    steps = zip(spec.strides, spec.window, strict=True)
    return pads[0] is None and not any(high) and all(stride <= window for stride, window in steps)


def _whole(e: Exporter, spec: Pool, x: Value) -> bool:
    """Whether the windows fit exactly, so that rounding does not matter."""
    sizes = e.shape(x)[1:-1]
    return all(entry == "valid" for entry in spec.padding) and all(
        isinstance(size, int) and (size - window) % stride == 0
        for size, window, stride in zip(sizes, spec.window, spec.strides, strict=True)
    )


def export_global_pool(
    e: Exporter, spec: GlobalMaxPool | GlobalMeanPool, inputs: Inputs, ports: Ports
) -> bool:
    """GlobalAveragePool or GlobalMaxPool, and Flatten unless the spatial axes stay."""
    kind = "GlobalMaxPool" if isinstance(spec, GlobalMaxPool) else "GlobalAveragePool"
    pooled = e.writer.add(kind, [e.first(inputs[0])])
    if spec.keepdims:
        e.give_first(ports[""], pooled)
    else:
        e.give(ports[""], e.writer.add("Flatten", [pooled]))
    return True


def export_batch_norm(e: Exporter, spec: BatchNorm, inputs: Inputs, ports: Ports) -> bool:
    """BatchNormalization in its eval mode."""
    mean, variance = _parameter(e, spec, "mean"), _parameter(e, spec, "variance")
    gamma = _parameter(e, spec, "gamma") if spec.scale else np.ones_like(mean)
    beta = _parameter(e, spec, "beta") if spec.center else np.zeros_like(mean)
    arrays = {"gamma": gamma, "beta": beta, "mean": mean, "variance": variance}
    (x,), rank = inputs, e.rank(inputs[0])
    name = e.last(x) if rank == 2 else e.first(x)
    weights = [e.writer.weight(f"{spec.name}.{key}", array) for key, array in arrays.items()]
    keys: dict[str, Any] = {"epsilon": spec.epsilon, "momentum": spec.momentum}
    result = e.writer.add("BatchNormalization", [name, *weights], **keys)
    (e.give if rank == 2 else e.give_first)(ports[""], result)
    return True


def export_layer_norm(e: Exporter, spec: LayerNorm, inputs: Inputs, ports: Ports) -> bool:
    """LayerNormalization over the last axis."""
    if not spec.scale or spec.axis != -1 or len(ports) > 1:
        return False
    names = [e.last(inputs[0]), _weight(e, spec, "gamma", _parameter(e, spec, "gamma"))]
    if spec.center:
        names.append(_weight(e, spec, "beta", _parameter(e, spec, "beta")))
    e.give(ports[""], e.writer.add("LayerNormalization", names, axis=-1, epsilon=spec.epsilon))
    return True


def export_lrn(e: Exporter, spec: LocalResponseNorm, inputs: Inputs, ports: Ports) -> bool:
    """LRN, channels first."""
    keys: dict[str, Any] = {"size": spec.size, "alpha": spec.alpha, "beta": spec.beta, "bias": spec.bias}
    e.give_first(ports[""], e.writer.add("LRN", [e.first(inputs[0])], **keys))
    return True


def export_activation(e: Exporter, spec: ActivationLayer, inputs: Inputs, ports: Ports) -> bool:
    """A separate activation, in the layout that exists."""
    assert isinstance(spec, ActivationSpec)
    if not _has(spec):
        return False
    first = e.has_first(inputs[0])
    name = e.first(inputs[0]) if first else e.last(inputs[0])
    result = activation(e, name, spec, e.rank(inputs[0]), first)
    assert result is not None
    (e.give_first if first else e.give)(ports[""], result)
    return True


def export_join(e: Exporter, spec: Add | Multiply | Concat, inputs: Inputs, ports: Ports) -> bool:
    """Sum, Mul or Concat, channels first if all inputs are."""
    first = all(e.has_first(value) for value in inputs)
    names = [e.first(value) if first else e.last(value) for value in inputs]
    if isinstance(spec, Concat):
        rank = e.rank(inputs[0])
        axis = spec.axis % rank
        if first and axis:
            axis = 1 if axis == rank - 1 else axis + 1
        result = e.writer.add("Concat", names, axis=axis)
    else:
        op, (result, *rest) = "Add" if isinstance(spec, Add) else "Mul", names
        for name in rest:
            result = e.writer.add(op, [result, name])
    (e.give_first if first else e.give)(ports[""], result)
    return True


def export_flatten(e: Exporter, spec: Flatten, inputs: Inputs, ports: Ports) -> bool:
    """Flatten; a Reshape if more axes than the first are kept."""
    if spec.start_axis != 1:
        return False
    e.give(ports[""], e.writer.add("Flatten", [e.last(inputs[0])], axis=1))
    return True


def export_dropout(e: Exporter, spec: Dropout, inputs: Inputs, ports: Ports) -> bool:
    """Dropout, which does nothing in prediction."""
    first = e.has_first(inputs[0])
    name = e.first(inputs[0]) if first else e.last(inputs[0])
    rate = e.writer.constant(np.asarray(spec.rate, np.float32))
    (e.give_first if first else e.give)(ports[""], e.writer.add("Dropout", [name, rate]))
    return True


def export_embedding(e: Exporter, spec: Embedding, inputs: Inputs, ports: Ports) -> bool:
    """Gather of rows."""
    if e.dtype(inputs[0]) not in ("int32", "int64"):
        return False
    table = _weight(e, spec, "embeddings", _parameter(e, spec, "embeddings"))
    e.give(ports[""], e.writer.add("Gather", [table, e.last(inputs[0])], axis=0))
    return True


LAYERS: dict[type[LayerSpec], ExportLayer] = {
    FakeQuantize: export_fake_quantize,
    Dense: export_dense,
    Convolution: export_convolution,
    Pool: export_pool,
    GlobalMaxPool: export_global_pool,
    GlobalMeanPool: export_global_pool,
    BatchNorm: export_batch_norm,
    LayerNorm: export_layer_norm,
    LocalResponseNorm: export_lrn,
    ActivationLayer: export_activation,
    Add: export_join,
    Multiply: export_join,
    Concat: export_join,
    Flatten: export_flatten,
    Dropout: export_dropout,
    Embedding: export_embedding,
}
