"""The arrays that a caller gives for an entry's outputs: checked before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays.binding import shape_text
from ..errors import InputError, did_you_mean, listed

#: An array for the only output, or one for each by its name.
Out: TypeAlias = NDArray | Mapping[str, NDArray]

#: Name, shape and dtype of an output.
Expected: TypeAlias = tuple[str, tuple[int, ...], np.dtype]


def given_outputs(
    out: Out, expected: Sequence[Expected], buffers: Mapping[str, NDArray]
) -> dict[str, NDArray]:
    """The arrays of ``out`` by name, in the order of ``expected``. ``buffers`` are the arrays that the entry reads.

    Raises InputError unless each is an array of just the output's shape and dtype, C-ordered, aligned and writeable,
    which shares no memory with ``buffers`` or with another output.
    """
    names = [name for name, _, _ in expected]
    if not isinstance(out, Mapping):
        if len(names) != 1:
            raise InputError(f"there are the outputs {listed(names)}: out has to be a dict of arrays by name")
        out = {names[0]: out}
    for name in out:
        if name not in names:
            hint = did_you_mean(name, names)
            raise InputError(f"out: there is no output {name!r}: there is {listed(names)}{hint}")
    if missing := [name for name in names if name not in out]:
        raise InputError(f"out lacks an array for {listed(missing)}")
    taken: dict[str, NDArray] = {}
    for name, shape, dtype in expected:
        array = _checked(name, out[name], shape, dtype)
        for kind, others in (("input", buffers), ("output", taken)):
            for other, held in others.items():
                if np.may_share_memory(array, held):
                    raise InputError(f"out: {name!r} shares memory with the {kind} {other!r}; give it a copy")
        taken[name] = array
    return taken


def _checked(name: str, array: object, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    wanted = f"np.empty({shape}, np.{dtype.name})"
    if not isinstance(array, np.ndarray):
        raise InputError(
            f"out: {name!r} has to be a NumPy array, such as {wanted}, not {type(array).__name__}"
        )
    if array.shape != shape:
        raise InputError(
            f"out: {name!r} has the shape {shape_text(array.shape)}; it has to be {shape_text(shape)}"
        )
    if array.dtype != dtype:
        raise InputError(f"out: {name!r} is {array.dtype}; it has to be {dtype.name}")
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise InputError(f"out: {name!r} has to be C-ordered and aligned, such as {wanted}")
    if not array.flags.writeable:
        raise InputError(f"out: {name!r} is read-only")
    return array
