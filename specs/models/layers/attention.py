"""Attention: each step of a query sequence reads a weighted mean over the steps of another sequence (Vaswani et al.,
2017).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from ..base import Flag, Positive, Probability, Size
from ..initializers import GlorotUniform, Initializer, Zeros
from .base import LayerSpec


class Attending(LayerSpec):
    """Base of the layers that read `[query, key, value]`; with two inputs the second is key and value, with one it is
    all three. Where keys have lengths, the steps past the end get no weight. Port: `weights`, the weight of each step
    of the keys for each step of the query.
    """

    arity: ClassVar[tuple[int, int | None]] = (1, 3)

    causal: Flag = False
    """Whether each step attends only to itself and earlier steps: step i to steps 0 to i."""
    dropout: Probability = 0.0
    """The dropout rate of the weights."""

    def ports(self) -> tuple[str, ...]:
        return ("weights",)


class Attention(Attending):
    """softmax(scale · query @ keyᵀ) @ value: `[N, T, D]`, `[N, S, D]` and `[N, S, V]` give `[N, T, V]`.

    Port `weights`: `[N, T, S]`.
    """

    type: Literal["attention"] = "attention"
    scale: Positive | None = None
    """The factor on the products; 1/√D by default."""


class MultiHeadAttention(Attending):
    """Several attentions on projections of the inputs. Their results are concatenated and projected again: `[N, T,
    Dq]`, `[N, S, Dk]` and `[N, S, Dv]` give `[N, T, units]`.

    Parameters, in which the heads are concatenated: `query_kernel [Dq, num_heads · key_dim]`, `key_kernel [Dk,
    num_heads · key_dim]`, `value_kernel [Dv, num_heads · value_dim]`, `output_kernel [num_heads · value_dim, units]`,
    and the biases `query_bias`, `key_bias`, `value_bias`, `output_bias`. Products are scaled by 1/√key_dim. Port
    `weights`: `[N, num_heads, T, S]`.
    """

    has_parameters: ClassVar[bool] = True
    type: Literal["multi_head_attention"] = "multi_head_attention"
    num_heads: Size
    """The number of attentions."""
    key_dim: Size
    """The number of features of each head's query and key."""
    value_dim: Size | None = None
    """The number of features of each head's value; key_dim by default."""
    units: Size | None = None
    """The number of features of the output; those of the query by default."""
    use_bias: Flag = True
    """Whether the projections have biases."""
    kernel_init: Initializer = GlorotUniform()
    """How each kernel starts."""
    bias_init: Initializer = Zeros()
    """How each bias starts."""


LAYERS = (
    Attention,
    MultiHeadAttention,
)
