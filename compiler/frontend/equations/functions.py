"""The functions of the expression language on tensors: what the modules of functions list, and primitives by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from netwright.specs.equations.expressions import FUNCTIONS

from ...ops.values.elementwise import UNARY
from ..functions import activation, arithmetic
from ..functions.activation import SHAPED
from ..functions.arithmetic import JOINT
from ..tensor import Tensor

#: Functions of one argument. A primitive that has the name of a function is that function.
POINTWISE: Mapping[str, Callable[[Tensor], Tensor]] = {
    **{op.name: partial(Tensor.apply, op=op.name) for op in UNARY if op.name in FUNCTIONS},
    **arithmetic.POINTWISE,
    **activation.POINTWISE,
}

__all__ = ["JOINT", "POINTWISE", "SHAPED"]
