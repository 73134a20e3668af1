"""How layers are drawn that move cells, reduce axes, or multiply."""

from __future__ import annotations

from typing import Any

from .sketch import Add, Signal, Sketch, per_axis, plain, written


def known_axes(x: Signal, first: int = 1) -> list[int]:
    """The axes behind the batch (or from ``first`` on) whose sizes are known."""
    return [axis for axis in range(first, x.rank) if isinstance(x.shape[axis], int)]


def broadcast_to(s: Sketch, x: Signal) -> Signal | None:
    shape = [s.one_of(1, 2, 3) if size == 1 and axis else written(size) for axis, size in enumerate(x.shape)]
    if s.number(0, 3) == 0 and isinstance(x.shape[0], int):
        shape = [s.one_of(1, 2), *shape]
    return s.layer("broadcast_to", x, shape=shape)


def conv_transpose(rank: int) -> Add:
    def add(s: Sketch, x: Signal) -> Signal | None:
        channels = x.shape[-1]
        if not isinstance(channels, int):
            return None
        groups = s.one_of(*[g for g in (1, 1, 2, channels) if channels % g == 0])
        pairs = [[0, 1], [1, 0], [1, 1]]
        strides = [s.one_of(1, 2, 3) for _ in range(rank)]
        return s.layer(
            f"conv_transpose{rank}d",
            x,
            filters=groups * s.one_of(1, 2, 3),
            kernel_size=per_axis(s, rank, 1, 2, 3),
            stride=s.one_of(None, strides),
            dilation=s.one_of(None, None, per_axis(s, rank, 1, 2)),
            padding=s.one_of(None, "valid", "same", [s.one_of(*pairs) for _ in range(rank)]),
            output_padding=s.one_of(None, None, per_axis(s, rank, 0, 1)),
            groups=groups,
            activation=s.activation(),
            use_bias=s.one_of(None, False),
        )

    return add


def depth_to_space(s: Sketch, x: Signal) -> Signal | None:
    return s.layer("depth_to_space", x, block_size=s.one_of(1, 2), mode=s.one_of(None, "dcr", "crd"))


def gather(s: Sketch, x: Signal) -> Signal | None:
    """By constants, or by an input of positions that every size of the axis has."""
    axes = [axis for axis in known_axes(x) if x.shape[axis] > 0]
    if not axes:
        return None
    axis = s.one_of(*axes)
    size = x.shape[axis]
    assert isinstance(size, int)
    positions = [s.number(-size, size - 1) for _ in range(s.number(1, 4))]
    indices: Any = s.one_of(positions[0], positions, [positions, positions])
    return s.layer("gather", x, axis=axis, indices=indices)


def spectrum(kind: str) -> Add:
    """Powers, and magnitudes of single samples: the gradient of a magnitude that is nothing but rounding errors has any
    direction."""

    def add(s: Sketch, x: Signal) -> Signal | None:
        frame = s.one_of(1, 2, 5, 8)
        bands = kind != "spectrogram"
        logs = kind in ("log_mel", "mfcc")
        magnitudes = frame == 1 and not bands
        return s.layer(
            kind,
            x,
            frame_length=frame,
            hop_length=s.one_of(1, 2, 3),
            fft_length=s.one_of(None, frame + s.one_of(0, 1, 4)),
            window=s.one_of(None, "hamming", "rectangular"),
            padding=s.one_of(None, "reflect", "causal", "valid"),
            power=s.one_of(None, 1 if magnitudes else 2),
            sample_rate=100 if bands else None,
            mels=3 if bands else None,
            low_frequency=s.one_of(None, 5.0) if bands else None,
            high_frequency=s.one_of(None, 45.0) if bands else None,
            mel_scale=s.one_of(None, "slaney") if bands else None,
            norm=s.one_of(None, "slaney") if bands else None,
            log=s.one_of(None, "log10", "db") if logs else None,
            floor=s.one_of(0.01, 1.0) if logs else None,
            coefficients=s.one_of(1, 3) if kind == "mfcc" else None,
        )

    return add


def lp_pool(rank: int) -> Add:
    def add(s: Sketch, x: Signal) -> Signal | None:
        return s.layer(
            f"lp_pool{rank}d",
            x,
            pool_size=per_axis(s, rank, 1, 2, 3),
            stride=s.one_of(None, per_axis(s, rank, 1, 2, 3)),
            padding=s.one_of(None, "same"),
            dilation=s.one_of(None, None, per_axis(s, rank, 1, 2)),
            rounding=s.one_of(None, "floor"),
            p=s.one_of(None, 1, 2, 3),
        )

    return add


def matmul(s: Sketch, x: Signal) -> Signal | None:
    """With itself on its side, or with a table that is trained."""
    if x.rank == 3 and s.flag():
        turned = s.layer("transpose", x, permutation=[0, 2, 1])
        return s.layer("matmul", s.one_of([x, turned], [turned, x])) if turned else None
    last = x.shape[-1]
    if not isinstance(last, int):
        return None
    shape = s.one_of([last], [last, s.units()])
    table = s.constant(shape, trainable=s.flag())
    return s.layer("matmul", [x, table])


def pad(s: Sketch, x: Signal) -> Signal | None:
    axes = sorted({s.number(1, x.rank - 1) for _ in range(s.number(1, 2))}) if x.rank > 1 else [0]
    if isinstance(x.shape[0], int) and s.number(0, 3) == 0:
        axes = sorted({0, *axes})
    amounts = [[s.number(-1, 2), s.number(-1, 2)] for _ in axes]
    mode = s.one_of(None, None, "reflect", "symmetric", "edge", "wrap")
    value = s.one_of(None, 0.5) if mode is None else None
    return s.layer("pad", x, axes=axes, padding=amounts, mode=mode, value=value)


def reduce(s: Sketch, x: Signal) -> Signal | None:
    op = s.one_of("sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square", "log_sum_exp")
    axes = sorted({s.number(1, x.rank - 1) for _ in range(s.number(1, 2))}) if x.rank > 1 else [0]
    return s.layer("reduce", x, op=op, axes=s.one_of(axes, axes, None), keepdims=s.one_of(None, True))


def resize(s: Sketch, x: Signal) -> Signal | None:
    axes = known_axes(x)[:-1]
    if x.rank < 3 or not axes:
        return None
    axes = sorted({s.one_of(*axes) for _ in range(s.number(1, 2))})
    mode = s.one_of(None, "nearest", "linear", "cubic")
    options = s.options(
        coordinates=(None, None, "half_pixel_symmetric", "align_corners", "asymmetric", "pytorch_half_pixel"),
        antialias=(None, None, True) if mode in ("linear", "cubic") else (None,),
    )
    if mode in (None, "nearest"):
        options |= s.options(nearest=(None, "floor", "ceil", "round_prefer_ceil"))
    else:
        options |= s.options(exclude_outside=(None, None, True))
    if mode == "cubic":
        options |= s.options(cubic_coefficient=(None, -0.5))
    if s.number(0, 5) == 0:
        options |= {"coordinates": "crop_and_resize", "roi": [[0.1, s.one_of(0.8, 1.3)] for _ in axes]}
        options |= s.options(extrapolation_value=(None, 0.5))
    if s.flag():
        options |= s.options(keep_aspect_ratio=(None, None, "not_larger", "not_smaller"))
        return s.layer("resize", x, axes=axes, sizes=[s.number(1, 7) for _ in axes], mode=mode, **options)
    scales = [s.one_of(0.5, 1.0, 1.5, 2.0) for _ in axes]
    return s.layer("resize", x, axes=axes, scales=scales, mode=mode, **options)


def cells(s: Sketch, x: Signal) -> Signal | None:
    """A slice: whole numbers from both ends, forwards and backwards, sometimes past the end."""
    axes = sorted({s.number(1, x.rank - 1) for _ in range(s.number(1, 2))}) if x.rank > 1 else [0]
    return s.layer(
        "slice",
        x,
        axes=axes,
        starts=[s.one_of(None, 0, 1, 2, -1, -2) for _ in axes],
        stops=[s.one_of(None, None, -1, 1, 3, 9) for _ in axes],
        steps=[s.one_of(1, 1, 2, 3, -1, -2) for _ in axes],
    )


def space_to_depth(s: Sketch, x: Signal) -> Signal | None:
    return s.layer("space_to_depth", x, block_size=s.one_of(1, 2))


def split(s: Sketch, x: Signal) -> Signal | None:
    """The first part; another one is an output."""
    axes = known_axes(x)
    if not axes:
        return None
    axis = s.one_of(*axes)
    size = x.shape[axis]
    assert isinstance(size, int)
    parts = s.one_of(*(count for count in range(1, min(size, 4) + 1) if size % count == 0))
    if size > 1 and s.flag():
        first = s.number(1, size - 1)
        made, parts = s.layer("split", x, axis=axis, sizes=[first, size - first]), 2
    else:
        made = s.layer("split", x, axis=axis, parts=parts)
    if made is not None and parts > 1:
        s.outputs[f"part_{made.name}"] = f"{made.name}.{parts - 1}"
    return made


def tile(s: Sketch, x: Signal) -> Signal | None:
    first = s.one_of(1, 2) if isinstance(x.shape[0], int) else 1
    return s.layer("tile", x, repeats=[first, *(s.one_of(1, 1, 2, 3) for _ in range(x.rank - 1))])


def transpose(s: Sketch, x: Signal) -> Signal | None:
    rest = list(range(1, x.rank))
    order: list[int] = []
    while rest:
        order.append(s.one_of(*rest))
        rest.remove(order[-1])
    if isinstance(x.shape[0], int) and order and s.number(0, 3) == 0:
        return s.layer("transpose", x, permutation=[*order, 0])
    return s.layer("transpose", x, permutation=[0, *order])


ARRANGING: dict[str, Add] = {
    "argmin": plain("argmin", axis=(None, -1, 1), keepdims=(None, True), last=(None, True)),
    "broadcast_to": broadcast_to,
    **{f"conv_transpose{rank}d": conv_transpose(rank) for rank in (1, 2, 3)},
    "depth_to_space": depth_to_space,
    "gather": gather,
    **{kind: spectrum(kind) for kind in ("spectrogram", "mel_spectrogram", "log_mel", "mfcc")},
    "global_lp_pool": plain("global_lp_pool", p=(None, 1, 3)),
    **{f"lp_pool{rank}d": lp_pool(rank) for rank in (1, 2, 3)},
    "matmul": matmul,
    "pad": pad,
    "reduce": reduce,
    "resize": resize,
    "slice": cells,
    "space_to_depth": space_to_depth,
    "split": split,
    "tile": tile,
    "transpose": transpose,
}
