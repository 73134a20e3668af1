"""The layers, one module a family. `LAYERS` finds a layer's class by its `type`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .activation import (
    ActivationLayer,
    AffineLayer,
    CeluLayer,
    EluLayer,
    GeluLayer,
    HardmaxLayer,
    HardSigmoidLayer,
    HardSwishLayer,
    LeakyReluLayer,
    LogSoftmaxLayer,
    MishLayer,
    PRelu,
    ReluLayer,
    ScaledTanhLayer,
    SeluLayer,
    ShrinkLayer,
    SigmoidLayer,
    SoftmaxLayer,
    SoftplusLayer,
    SoftsignLayer,
    SwishLayer,
    TanhLayer,
    ThresholdedReluLayer,
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
from .attention import Attending, Attention, MultiHeadAttention
from .base import LayerSpec
from .dense import Dense, Embedding
from .expression import ExpressionLayer
from .expression_pool import ExpressionPool, Pool1D, Pool2D, Pool3D
from .indexing import (
    CumulativeSum,
    GatherElements,
    GatherNd,
    OneHot,
    Reverse,
    ScatterElements,
    ScatterNd,
    TopK,
)
from .loss import NllLoss
from .lp_pool import GlobalLpPool, LpPool, LpPool1D, LpPool2D, LpPool3D
from .normalization import (
    BatchNorm,
    Dropout,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    LpNorm,
    MeanVarianceNorm,
    Rescale,
    RmsNorm,
    Standardize,
)
from .product import MatMul
from .quantizing import FakeQuantize
from .recurrent import GatedLayer, Gru, Lstm, Recurrent, RecurrentLayer, Rnn
from .reduction import Argmax, Argmin, Reduce
from .resize import Resize
from .sampling import GridSample, MaxUnpool
from .scanning import CombineWindows, ScanWindow, Windows
from .separable import (
    DepthwiseConv1D,
    DepthwiseConv2D,
    DepthwiseConvolution,
    SeparableConv1D,
    SeparableConv2D,
    SeparableConvolution,
)
from .shaping import Add, Concat, Flatten, Multiply, Reshape
from .time_distributed import JoinSteps, Steps, TimeDistributed
from .transposed import ConvTranspose, ConvTranspose1D, ConvTranspose2D, ConvTranspose3D
from .up_sampling import UpSampling, UpSampling1D, UpSampling2D, UpSampling3D
from .window import (
    Conv1D,
    Conv2D,
    Conv3D,
    Convolution,
    GlobalMaxPool,
    GlobalMeanPool,
    KernelLayer,
    MaxPool,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MeanPool,
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
    | ScanWindow
    | Windows
    | CombineWindows
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
    | Reduce
    | Argmax
    | Argmin
    | SeluLayer
    | CeluLayer
    | HardSigmoidLayer
    | HardSwishLayer
    | SwishLayer
    | MishLayer
    | SoftsignLayer
    | ThresholdedReluLayer
    | ShrinkLayer
    | ScaledTanhLayer
    | AffineLayer
    | HardmaxLayer
    | PRelu
    | RmsNorm
    | GroupNorm
    | InstanceNorm
    | LocalResponseNorm
    | LpNorm
    | MeanVarianceNorm
    | ConvTranspose1D
    | ConvTranspose2D
    | ConvTranspose3D
    | LpPool1D
    | LpPool2D
    | LpPool3D
    | GlobalLpPool
    | MatMul
    | NllLoss
    | Pool1D
    | Pool2D
    | Pool3D
    | DepthwiseConv1D
    | DepthwiseConv2D
    | SeparableConv1D
    | SeparableConv2D
    | UpSampling1D
    | UpSampling2D
    | UpSampling3D
    | Steps
    | JoinSteps
    | TimeDistributed
    | Attention
    | MultiHeadAttention
    | CumulativeSum
    | GatherElements
    | GatherNd
    | OneHot
    | Reverse
    | ScatterElements
    | ScatterNd
    | TopK
    | FakeQuantize
    | GridSample
    | MaxUnpool
)
Layer = Annotated[AnyLayer, Field(discriminator="type")]

LAYERS: dict[str, type[LayerSpec]] = {kind.model_fields["type"].default: kind for kind in AnyLayer.__args__}

__all__ = [
    "LAYERS",
    "ActivationLayer",
    "Add",
    "AffineLayer",
    "AnyLayer",
    "Argmax",
    "Argmin",
    "Attending",
    "Attention",
    "BatchNorm",
    "BroadcastTo",
    "CeluLayer",
    "CombineWindows",
    "Concat",
    "ConstantLayer",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "ConvTranspose",
    "ConvTranspose1D",
    "ConvTranspose2D",
    "ConvTranspose3D",
    "Convolution",
    "CumulativeSum",
    "Dense",
    "DepthToSpace",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "DepthwiseConvolution",
    "Dropout",
    "EluLayer",
    "Embedding",
    "ExpressionLayer",
    "ExpressionPool",
    "FakeQuantize",
    "Flatten",
    "GatedLayer",
    "Gather",
    "GatherElements",
    "GatherNd",
    "GeluLayer",
    "GlobalLpPool",
    "GlobalMaxPool",
    "GlobalMeanPool",
    "GridSample",
    "GroupNorm",
    "Gru",
    "HardSigmoidLayer",
    "HardSwishLayer",
    "HardmaxLayer",
    "InstanceNorm",
    "JoinSteps",
    "KernelLayer",
    "Layer",
    "LayerNorm",
    "LayerSpec",
    "LeakyReluLayer",
    "LocalResponseNorm",
    "LogSoftmaxLayer",
    "LpNorm",
    "LpPool",
    "LpPool1D",
    "LpPool2D",
    "LpPool3D",
    "Lstm",
    "MatMul",
    "MaxPool",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxUnpool",
    "MeanPool",
    "MeanPool1D",
    "MeanPool2D",
    "MeanPool3D",
    "MeanVarianceNorm",
    "MishLayer",
    "MultiHeadAttention",
    "Multiply",
    "NllLoss",
    "OneHot",
    "PRelu",
    "PadLayer",
    "Pool",
    "Pool1D",
    "Pool2D",
    "Pool3D",
    "Recurrent",
    "RecurrentLayer",
    "Reduce",
    "ReluLayer",
    "Rescale",
    "Reshape",
    "Resize",
    "Reverse",
    "RmsNorm",
    "Rnn",
    "ScaledTanhLayer",
    "ScanWindow",
    "ScatterElements",
    "ScatterNd",
    "SeluLayer",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution",
    "ShrinkLayer",
    "SigmoidLayer",
    "Slice",
    "SoftmaxLayer",
    "SoftplusLayer",
    "SoftsignLayer",
    "SpaceToDepth",
    "Split",
    "Standardize",
    "Steps",
    "SwishLayer",
    "TanhLayer",
    "ThresholdedReluLayer",
    "Tile",
    "TimeDistributed",
    "TopK",
    "Transpose",
    "UpSampling",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "WindowLayer",
    "Windows",
]
