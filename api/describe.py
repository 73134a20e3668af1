"""Short descriptions of layers for summaries and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from netwright.specs.dims import Dim, DimLike, Shape
from netwright.specs.equations.builtin_cells import cell_of
from netwright.specs.equations.cells import Cell
from netwright.specs.models.activations import Linear
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.models.layers.conv import Convolution
from netwright.specs.models.layers.dense import Dense, Embedding
from netwright.specs.models.layers.normalization import BatchNorm, Dropout, Rescale, Standardize
from netwright.specs.models.layers.pool import Pool
from netwright.specs.models.layers.recurrent import GatedLayer, Recurrent, RecurrentLayer
from netwright.specs.models.layers.reduction import Argmax
from netwright.specs.models.layers.resize import UpSampling
from netwright.specs.models.layers.shaping import Add, Concat, Multiply
from netwright.specs.models.layers.spectrum import Spectrogram
from netwright.specs.models.layers.statistics import LayerNorm
from netwright.specs.models.layers.window import KernelLayer

#: What a layer is to the eye: the colours of pictures.
Family = Literal[
    "input", "window", "pool", "dense", "recurrent", "activation", "norm", "shape", "join", "output", "ghost"
]


def describe(layer: LayerSpec) -> str:
    """A layer's type and those of its keys that its output shape does not show: ``conv2d 3×3 · relu``."""
    parts = [layer.type]
    match layer:
        case KernelLayer() | Pool():
            parts = [f"{layer.type} {times(layer.window)}", *_window_parts(layer)]
        case UpSampling():
            parts = [f"{layer.type} {times(layer.size)}"]
        case Dense():
            parts = [f"{layer.type} {layer.units}"]
        case Embedding():
            parts = [f"{layer.type} {layer.input_dim} → {layer.output_dim}"]
        case GatedLayer():
            parts = [f"{layer.type} {layer.units}"]
            parts += [f"{layer.layers} layers"] if layer.layers > 1 else []
            parts += ["bidirectional"] if layer.bidirectional else []
        case Recurrent():
            parts = [f"{layer.type} {layer.cell}", *(["reverse"] if layer.reverse else [])]
        case Dropout():
            parts = [f"{layer.type} {layer.rate:g}"]
        case Spectrogram():
            parts = [f"{layer.type} {layer.frame_length}", f"hop {layer.hop_length}"]
    activation = getattr(layer, "activation", None)
    if (
        activation is not None
        and not isinstance(activation, Linear)
        and not isinstance(layer, RecurrentLayer)
    ):
        parts.append(activation.type)
    return " · ".join(parts)


def _window_parts(layer: KernelLayer | Pool) -> list[str]:
    parts = []
    if isinstance(layer, Convolution):
        parts += [f"{layer.groups} groups"] if layer.groups > 1 else []
    usual = layer.window if isinstance(layer, Pool) else (1,) * layer.rank
    if layer.strides != usual:
        parts.append(f"stride {times(layer.strides)}")
    if any(step > 1 for step in layer.dilations):
        parts.append(f"dilation {times(layer.dilations)}")
    return parts


def times(sizes: Iterable[object]) -> str:
    """Sizes as ``3×3``."""
    return "×".join(map(str, sizes))


def shape_text(shape: Shape) -> str:
    """A shape as specs write it."""
    return f"[{', '.join(map(str, shape))}]"


def count_text(count: int, noun: str) -> str:
    """``1 layer``, ``1,437 images``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def family(layer: LayerSpec) -> Family:
    """The family of a layer, which decides its colour."""
    match layer:
        case KernelLayer() | Spectrogram():
            return "window"
        case Pool():
            return "pool"
        case Dense() | Embedding():
            return "dense"
        case RecurrentLayer():
            return "recurrent"
        case BatchNorm() | LayerNorm() | Rescale() | Standardize() | Dropout():
            return "norm"
        case Concat() | Add() | Multiply():
            return "join"
        case Argmax():
            return "shape"
    if layer.type.startswith("global_"):
        return "pool"
    return "shape" if layer.type in ("flatten", "reshape") else "activation"


def states(layer: RecurrentLayer, cells: Mapping[str, Cell]) -> tuple[str, ...]:
    """The names of the states that a recurrence carries from step to step."""
    return tuple(cell_of(layer, cells)[0].states)


def directions(layer: RecurrentLayer) -> tuple[int, ...]:
    """The directions of time: 1 from start to end, -1 from end to start, both if bidirectional."""
    if isinstance(layer, GatedLayer):
        return (1, -1) if layer.bidirectional else (1,)
    return (-1,) if isinstance(layer, Recurrent) and layer.reverse else (1,)


def bytes_text(size: int) -> str:
    """A number of bytes as ``17.6 KB``, in steps of 1,000."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= step:
            return f"{size / step:.3g} {unit}"
    return f"{size} bytes"


def flops_text(flops: DimLike) -> str:
    """A number as ``1,204,000``, or a formula of open sizes as ``8,448·T``; empty for 0."""
    if isinstance(flops, int):
        return f"{flops:,}" if flops else ""
    assert isinstance(flops, Dim)
    words = str(flops).replace("*", "·").split(" ")
    return " ".join(_grouped(word) for word in words)


def _grouped(word: str) -> str:
    number, dot, rest = word.partition("·")
    return f"{int(number):,}{dot}{rest}" if number.isdecimal() else word
