"""How activations and normalizations are drawn."""

from __future__ import annotations

from .sketch import Add, Signal, Sketch, plain


def lrn(s: Sketch, x: Signal) -> Signal | None:
    return s.layer(
        "lrn",
        x,
        size=s.one_of(1, 2, 3, 5),
        **s.options(alpha=(None, 0.5), beta=(None, 0.5), bias=(None, 2.0)),
    )


def group_norm(s: Sketch, x: Signal) -> Signal | None:
    channels = x.shape[-1]
    if not isinstance(channels, int) or not channels:
        return None
    groups = s.one_of(*(count for count in range(1, channels + 1) if channels % count == 0))
    options = s.options(epsilon=(None, 0.1), center=(None, False), scale=(None, False))
    return s.layer("group_norm", x, groups=groups, **options)


def prelu(s: Sketch, x: Signal) -> Signal | None:
    channels = x.shape[-1] if x.rank else None
    return s.layer(
        "prelu", x, slope_shape=s.one_of(None, [1], [channels if isinstance(channels, int) else 1])
    )


def mean_variance_norm(s: Sketch, x: Signal) -> Signal | None:
    axes = s.one_of(None, *([axis] for axis in range(1, x.rank)), [*range(1, x.rank)])
    return s.layer("mean_variance_norm", x, axes=axes or None, epsilon=0.1)


#: Layers that keep their input's shape.
ACTIVATIONS: dict[str, Add] = {
    "affine": plain("affine", alpha=(None, -0.5), beta=(None, 1.0)),
    "celu": plain("celu", alpha=(None, 0.5)),
    "hard_sigmoid": plain("hard_sigmoid", alpha=(None, 0.3), beta=(None, 0.4)),
    "hard_swish": plain("hard_swish"),
    "hardmax": plain("hardmax", axis=(None, -1, 1)),
    "mish": plain("mish"),
    "prelu": prelu,
    "scaled_tanh": plain("scaled_tanh", alpha=(None, 0.5), beta=(None, 2.0)),
    "selu": plain("selu", alpha=(None, 0.5), gamma=(None, 1.5)),
    "shrink": plain("shrink", threshold=(None, 0.2), bias=(None, 0.2)),
    "softsign": plain("softsign"),
    "swish": plain("swish", alpha=(None, 0.7)),
    "thresholded_relu": plain("thresholded_relu", theta=(None, 0.3)),
    "group_norm": group_norm,
    "instance_norm": plain("instance_norm", epsilon=(None, 0.1), center=(None, False), scale=(None, False)),
    "lp_norm": plain("lp_norm", axis=(None, -1, 1), p=(None, 1, 2)),
    "lrn": lrn,
    "mean_variance_norm": mean_variance_norm,
    "rms_norm": plain("rms_norm", axis=(None, -1, 1), epsilon=(None, 0.1), scale=(None, False)),
}
