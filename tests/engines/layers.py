"""How a layer of each type is drawn: its options, and what it can read.

`LAYERS` has a function for every layer type of the language. It is given the sketch and a signal of the right rank, and
adds the layer, perhaps with helpers; the result is None where the layer does not fit.
"""

from __future__ import annotations

from typing import Any

from .activations import ACTIVATIONS
from .arranging import ARRANGING
from .cells import expression
from .composites import COMPOSITES
from .indexing import INDEXING
from .recurrence import gated, recurrent
from .sketch import FITTING, POINTWISE, Add, Signal, Sketch, per_axis, plain

WINDOW_MODES = ("valid", "same", "same_upper", "same_lower")


def dense(s: Sketch, x: Signal) -> Signal | None:
    bias = s.one_of(None, False)
    return s.layer("dense", x, units=s.units(), activation=s.activation(), use_bias=bias)


def embedding(s: Sketch, x: Signal) -> Signal | None:
    """Reads indices of its own, shaped like the leading axes of ``x``."""
    dtype = s.one_of("int64", "int32", "uint8")
    shape = [str(size) if not isinstance(size, int) else size for size in x.shape[1:2]]
    ids = s.input(*shape, dtype=dtype, stem="ids")
    return s.layer("embedding", ids, input_dim=s.number(1, 7), output_dim=s.units())


# Windows.


def padding(s: Sketch, rank: int, most: int, causal: bool) -> Any:
    """Any form: a word for all axes, or words and pairs by axis."""
    words = [*WINDOW_MODES, *(["causal"] if causal else [])]
    if s.flag():
        return s.one_of(*words)
    pairs = [[low, high] for low in range(most + 1) for high in range(most + 1)]
    return [s.one_of(s.one_of(*words), s.one_of(*pairs)) for _ in range(rank)]


def convolution(rank: int) -> Add:
    def add(s: Sketch, x: Signal) -> Signal | None:
        channels = x.shape[-1]
        if not isinstance(channels, int):
            return None
        groups = s.one_of(*[g for g in (1, 1, 2, 3, channels) if channels % g == 0])
        return s.layer(
            f"conv{rank}d",
            x,
            filters=groups * s.one_of(1, 2, 3, 4, 9),
            kernel_size=per_axis(s, rank, 1, 2, 3) if rank > 1 else per_axis(s, 1, 1, 2, 3, 5),
            stride=s.one_of(None, per_axis(s, rank, 1, 2, 3)),
            dilation=s.one_of(None, None, per_axis(s, rank, 1, 2)),
            padding=s.one_of(None, padding(s, rank, 2, rank == 1)),
            groups=groups,
            activation=s.activation(),
            use_bias=s.one_of(None, False),
        )

    return add


def pool(kind: str, rank: int) -> Add:
    def add(s: Sketch, x: Signal) -> Signal | None:
        return s.layer(
            f"{kind}_pool{rank}d",
            x,
            pool_size=per_axis(s, rank, 1, 2, 3),
            stride=s.one_of(None, per_axis(s, rank, 1, 2, 3)),
            padding=s.one_of(None, padding(s, rank, 1, False)),
            dilation=s.one_of(None, None, None, per_axis(s, rank, 1, 2)),
            rounding=s.one_of(None, "floor"),
            count_include_pad=s.one_of(None, True) if kind == "mean" else None,
        )

    return add


def depthwise(type: str, rank: int) -> Add:
    def add(s: Sketch, x: Signal) -> Signal | None:
        return s.layer(
            f"{type}_conv{rank}d",
            x,
            filters=s.one_of(1, 3, 8) if type == "separable" else None,
            depth_multiplier=s.one_of(None, 2, 3),
            kernel_size=per_axis(s, rank, 1, 2, 3),
            stride=s.one_of(None, per_axis(s, rank, 1, 2)),
            dilation=s.one_of(None, None, per_axis(s, rank, 1, 2)),
            padding=s.one_of(None, padding(s, rank, 2, rank == 1)),
            activation=s.activation(),
            use_bias=s.one_of(None, False),
        )

    return add


POOLED = (
    "mean(x)",
    "sqrt(mean(x * x) + 0.1)",
    "max(x) - 0.5 * min(x)",
    "sum(x * softmax(x))",
    "log(sum(exp(x)))",
    "sum((x - mean(x)) ** 2)",
)


def pool_by_equation(rank: int) -> Add:
    def add(s: Sketch, x: Signal) -> Signal | None:
        return s.layer(
            f"pool{rank}d",
            x,
            pool_size=per_axis(s, rank, 1, 2, 3),
            stride=s.one_of(None, per_axis(s, rank, 1, 2, 3)),
            dilation=s.one_of(None, None, per_axis(s, rank, 1, 2)),
            padding=s.one_of(None, padding(s, rank, 1, False)),
            rounding=s.one_of(None, "floor"),
            expression=s.one_of(*POOLED),
        )

    return add


def up_sampling(rank: int) -> Add:
    def add(s: Sketch, x: Signal) -> Signal | None:
        how = s.one_of(None, "bilinear") if rank == 2 else None
        return s.layer(
            f"up_sampling{rank}d", x, size=s.one_of(None, per_axis(s, rank, 1, 2, 3)), interpolation=how
        )

    return add


def attention(s: Sketch, x: Signal) -> Signal | None:
    """Of a sequence to itself, or to another one like it."""
    read = s.one_of([x], [x, alike(s, x)], [x, alike(s, x), x])
    options = s.options(causal=(None, True), dropout=(None, 0.25), scale=(None, 0.5))
    return s.layer("attention", read, **options)


def multi_head_attention(s: Sketch, x: Signal) -> Signal | None:
    read = s.one_of([x], [x, alike(s, x)], [x, x, alike(s, x)])
    options = s.options(
        causal=(None, True),
        dropout=(None, 0.25),
        value_dim=(None, 3),
        units=(None, 5),
        use_bias=(None, False),
    )
    return s.layer(
        "multi_head_attention", read, num_heads=s.one_of(1, 2, 3), key_dim=s.one_of(1, 2, 4), **options
    )


# Shapes and joins.


def reshape(s: Sketch, x: Signal) -> Signal | None:
    """Splits the last axis, or joins batch and time."""
    *leading, last = [size if isinstance(size, int) else str(size) for size in x.shape]
    if not isinstance(last, int) or not last:
        return None
    divisors = [d for d in range(1, last + 1) if last % d == 0]
    rows = s.one_of(*divisors)
    shapes: list[Any] = [[*leading, rows, last // rows], [*leading, -1, rows], [*leading, 1, last]]
    if len(leading) >= 2 and 0 not in leading:
        shapes += [[f"({leading[0]})*({leading[1]})", *leading[2:], last], [-1, last]]
    return s.layer("reshape", x, shape=s.one_of(*shapes))


def flatten(s: Sketch, x: Signal) -> Signal | None:
    return s.layer("flatten", x, start_axis=s.one_of(None, *range(min(3, x.rank))))


def alike(s: Sketch, x: Signal) -> Signal:
    """A signal of the type of ``x``: itself, another one, or one made from it."""
    same = [one for one in s.signals.values() if one.type == x.type and one.name != x.name]
    made = s.layer(s.one_of(*POINTWISE), x) or x  # integers have no such layer
    return s.one_of(x, made, *same)


def join(type: str) -> Add:
    def add(s: Sketch, x: Signal) -> Signal | None:
        return s.layer(type, [x, *(alike(s, x) for _ in range(s.number(1, 2)))])

    return add


def concat(s: Sketch, x: Signal) -> Signal | None:
    axis = s.one_of(None, *range(x.rank), -1)
    others = [alike(s, x) for _ in range(s.number(1, 2))]
    at = x.rank - 1 if axis is None else axis % x.rank
    for one in s.signals.values():
        if one.rank == x.rank and one.type.dtype == x.type.dtype and one.shape != x.shape:
            pairs = enumerate(zip(one.shape, x.shape, strict=True))
            if all(a == b for i, (a, b) in pairs if i != at) and s.flag():
                others.append(one)
    return s.layer("concat", [x, *others][: s.number(2, 4)], axis=axis)


def equation(s: Sketch, x: Signal) -> Signal | None:
    """An expression layer over ``x`` and another signal like it, perhaps with a parameter for the last axis."""
    leaves, params, last = ["a", "b"], {}, x.shape[-1:]
    if not last or isinstance(last[0], int):
        leaves.append("w")
        params["w"] = {"shape": list(last)}
    names = {"a": x.name, "b": alike(s, x).name}
    value = f"a + {expression(s, leaves, 2)}"
    refused = FITTING if x.rank else FITTING | {"NW0511"}  # a number alone has no softmax
    return s.layer("expression", x, names, refused, value=value, params=params or None)


# Preprocessing, normalization.


def standardize(s: Sketch, x: Signal) -> Signal | None:
    channels = x.shape[-1]
    if not isinstance(channels, int) or s.flag():
        return s.layer("standardize", x)
    if s.flag():
        return s.layer("standardize", x, mean=0.5, stddev=2)
    means = [0.1 * i for i in range(channels)]
    return s.layer("standardize", x, mean=means, stddev=[1 + m for m in means])


def layer_norm(s: Sketch, x: Signal) -> Signal | None:
    axis = s.one_of(None, None, *range(1, x.rank))
    options = s.options(epsilon=(None, 0.1), center=(None, False), scale=(None, False))
    return s.layer("layer_norm", x, axis=axis, **options)


LAYERS: dict[str, Add] = {
    **ACTIVATIONS,
    **ARRANGING,
    **COMPOSITES,
    **INDEXING,
    "dense": dense,
    "embedding": embedding,
    **{f"conv{rank}d": convolution(rank) for rank in (1, 2, 3)},
    **{f"{kind}_pool{rank}d": pool(kind, rank) for kind in ("max", "mean") for rank in (1, 2, 3)},
    **{
        f"{kind}_conv{rank}d": depthwise(kind, rank) for kind in ("depthwise", "separable") for rank in (1, 2)
    },
    **{f"pool{rank}d": pool_by_equation(rank) for rank in (1, 2, 3)},
    **{f"up_sampling{rank}d": up_sampling(rank) for rank in (1, 2, 3)},
    "attention": attention,
    "multi_head_attention": multi_head_attention,
    "global_max_pool": plain("global_max_pool"),
    "global_mean_pool": plain("global_mean_pool"),
    "flatten": flatten,
    "reshape": reshape,
    "concat": concat,
    "add": join("add"),
    "multiply": join("multiply"),
    "relu": plain("relu"),
    "leaky_relu": plain("leaky_relu", negative_slope=(None, 0.2, -0.1)),
    "elu": plain("elu", alpha=(None, 0.5)),
    "gelu": plain("gelu", approximate=(None, "tanh")),
    "sigmoid": plain("sigmoid"),
    "tanh": plain("tanh"),
    "softplus": plain("softplus"),
    "softmax": plain("softmax", axis=(None, -1, 1, 2)),
    "log_softmax": plain("log_softmax", axis=(None, -1, 1, 2)),
    "batch_norm": plain(
        "batch_norm",
        momentum=(None, 0.5),
        epsilon=(None, 0.1),
        center=(None, False),
        scale=(None, False),
    ),
    "layer_norm": layer_norm,
    "dropout": plain("dropout", rate=(0, 0.25, 0.6)),
    "rescale": plain("rescale", scale=(None, 0.25), offset=(None, -1)),
    "standardize": standardize,
    "expression": equation,
    "argmax": plain("argmax", axis=(None, -1, 1), last=(None, True)),
    "rnn": gated("rnn"),
    "lstm": gated("lstm"),
    "gru": gated("gru"),
    "recurrent": recurrent,
}

#: The layers that read floats of a rank, by rank; those of ``ANY`` read all ranks.
ANY = ("dense", "flatten", "reshape", "concat", "add", "multiply", *POINTWISE, "softmax", "log_softmax")
ANY = (*ANY, "expression", "batch_norm", "layer_norm", "dropout", "rescale", "standardize")
RECURRENT = ("rnn", "lstm", "gru", "recurrent")
SEQUENCES = ("attention", "multi_head_attention")
BY_RANK: dict[int, tuple[str, ...]] = {
    2: (),
    3: ("conv1d", "max_pool1d", "mean_pool1d", "pool1d", "depthwise_conv1d", "separable_conv1d"),
    4: ("conv2d", "max_pool2d", "mean_pool2d", "pool2d", "depthwise_conv2d", "separable_conv2d"),
    5: ("conv3d", "max_pool3d", "mean_pool3d", "pool3d"),
}
BY_RANK = {rank: (*kinds, f"up_sampling{rank - 2}d") if kinds else () for rank, kinds in BY_RANK.items()}
BY_RANK[3] = (*BY_RANK[3], *SEQUENCES)
GLOBAL = ("global_max_pool", "global_mean_pool")
