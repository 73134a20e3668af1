"""The list of all primitives, one line each, and their registration with the graph."""

from __future__ import annotations

from ..graph.rules import declare
from .base import Primitive
from .indexing.gather import Gather, ScatterAdd
from .indexing.permutation import Permutation
from .indexing.scatter import Scatter
from .products.dot import Dot
from .random.draw import DrawNormals, DrawUniforms
from .random.random_bits import RandomBits
from .random.vary_crop import VaryCrop
from .random.vary_flip import VaryFlip
from .random.vary_mask import VaryMask
from .random.vary_noise import VaryNoise
from .random.vary_shift import VaryShift
from .scans.scan import Scan
from .values.cast import Cast
from .values.constant import Constant, DimValue, Iota
from .values.copy import Copy
from .values.elementwise import BINARY, COMPARE, UNARY
from .values.narrow import Narrow
from .values.quantize import Quantize
from .values.reduce import Argmax, Reduce
from .values.select import Select
from .values.widen import Widen
from .values.within import Within
from .views.concat import Concat
from .views.interleave import Interleave
from .views.layout import Broadcast, Reshape, Reverse, Transpose
from .views.panels import Panels
from .views.slice_pad import Pad, Slice
from .windows.conv import Conv
from .windows.conv_kernel_gradient import ConvKernelGradient
from .windows.quantized_conv import QuantizedConv
from .windows.quantized_groups import QuantizedGroups
from .windows.reduce_window import MaxWindowGradient, ReduceWindow
from .windows.resample import Resample, ResampleGradient
from .windows.scan_window import Windows
from .windows.winograd_data import WinogradData
from .windows.winograd_result import WinogradResult

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
