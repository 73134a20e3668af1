"""Attention: every step of one sequence looks at the steps of another (Vaswani et al., 2017)."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..base import Flag, Positive, Probability, Size
from ..initializers import GlorotUniform, Initializer, Zeros
from .base import LayerSpec


class Attending(LayerSpec):
    """Base of the layers that read `[query, key, value]`; of two inputs the second is key and value, of one all three.

    Where keys have lengths, steps past the end are not looked at. Port: `weights`, how much each step of the query
    looks at each of the keys.
    """

    arity: ClassVar[tuple[int, int | None]] = (1, 3)

    causal: Flag = False
    """Whether a step looks at no step after it: step i at steps 0 to i."""
    dropout: Probability = 0.0
    """The dropout of the weights."""

    def ports(self) -> tuple[str, ...]:
        return ("weights",)


class Attention(Attending):
    """softmax(scale · query @ keyᵀ) @ value: `[N, T, D]`, `[N, S, D]` and `[N, S, V]` give `[N, T, V]`.

    Port `weights`: `[N, T, S]`.
    """

    type: Literal["attention"] = "attention"
    scale: Positive | None = None
    """What the products are multiplied by; 1/√D when left out."""


class MultiHeadAttention(Attending):
    """Several attentions on projections of the inputs; their results, side by side, are projected again: `[N, T, Dq]`,
    `[N, S, Dk]` and `[N, S, Dv]` give `[N, T, units]`.

    Parameters, the heads one after the other: `query_kernel [Dq, num_heads · key_dim]`, `key_kernel [Dk, num_heads ·
    key_dim]`, `value_kernel [Dv, num_heads · value_dim]`, `output_kernel [num_heads · value_dim, units]`, and the
    biases `query_bias`, `key_bias`, `value_bias`, `output_bias`. Products are scaled by 1/√key_dim. Port `weights`:
    `[N, num_heads, T, S]`.
    """

    has_parameters: ClassVar[bool] = True
    type: Literal["multi_head_attention"] = "multi_head_attention"
    num_heads: Size
    """How many attentions there are."""
    key_dim: Size
    """The features of a head's query and key."""
    value_dim: Size | None = None
    """The features of a head's value; key_dim when left out."""
    units: Size | None = None
    """The features of the result; those of the query when left out."""
    use_bias: Flag = True
    """Whether biases are added to the projections."""
    kernel_init: Initializer = GlorotUniform()
    """How each kernel starts."""
    bias_init: Initializer = Zeros()
    """How each bias starts."""


LAYERS = (
    Attention,
    MultiHeadAttention,
)
