"""Dense layers, matrix products, and embedding tables."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..activations import Activation, Linear
from ..base import Flag, Size
from ..initializers import GlorotUniform, Initializer, Uniform, Zeros
from .base import LayerSpec


class Dense(LayerSpec):
    """activation(x @ kernel + bias) on the last axis: `[..., F]` gives `[..., units]`.

    Parameters: `kernel [F, units]`, `bias [units]`.
    """

    has_parameters: ClassVar[bool] = True

    type: Literal["dense"] = "dense"
    units: Size
    """The size of the output's last axis."""
    activation: Activation = Linear()
    """The function applied to the result."""
    use_bias: Flag = True
    """Whether a bias is added."""
    kernel_init: Initializer = GlorotUniform()
    """How the kernel starts."""
    bias_init: Initializer = Zeros()
    """How the bias starts."""


class Embedding(LayerSpec):
    """Looks up a row for each index: integers `[...]` give `[..., output_dim]`.

    Parameters: `embeddings [input_dim, output_dim]`. An index outside 0 … input_dim − 1 is an error at run
    time.
    """

    has_parameters: ClassVar[bool] = True

    type: Literal["embedding"] = "embedding"
    input_dim: Size
    """The number of rows, that is, of different indices."""
    output_dim: Size
    """The size of a row."""
    embeddings_init: Initializer = Uniform()
    """How the rows start."""


class MatMul(LayerSpec):
    """The matrix product of two inputs, as in NumPy's matmul: over the last axis of the first and the last but one of
    the second. The axes before them broadcast. A vector is treated as a row or column, and that axis is then removed
    from the result.
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    type: Literal["matmul"] = "matmul"


LAYERS = (
    Dense,
    Embedding,
    MatMul,
)
