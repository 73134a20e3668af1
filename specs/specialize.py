"""Narrows open sizes of a spec: `N = 1`, or `T` between 16 and 512, or `H` a multiple of 32.

The compiler can then prove and optimize more. Everything else stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from math import lcm
from typing import Any

from .diagnostics.suggest import closest, did_you_mean
from .dims import DimLike, substitute
from .load import LoadResult
from .models.base import read_dim
from .models.layers.base import LayerSpec
from .models.layers.padding import PadLayer
from .models.spec import DimSpec, ModelSpec

Range = tuple[int, int | None]


class DimError(ValueError):
    """A dim that the spec doesn't have, or a size that the dim can't have."""


def multiple_of(text: str) -> int | None:
    """The 32 in `32k`, if a text has that form."""
    match = re.fullmatch(r"([1-9]\d{0,8})k", text)
    return int(match[1]) if match else None


def specialize(load: LoadResult, dims: Mapping[str, int | Range | str]) -> LoadResult:
    """The load result narrowed by `dims`: a number fixes a dim, a pair (least, greatest or None) restricts it, and a
    text `32k` makes it a multiple of 32.

    Raises DimError. A spec with errors is returned as it is.
    """
    if load.model is None or not dims:
        return load
    known = dict(load.model.dims)
    binding: dict[str, DimLike] = {}
    for name, size in dims.items():
        if name not in known:
            hint = did_you_mean(closest(name, known)) or f"there is {', '.join(known) or 'none'}"
            raise DimError(f"the spec has no dim {name}; {hint}")
        if isinstance(size, str):
            known[name] = _with_multiple(name, known[name], size)
            continue
        least, most = (size, size) if isinstance(size, int) else size
        _check(name, known[name], least, most)
        if isinstance(size, int):
            binding[name] = size
            del known[name]
        else:
            known[name] = known[name].model_copy(update={"min": least, "max": most})
    model = _bound(load.model, binding).model_copy(update={"dims": known})
    return replace(load, model=model, partial=model)


def _with_multiple(name: str, dim: DimSpec, size: str) -> DimSpec:
    of = multiple_of(size)
    if of is None:
        raise DimError(f"{name} can't be {size!r}: a number, a pair of numbers, or a multiple such as 32k")
    narrowed = dim.model_copy(update={"multiple_of": lcm(dim.multiple_of, of)})
    if narrowed.most is not None and narrowed.most < narrowed.least:
        raise DimError(
            f"no multiple of {narrowed.multiple_of} is from {dim.min} to {dim.max}, as {name} has to be"
        )
    return narrowed


def _check(name: str, dim: DimSpec, least: int, most: int | None) -> None:
    limit = dim.max if dim.max is not None else most
    if least < dim.min or (dim.max is not None and (most is None or most > dim.max)):
        allowed = f"at least {dim.min}" if dim.max is None else f"from {dim.min} to {dim.max}"
        raise DimError(f"{name} has to be {allowed}")
    if (
        -(-least // dim.multiple_of) * dim.multiple_of > (least if most is None else most)
        and most is not None
    ):
        raise DimError(f"{name} has to be a multiple of {dim.multiple_of}")
    if most is not None and (most < least or (limit is not None and most > limit)):
        raise DimError(f"{name} can't be from {least} to {most}")


def _bound(model: ModelSpec, binding: Mapping[str, DimLike]) -> ModelSpec:
    if not binding:
        return model

    def shaped(spec: Any, field: str) -> Any:
        shape = getattr(spec, field, None)
        if shape is None:
            return spec
        return spec.model_copy(update={field: tuple(_size(size, binding) for size in shape)})

    def layer(spec: LayerSpec) -> LayerSpec:
        fields = (*_SIZED, "padding") if isinstance(spec, PadLayer) else _SIZED
        changed = {
            field: _settled(getattr(spec, field), binding)
            for field in fields
            if getattr(spec, field, None) is not None
        }
        return spec.model_copy(update=changed) if changed else spec

    update: dict[str, Any] = {
        "inputs": {name: shaped(spec, "shape") for name, spec in model.inputs.items()},
        "layers": tuple(layer(spec) for spec in model.layers),
    }
    if model.train is not None:
        targets = {name: shaped(spec, "shape") for name, spec in model.train.targets.items()}
        update["train"] = model.train.model_copy(update={"targets": targets})
    return model.model_copy(update=update)


#: The keys of layers that hold sizes.
_SIZED = ("expect", "repeats", "shape", "sizes", "starts", "stops")


def _settled(written: Any, binding: Mapping[str, DimLike]) -> Any:
    """The value of a layer's key with the sizes in it narrowed."""
    if isinstance(written, tuple):
        return tuple(_settled(part, binding) for part in written)
    return _size(written, binding) if isinstance(written, str) else written


def _size(written: int | str, binding: Mapping[str, DimLike]) -> int | str:
    size = substitute(read_dim(written), binding)
    return size if isinstance(size, int) else str(size)
