"""The layers, one module a family. `LAYERS` finds a layer's class by its `type`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .activation import (
    ActivationLayer,
    EluLayer,
    GeluLayer,
    LeakyReluLayer,
    LogSoftmaxLayer,
    ReluLayer,
    SigmoidLayer,
    SoftmaxLayer,
    SoftplusLayer,
    TanhLayer,
)
from .arranging import (
    BroadcastTo,
    ConstantLayer,
    DepthToSpace,
    Gather,
    PadLayer,
    Slice,
    SpaceToDepth,
    Split,
    Tile,
    Transpose,
)
from .base import LayerSpec
from .dense import Dense, Embedding
from .expression import ExpressionLayer
from .normalization import Argmax, BatchNorm, Dropout, LayerNorm, Rescale, Standardize
from .recurrent import GatedLayer, Gru, Lstm, Recurrent, RecurrentLayer, Rnn
from .resize import Resize
from .shaping import Add, Concat, Flatten, Multiply, Reshape
from .window import (
    Conv1D,
    Conv2D,
    Conv3D,
    Convolution,
    GlobalMaxPool,
    GlobalMeanPool,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MeanPool1D,
    MeanPool2D,
    MeanPool3D,
    Pool,
    WindowLayer,
)

AnyLayer = (
    Dense
    | Embedding
    | Conv1D
    | Conv2D
    | Conv3D
    | MaxPool1D
    | MaxPool2D
    | MaxPool3D
    | MeanPool1D
    | MeanPool2D
    | MeanPool3D
    | GlobalMaxPool
    | GlobalMeanPool
    | Flatten
    | Reshape
    | Concat
    | Add
    | Multiply
    | ReluLayer
    | LeakyReluLayer
    | EluLayer
    | GeluLayer
    | SigmoidLayer
    | TanhLayer
    | SoftplusLayer
    | SoftmaxLayer
    | LogSoftmaxLayer
    | BatchNorm
    | LayerNorm
    | Dropout
    | Rescale
    | Standardize
    | Argmax
    | Rnn
    | Lstm
    | Gru
    | Recurrent
    | ExpressionLayer
    | Transpose
    | Slice
    | Split
    | PadLayer
    | Tile
    | BroadcastTo
    | Gather
    | ConstantLayer
    | DepthToSpace
    | SpaceToDepth
    | Resize
)
Layer = Annotated[AnyLayer, Field(discriminator="type")]

LAYERS: dict[str, type[LayerSpec]] = {kind.model_fields["type"].default: kind for kind in AnyLayer.__args__}

__all__ = [
    "LAYERS",
    "ActivationLayer",
    "Add",
    "AnyLayer",
    "Argmax",
    "BatchNorm",
    "BroadcastTo",
    "Concat",
    "ConstantLayer",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "Convolution",
    "Dense",
    "DepthToSpace",
    "Dropout",
    "EluLayer",
    "Embedding",
    "ExpressionLayer",
    "Flatten",
    "GatedLayer",
    "Gather",
    "GeluLayer",
    "GlobalMaxPool",
    "GlobalMeanPool",
    "Gru",
    "Layer",
    "LayerNorm",
    "LayerSpec",
    "LeakyReluLayer",
    "LogSoftmaxLayer",
    "Lstm",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MeanPool1D",
    "MeanPool2D",
    "MeanPool3D",
    "Multiply",
    "PadLayer",
    "Pool",
    "Recurrent",
    "RecurrentLayer",
    "ReluLayer",
    "Rescale",
    "Reshape",
    "Resize",
    "Rnn",
    "SigmoidLayer",
    "Slice",
    "SoftmaxLayer",
    "SoftplusLayer",
    "SpaceToDepth",
    "Split",
    "Standardize",
    "TanhLayer",
    "Tile",
    "Transpose",
    "WindowLayer",
]
