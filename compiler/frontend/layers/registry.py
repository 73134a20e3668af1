"""The expansion of each layer type."""

from __future__ import annotations

from netwright.specs.models.layers import (
    LAYERS,
    ActivationLayer,
    Add,
    Argmax,
    Attention,
    BatchNorm,
    BroadcastTo,
    CombineWindows,
    Concat,
    ConstantLayer,
    Convolution,
    ConvTranspose,
    CumulativeSum,
    Dense,
    DepthToSpace,
    DepthwiseConvolution,
    Dropout,
    Embedding,
    ExpressionLayer,
    ExpressionPool,
    FakeQuantize,
    Flatten,
    Gather,
    GatherElements,
    GatherNd,
    GlobalLpPool,
    GlobalMaxPool,
    GlobalMeanPool,
    GridSample,
    GroupNorm,
    InstanceNorm,
    JoinSteps,
    LayerNorm,
    LayerSpec,
    LocalResponseNorm,
    LpNorm,
    MatMul,
    MaxUnpool,
    MeanVarianceNorm,
    MultiHeadAttention,
    Multiply,
    NllLoss,
    OneHot,
    PadLayer,
    Pool,
    PRelu,
    RecurrentLayer,
    Reduce,
    Rescale,
    Reshape,
    Resize,
    Reverse,
    RmsNorm,
    ScanWindow,
    ScatterElements,
    ScatterNd,
    SeparableConvolution,
    Slice,
    SpaceToDepth,
    Split,
    Standardize,
    Steps,
    Tile,
    TimeDistributed,
    TopK,
    Transpose,
    UpSampling,
    Windows,
)

from ..expander import Expansion
from .activation import expand_activation, expand_prelu
from .attention import expand_attention, expand_multi_head_attention
from .blocks import expand_depth_to_space, expand_space_to_depth
from .conv import expand_convolution, expand_depthwise, expand_separable
from .conv_transpose import expand_conv_transpose
from .dense import expand_dense, expand_embedding
from .expression import expand_expression
from .expression_pool import expand_expression_pool
from .indexing import (
    expand_gather_elements,
    expand_gather_nd,
    expand_scatter_elements,
    expand_scatter_nd,
)
from .matmul import expand_matmul
from .nll import expand_nll_loss
from .normalization import (
    expand_batch_norm,
    expand_dropout,
    expand_rescale,
    expand_standardize,
)
from .ordering import expand_cumulative_sum, expand_one_hot, expand_reverse, expand_top_k
from .padding import expand_broadcast_to, expand_pad, expand_tile
from .pool import expand_global_pool, expand_pool
from .quantizing import expand_fake_quantize
from .recurrent import expand_recurrent
from .reduction import expand_argmax, expand_reduce
from .resize import expand_resize, expand_up_sampling
from .sampling import expand_grid_sample, expand_max_unpool
from .scanning import expand_combine_windows, expand_windows
from .shaping import expand_concat, expand_flatten, expand_reshape, expand_sum_or_product
from .slicing import expand_slice, expand_split, expand_transpose
from .statistics import (
    expand_group_norm,
    expand_instance_norm,
    expand_layer_norm,
    expand_local_response_norm,
    expand_lp_norm,
    expand_mean_variance_norm,
    expand_rms_norm,
)
from .tables import expand_constant, expand_gather
from .time_distributed import expand_join_steps, expand_steps

_FAMILIES: dict[type[LayerSpec], Expansion] = {
    Dense: Expansion(expand_dense, honours_lengths=True),
    Embedding: Expansion(expand_embedding, honours_lengths=True),
    ConvTranspose: Expansion(expand_conv_transpose),
    Convolution: Expansion(expand_convolution, honours_lengths=True),
    DepthwiseConvolution: Expansion(expand_depthwise, honours_lengths=True),
    SeparableConvolution: Expansion(expand_separable, honours_lengths=True),
    ExpressionPool: Expansion(expand_expression_pool),
    UpSampling: Expansion(expand_up_sampling, honours_lengths=True),
    Pool: Expansion(expand_pool),
    GlobalMaxPool: Expansion(expand_global_pool, honours_lengths=True),
    GlobalMeanPool: Expansion(expand_global_pool, honours_lengths=True),
    Flatten: Expansion(expand_flatten, honours_lengths=True),
    Reshape: Expansion(expand_reshape, honours_lengths=True),
    Concat: Expansion(expand_concat, honours_lengths=True),
    Add: Expansion(expand_sum_or_product, honours_lengths=True),
    Multiply: Expansion(expand_sum_or_product, honours_lengths=True),
    ActivationLayer: Expansion(expand_activation, honours_lengths=True),
    BatchNorm: Expansion(expand_batch_norm, honours_lengths=True),
    LayerNorm: Expansion(expand_layer_norm, honours_lengths=True),
    Dropout: Expansion(expand_dropout, honours_lengths=True),
    Rescale: Expansion(expand_rescale, honours_lengths=True),
    Standardize: Expansion(expand_standardize, honours_lengths=True),
    Argmax: Expansion(expand_argmax, honours_lengths=True),
    ExpressionLayer: Expansion(expand_expression, honours_lengths=True),
    Transpose: Expansion(expand_transpose, honours_lengths=True),
    Slice: Expansion(expand_slice, honours_lengths=True),
    Split: Expansion(expand_split, honours_lengths=True),
    PadLayer: Expansion(expand_pad, honours_lengths=True),
    Tile: Expansion(expand_tile, honours_lengths=True),
    BroadcastTo: Expansion(expand_broadcast_to, honours_lengths=True),
    Gather: Expansion(expand_gather, honours_lengths=True),
    ConstantLayer: Expansion(expand_constant, honours_lengths=True),
    DepthToSpace: Expansion(expand_depth_to_space, honours_lengths=False),
    SpaceToDepth: Expansion(expand_space_to_depth, honours_lengths=False),
    Resize: Expansion(expand_resize, honours_lengths=True),
    Reduce: Expansion(expand_reduce, honours_lengths=True),
    PRelu: Expansion(expand_prelu, honours_lengths=True),
    RmsNorm: Expansion(expand_rms_norm, honours_lengths=True),
    GroupNorm: Expansion(expand_group_norm),
    InstanceNorm: Expansion(expand_instance_norm),
    LocalResponseNorm: Expansion(expand_local_response_norm, honours_lengths=True),
    LpNorm: Expansion(expand_lp_norm, honours_lengths=True),
    MeanVarianceNorm: Expansion(expand_mean_variance_norm, honours_lengths=True),
    GlobalLpPool: Expansion(expand_global_pool, honours_lengths=True),
    MatMul: Expansion(expand_matmul, honours_lengths=True),
    NllLoss: Expansion(expand_nll_loss),
    RecurrentLayer: Expansion(expand_recurrent, honours_lengths=True),
    Steps: Expansion(expand_steps, honours_lengths=True),
    JoinSteps: Expansion(expand_join_steps, honours_lengths=True),
    Attention: Expansion(expand_attention, honours_lengths=True),
    MultiHeadAttention: Expansion(expand_multi_head_attention, honours_lengths=True),
    Windows: Expansion(expand_windows),
    CombineWindows: Expansion(expand_combine_windows),
    GatherElements: Expansion(expand_gather_elements),
    GatherNd: Expansion(expand_gather_nd),
    ScatterElements: Expansion(expand_scatter_elements),
    ScatterNd: Expansion(expand_scatter_nd),
    TopK: Expansion(expand_top_k, honours_lengths=True),
    OneHot: Expansion(expand_one_hot, honours_lengths=True),
    CumulativeSum: Expansion(expand_cumulative_sum, honours_lengths=True),
    Reverse: Expansion(expand_reverse, honours_lengths=True),
    GridSample: Expansion(expand_grid_sample),
    MaxUnpool: Expansion(expand_max_unpool),
    FakeQuantize: Expansion(expand_fake_quantize, honours_lengths=True),
}

EXPANSIONS: dict[type[LayerSpec], Expansion] = {
    layer: next(expansion for family, expansion in _FAMILIES.items() if issubclass(layer, family))
    for layer in LAYERS.values()
    if layer not in (ScanWindow, TimeDistributed)  # loading has written it out
}
