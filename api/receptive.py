"""Receptive fields: how much of the input one cell of a layer's output can see.

Through a chain of windows the field grows by (F − 1)·d·j, where F is the filter size, d its dilation and j the
distance in the input between neighbouring cells, the product of the strides so far (Araujo, Norris and Sim,
*Computing Receptive Fields of Convolutional Neural Networks*, 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netwright.specs.dims import Shape
from netwright.specs.layers import (
    Attending,
    BroadcastTo,
    ConstantLayer,
    ConvTranspose,
    DepthToSpace,
    Embedding,
    Flatten,
    Gather,
    GlobalLpPool,
    GlobalMaxPool,
    GlobalMeanPool,
    GroupNorm,
    InstanceNorm,
    JoinSteps,
    KernelLayer,
    LayerSpec,
    MatMul,
    MeanVarianceNorm,
    PadLayer,
    Pool,
    RecurrentLayer,
    Reduce,
    Reshape,
    Resize,
    Slice,
    SpaceToDepth,
    Steps,
    Tile,
    Transpose,
    UpSampling,
)
from netwright.specs.load import LoadResult

from .describe import times


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The field's size on each spatial axis, and the distance between the fields of neighbouring cells.

    ``sizes`` is None where a cell sees the whole input (or sequence), or where no axis is spatial.
    """

    sizes: tuple[int, ...] | None
    steps: tuple[int, ...] = ()

    def __str__(self) -> str:
        return "all" if self.sizes is None else times(self.sizes)


WHOLE = ReceptiveField(None)


def receptive_fields(load: LoadResult, shapes: Mapping[str, Shape]) -> dict[str, ReceptiveField]:
    """The field of each layer's output, by layer; ``shapes`` are those of inputs and layers."""
    assert load.model is not None
    layers = {layer.name: layer for layer in load.model.layers}
    fields = {name: _start(shapes[name]) for name in load.model.inputs if name in shapes}
    for name in load.wiring.order:
        refs = load.wiring.inputs[name]
        fields[name] = _field(
            layers[name], [fields[ref.name] for ref in refs], shapes[refs[0].name] if refs else ()
        )
    return {name: fields[name] for name in layers}


#: Layers whose output cells stand elsewhere than their input cells, or see them all.
_ELSEWHERE = (
    Attending,
    JoinSteps,
    BroadcastTo,
    ConstantLayer,
    ConvTranspose,
    DepthToSpace,
    Flatten,
    Gather,
    GlobalLpPool,
    GlobalMaxPool,
    GlobalMeanPool,
    GroupNorm,
    InstanceNorm,
    MatMul,
    MeanVarianceNorm,
    PadLayer,
    RecurrentLayer,
    Reduce,
    Reshape,
    Resize,
    Slice,
    SpaceToDepth,
    Tile,
    Transpose,
    UpSampling,
)


def _start(shape: Shape) -> ReceptiveField:
    axes = len(shape) - 2  # without batch and features
    return ReceptiveField((1,) * axes, (1,) * axes) if axes > 0 else WHOLE


def _field(layer: LayerSpec, read: Sequence[ReceptiveField], shape: Shape) -> ReceptiveField:
    if isinstance(layer, Embedding) and len(shape) == 2:
        return _start((*shape, 1))
    if isinstance(layer, Steps):
        return _start(shape[1:])  # of the step
    if isinstance(layer, _ELSEWHERE):
        return WHOLE
    if any(field.sizes is None for field in read) or len({field.steps for field in read}) > 1:
        return WHOLE
    sizes = tuple(max(sizes) for sizes in zip(*(field.sizes or () for field in read), strict=False))
    steps = read[0].steps
    if not isinstance(layer, KernelLayer | Pool):
        return ReceptiveField(sizes, steps)
    grown = (
        size + (window - 1) * dilation * step
        for size, window, dilation, step in zip(sizes, layer.window, layer.dilations, steps, strict=False)
    )
    moved = (step * stride for step, stride in zip(steps, layer.strides, strict=False))
    return ReceptiveField(tuple(grown), tuple(moved))
