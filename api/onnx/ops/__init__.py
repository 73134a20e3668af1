"""The operators of ONNX, one module a family: each entry names what it honours and says how it becomes layers."""

from . import (
    activation,
    arranging,
    branches,
    conv,
    elementwise,
    linear,
    loop,
    loss,
    normalization,
    pool,
    recurrent,
    reduce,
    resize,
    scan,
    shape,
)
from .table import OPS, Op

__all__ = [
    "OPS",
    "Op",
    "activation",
    "arranging",
    "branches",
    "conv",
    "elementwise",
    "linear",
    "loop",
    "loss",
    "normalization",
    "pool",
    "recurrent",
    "reduce",
    "resize",
    "scan",
    "shape",
]
