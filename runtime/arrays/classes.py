"""Targets given as one row of scores per class where the model takes class numbers: what was meant, and how to store
it.
"""

from __future__ import annotations

import numpy as np

from netwright.specs.manifest import BufferInfo


def class_hint(info: BufferInfo, dtype: np.dtype, shape: tuple[int, ...]) -> str | None:
    """Advice for an array with one axis more than the class numbers it is given for; None for any other array."""
    if np.dtype(info.dtype).kind not in "iu" or len(shape) != len(info.shape) + 1:
        return None
    name = info.name
    if shape[-1] == 1:
        return f"{name} has an axis of size 1 too many: store {name}[..., 0] as {info.dtype}"
    sizes = ", ".join([*info.shape, str(shape[-1])])
    given = dtype.name if dtype.kind == "f" else "float32"
    seen = f"{name} is {dtype.name} [{', '.join(map(str, shape))}], like one-hot rows of {shape[-1]} classes"
    first = f"{seen}; the model takes the classes: store np.argmax({name}, axis=-1)"
    if any(range.what != "class" for range in info.ranges or ()):
        return first
    declared = f"{{targets: {{{name}: {{shape: [{sizes}], dtype: {given}}}}}}}"
    return f"{first}, or let softmax_cross_entropy compare distributions: train: {declared}"
