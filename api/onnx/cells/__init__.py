"""Translates the bodies of ONNX's loops to cells of the language, that is, equations over one sample."""

from . import convolution, moves, normalization, pointwise, recurrent
from .body import CellBody, cell_of_body
from .table import OPERATORS
from .terms import OtherOrder

__all__ = [
    "OPERATORS",
    "CellBody",
    "OtherOrder",
    "cell_of_body",
    "convolution",
    "moves",
    "normalization",
    "pointwise",
    "recurrent",
]
