"""The list of all primitives, one line each, and their registration with the graph."""

from __future__ import annotations

from ..graph.rules import declare
from .base import Primitive
from .cast import Cast
from .concat import Concat
from .constant import Constant, DimValue, Iota
from .conv import Conv
from .conv_kernel_gradient import ConvKernelGradient
from .copy import Copy
from .dot import Dot
from .draw import DrawNormals, DrawUniforms
from .elementwise import BINARY, COMPARE, UNARY
from .gather import Gather, ScatterAdd
from .interleave import Interleave
from .layout import Broadcast, Reshape, Reverse, Transpose
from .narrow import Narrow
from .panels import Panels
from .permutation import Permutation
from .quantize import Quantize
from .quantized_conv import QuantizedConv
from .quantized_groups import QuantizedGroups
from .random_bits import RandomBits
from .reduce import Argmax, Reduce
from .reduce_window import MaxWindowGradient, ReduceWindow
from .resample import Resample, ResampleGradient
from .scan import Scan
from .scan_window import Windows
from .scatter import Scatter
from .select import Select
from .slice_pad import Pad, Slice
from .vary_crop import VaryCrop
from .vary_flip import VaryFlip
from .vary_mask import VaryMask
from .vary_noise import VaryNoise
from .vary_shift import VaryShift
from .widen import Widen
from .winograd_data import WinogradData
from .winograd_result import WinogradResult
from .within import Within

_PRIMITIVES: tuple[Primitive, ...] = (
    Constant(),
    Iota(),
    DimValue(),
    *UNARY,
    *BINARY,
    *COMPARE,
    Quantize(),
    Select(),
    Cast(),
    Widen(),
    Narrow(),
    Copy(),
    Reshape(),
    Transpose(),
    Reverse(),
    Broadcast(),
    Slice(),
    Pad(),
    Concat(),
    Interleave(),
    Panels(),
    Windows(),
    Reduce(),
    Argmax(),
    ReduceWindow(),
    MaxWindowGradient(),
    Dot(),
    Conv(),
    ConvKernelGradient(),
    QuantizedConv(),
    QuantizedGroups(),
    WinogradData(),
    WinogradResult(),
    Gather(),
    ScatterAdd(),
    Within(),
    Scatter(),
    Resample(),
    ResampleGradient(),
    RandomBits(),
    Permutation(),
    DrawUniforms(),
    DrawNormals(),
    VaryShift(),
    VaryFlip(),
    VaryCrop(),
    VaryNoise(),
    VaryMask(),
    Scan(),
)


def primitives() -> tuple[Primitive, ...]:
    """All primitives, in the order of the list."""
    return _PRIMITIVES


declare(_PRIMITIVES)
